"""Which recordings a listening test plays: files of several systems matched by name, and a draw among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musr_cli.errors import MusrError, UsageError
from musr_cli.listening.design import INPUT, LARGEST_CHOICE, QUESTIONS, REFERENCE, TITLE, Condition, Design, Kind
from musr_cli.listening.stimuli import Cut, cut_versions, with_anchors
from musr_cli.metrics.pairing import Pair, Pairing, pair_files
from musr_cli.metrics.systems import name_systems


@dataclass(frozen=True)
class Sources:
    """Folders (or files) of a test.

    Attributes:
        systems: what is on trial.
        reference: what they are judged against; None where there is none.
        input: what they were made from; None where it is not played.
        anchors_hz: cutoffs of low-passed references, in Hz.
    """

    systems: tuple[Path, ...]
    reference: Path | None = None
    input: Path | None = None
    anchors_hz: tuple[float, ...] = ()


@dataclass(frozen=True)
class Recordings:
    """What the folders have in common.

    Attributes:
        files: by condition, by name of the recording.
        problems: why a recording was left out, one line each, by its name.
    """

    files: Mapping[str, Mapping[str, Path]]
    problems: Mapping[str, str]


@dataclass(frozen=True)
class Drawn:
    """Excerpts of the recordings that were drawn, and one line about each that could not be used."""

    cuts: tuple[Cut, ...]
    problems: Mapping[str, str]


def make_design(kind: Kind, sources: Sources, title: str | None = None, question: str | None = None) -> Design:
    """What is asked, with the usual title and question where none is given.

    Raises:
        UsageError: sources that do not fit the kind of test.
    """
    _refuse_unfit(kind, sources)
    conditions = [Condition(REFERENCE, "reference")] if sources.reference else []
    conditions += [Condition(name, "system") for name in _system_names(sources.systems)]
    conditions += [Condition(INPUT, "input")] if sources.input else []
    conditions += [Condition(anchor_name(cutoff_hz), "anchor") for cutoff_hz in sources.anchors_hz]
    if kind == "mushra" and len(conditions) > LARGEST_CHOICE:
        raise UsageError(
            f"{len(conditions)} versions are too many for one screen; name fewer than {LARGEST_CHOICE} folders"
        )
    return Design(kind, title or TITLE, question or QUESTIONS[kind], tuple(conditions))


def find_recordings(design: Design, sources: Sources) -> Recordings:
    """Match files by their names relative to their folders, as `musr eval` does.

    Raises:
        UsageError: a folder beside a file.
        MusrError: a folder that is missing or holds no audio files.
    """
    places = [place for place in (sources.reference, *sources.systems, sources.input) if place]
    first, *others = [condition.name for condition in design.conditions if condition.role != "anchor"]
    pairings = [pair_files(places[0], place) for place in places[1:]]
    problems = {name: _reworded(why) for pairing in pairings for name, why in pairing.problems.items()}
    paired = [_by_recording(pairing, places[0]) for pairing in pairings]
    files = {
        name: {first: pair.ref, **{other: pairs[name].est for other, pairs in zip(others, paired, strict=True)}}
        for name, pair in paired[0].items()
        if all(name in pairs for pairs in paired)
    }
    return Recordings(files, dict(sorted(problems.items())))


def draw_clips(
    design: Design,
    recordings: Recordings,
    anchors_hz: Sequence[float],
    *,
    clips: int,
    seconds: float,
    seed: int,
    progress: Callable[[str], None] = lambda name: None,
) -> Drawn:
    """Excerpts of up to `clips` recordings, and of one more for practice; another one is drawn for each that fails.

    Args:
        design: of the test.
        recordings: to draw from.
        anchors_hz: cutoffs of low-passed references, in Hz.
        clips: how many count.
        seconds: length of an excerpt.
        seed: of the draw.
        progress: is told each name before its files are read.
    """
    names = list(recordings.files)
    base = REFERENCE if design.has_reference else None
    anchors = {anchor_name(cutoff_hz): cutoff_hz for cutoff_hz in anchors_hz}
    cuts: list[Cut] = []
    problems: dict[str, str] = {}
    for place in np.random.default_rng(seed).permutation(len(names)):
        if len(cuts) > clips:
            break
        name = names[place]
        progress(name)
        try:
            cut = cut_versions(name, recordings.files[name], seconds, base, expected=INPUT)
        except MusrError as error:
            problems[name] = str(error)
        else:
            cuts.append(with_anchors(cut, REFERENCE, anchors) if anchors else cut)
    return Drawn(tuple(cuts), problems)


def anchor_name(cutoff_hz: float) -> str:
    """What results call a low-passed reference."""
    return f"anchor {cutoff_hz / 1000:g} kHz"


def _refuse_unfit(kind: Kind, sources: Sources) -> None:
    places = [place.resolve() for place in (*sources.systems, sources.reference, sources.input) if place]
    if len(set(places)) < len(places):
        raise UsageError("the same folder is named twice; name each once")
    if kind == "ab" and len(sources.systems) < 2:
        raise UsageError(f"{sources.systems[0]}: an AB test compares systems; name another folder after it")
    if kind == "ab" and sources.input:
        raise UsageError(f"--input {sources.input}: an AB test compares systems; name it as one of them")
    if kind != "ab" and not sources.reference:
        raise UsageError(f"--test {kind}: listeners rate against the originals; name their folder with --reference")


def _system_names(places: Sequence[Path]) -> list[str]:
    """Short names, none of which is that of another condition."""
    return [f"{name} (system)" if _is_reserved(name) else name for name in name_systems(places)]


def _is_reserved(name: str) -> bool:
    return name in (REFERENCE, INPUT) or name.startswith("anchor ")


def _by_recording(pairing: Pairing, base: Path) -> dict[str, Pair]:
    """Pairs by name; two files may have any names."""
    return {pair.name if base.is_dir() else base.stem: pair for pair in pairing.pairs}


def _reworded(problem: str) -> str:
    # here, nothing is called an estimate, and the folder says which one it is
    return re.sub(r": no (reference|estimate) of", ": no file of", problem)
