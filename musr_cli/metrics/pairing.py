"""Which reference belongs to which estimate: by name, relative to two folders, whatever the formats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from musr_cli.audio.formats import READABLE_SUFFIXES
from musr_cli.errors import MusrError, UsageError


@dataclass(frozen=True)
class Pair:
    """Files to compare; `name` is their path below the folders, without suffix."""

    name: str
    ref: Path
    est: Path
    input: Path | None = None


@dataclass(frozen=True)
class Pairing:
    """What two (or three) folders have in common.

    Attributes:
        pairs: complete ones, by name.
        problems: why a name was left out, one line each, by name.
    """

    pairs: tuple[Pair, ...]
    problems: Mapping[str, str]


def pair_files(ref: Path, est: Path, input: Path | None = None) -> Pairing:
    """Pair two files, or all audio files of two folders by their relative stems; with `input`, of three.

    Raises:
        UsageError: a folder beside a file.
        MusrError: a folder that is missing or holds no audio files.
    """
    places = {"reference": ref, "estimate": est} | ({"input": input} if input else {})
    folders = [place.is_dir() for place in places.values()]
    if not any(folders):
        return Pairing((Pair(est.stem, ref, est, input),), {})
    if not all(folders):
        listed = ", ".join(f"{path} is a {'folder' if path.is_dir() else 'file'}" for path in places.values())
        raise UsageError(f"{listed}: give files or folders, not both")
    return _pair_folders(places)


def _pair_folders(places: Mapping[str, Path]) -> Pairing:
    found = {role: _by_stem(folder) for role, folder in places.items()}
    pairs: list[Pair] = []
    problems: dict[str, str] = {}
    for name in sorted({name for files in found.values() for name in files}):
        candidates = {role: files.get(name, []) for role, files in found.items()}
        problem = _problem(name, candidates, places)
        if problem:
            problems[name] = problem
        else:
            pairs.append(Pair(name, *(files[0] for files in candidates.values())))
    return Pairing(tuple(pairs), problems)


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        # hidden files are leftovers and resource forks ("._x.wav"), not music
        if path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".") and path.is_file():
            files[path.relative_to(folder).with_suffix("").as_posix()].append(path)
    if not files:
        raise MusrError(f"{folder}: no audio files in this folder")
    return files


def _problem(name: str, candidates: Mapping[str, list[Path]], places: Mapping[str, Path]) -> str:
    for role, files in candidates.items():
        if not files:
            return f"{name}: no {role} of this name in {places[role]}"
        if len(files) > 1:
            return f"{name}: {len(files)} files of this name in {places[role]}, keep one of {_names(files)}"
    return ""


def _names(files: list[Path]) -> str:
    return ", ".join(path.name for path in files)
