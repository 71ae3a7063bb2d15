"""Which file becomes which: decided, and refused where it must be, before any work starts. Touches no audio."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from musr_cli.audio.formats import PIPE, READABLE_SUFFIXES, Place
from musr_cli.errors import MusrError, UsageError

# how many of many files an error message names
_NAMED = 3


class Existing(Enum):
    """What to do about an output that is there already."""

    REFUSE = "refuse"
    REPLACE = "replace"
    SKIP = "skip"


@dataclass(frozen=True)
class Task:
    """One file (or pipe) to make of another."""

    source: Place
    output: Place


@dataclass(frozen=True)
class Plan:
    """What a command line comes to.

    Attributes:
        tasks: the work, in order.
        skipped: tasks whose output exists and is to be left alone.
        unreadable: folders that could not be listed, with the reason.
    """

    tasks: tuple[Task, ...]
    skipped: tuple[Task, ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Selection:
    """Which files of a folder count.

    Attributes:
        pattern: like "*.flac" or "live/**/*.wav", upper and lower case alike; None for all audio files.
        recursive: whether folders below count as well.
    """

    pattern: str | None = None
    recursive: bool = True

    def takes(self, relative: Path) -> bool:
        """Whether the file at `relative` to the folder is wanted."""
        if self.pattern is None:
            return relative.suffix.lower() in READABLE_SUFFIXES
        pattern, path = self.pattern.lower(), relative.as_posix().lower()
        if "/" not in pattern:
            return fnmatch.fnmatchcase(relative.name.lower(), pattern)
        # fnmatch's * crosses folders, so only "no folder at all" is left for ** to add
        return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern.replace("**/", ""))


def plan_outputs(
    inputs: Sequence[str],
    out: str,
    *,
    selection: Selection = Selection(),
    suffix: str | None = None,
    existing: Existing = Existing.REFUSE,
) -> Plan:
    """Pair inputs with outputs.

    One file goes to the file `out`, or into the folder `out` where that exists or ends with a separator. A folder
    becomes a mirrored tree in the folder `out`; several inputs go into the folder `out`, folders under their own name.

    Args:
        inputs: files, folders, patterns (expanded here, as not every shell does) or "-".
        out: file, folder or "-".
        selection: which files of folders count.
        suffix: ".wav" where outputs change their format; None to keep the input's.
        existing: what to do about outputs that exist.

    Raises:
        UsageError: contradictory arguments.
        MusrError: outputs that collide, exist, are inputs, or have no place; nothing was touched.
    """
    places = _expand(inputs)
    if PIPE in (*places, out):
        return _plan_pipe(places, out, existing)
    sources = [Path(place) for place in places]
    if not _goes_into_folder(sources, out):
        return _settle([Task(sources[0], Path(out))], existing)
    root = Path(out)
    _refuse_bad_root(sources, root, selection.recursive)
    tasks: list[Task] = []
    unreadable: list[tuple[Path, str]] = []
    for source in sources:
        below = root / source.name if len(sources) > 1 and source.is_dir() else root
        for found, relative in _files_of(source, selection, unreadable):
            tasks.append(Task(found, below / (_renamed(relative, suffix) if suffix else relative)))
    if not tasks and not unreadable:
        raise MusrError(f"{', '.join(places)}: {_nothing_found(selection)}")
    return _settle(tasks, existing, tuple(unreadable))


def _expand(inputs: Sequence[str]) -> list[str]:
    places: list[str] = []
    for place in inputs:
        if place == PIPE or os.path.lexists(place) or not glob.has_magic(place):
            places.append(place)
            continue
        matches = sorted(glob.glob(place, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute patterns)
        if not matches:
            raise MusrError(f"{place}: nothing matches this pattern")
        places += matches
    return list(dict.fromkeys(places))


def _plan_pipe(places: Sequence[str], out: str, existing: Existing) -> Plan:
    if len(places) > 1:
        raise UsageError("a pipe ('-') takes one input and one output; name a folder for several files")
    source: Place = PIPE if places[0] == PIPE else Path(places[0])
    if out == PIPE:
        if isinstance(source, Path) and source.is_dir():
            raise UsageError(f"{source}: a folder cannot go down a pipe ('-'); name a folder for the results")
        return Plan((Task(source, PIPE),))
    if _is_folder_name(out) or Path(out).is_dir():
        raise UsageError(f"{out}: a pipe ('-') has no name to give to a file in a folder; name the output file")
    return _settle([Task(source, Path(out))], existing)


def _is_folder_name(out: str) -> bool:
    return out.endswith(("/", os.sep))


def _goes_into_folder(sources: Sequence[Path], out: str) -> bool:
    return len(sources) > 1 or sources[0].is_dir() or _is_folder_name(out) or Path(out).is_dir()


def _refuse_bad_root(sources: Sequence[Path], root: Path, recursive: bool) -> None:
    if root.exists() and not root.is_dir():
        raise MusrError(f"{root}: is a file, but results go into a folder here; name a folder")
    place = Path(os.path.realpath(root))
    for source in sources:
        if not source.is_dir():
            continue
        real = Path(os.path.realpath(source))
        if place == real or (recursive and real in place.parents):
            raise MusrError(
                f"{root}: lies inside the input folder {source}, so results would become inputs; name a folder outside"
            )


def _files_of(source: Path, selection: Selection, unreadable: list[tuple[Path, str]]) -> Iterator[tuple[Path, Path]]:
    """(file, path relative to `source`) of a folder, sorted; (source, its name) of a file, even of a missing one."""
    if not source.is_dir():
        yield source, Path(source.name)
        return
    pending = [(source, frozenset((_identity(source),)))]
    while pending:
        folder, ancestors = pending.pop()
        folders: list[tuple[Path, frozenset[object]]] = []
        for path in _list(folder, unreadable):
            mode = _mode(path)
            if stat.S_ISDIR(mode):
                # a link back up would never end; links elsewhere are followed
                if selection.recursive and _identity(path) not in ancestors:
                    folders.append((path, ancestors | {_identity(path)}))
            # what cannot be looked at (a broken link, no permission) is kept: its failure is told, not passed over
            elif (stat.S_ISREG(mode) or not mode) and selection.takes(path.relative_to(source)):
                yield path, path.relative_to(source)
        pending += reversed(folders)


def _list(folder: Path, unreadable: list[tuple[Path, str]]) -> list[Path]:
    try:
        # hidden files are leftovers and resource forks ("._x.wav"), not music
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        unreadable.append((folder, f"{folder}: cannot be listed ({error.strerror})"))
        return []


def _renamed(relative: Path, suffix: str) -> Path:
    is_audio_name = relative.suffix.lower() in READABLE_SUFFIXES
    # "Symphony No. 5" has no suffix to replace
    return relative.with_suffix(suffix) if is_audio_name else relative.with_name(relative.name + suffix)


def _nothing_found(selection: Selection) -> str:
    what = f"no file matches --glob '{selection.pattern}'" if selection.pattern else "no audio files in this folder"
    return what if selection.recursive else f"{what}; leave out --no-recursive to look into folders below"


def _settle(tasks: Sequence[Task], existing: Existing, unreadable: tuple[tuple[Path, str], ...] = ()) -> Plan:
    """Refuse what must not be written; set aside what is there already."""
    _refuse_collisions(tasks)
    _refuse_inputs_as_outputs(tasks)
    there = [task for task in tasks if _is_occupied(Path(task.output))]
    for task in there:
        if Path(task.output).is_dir():
            raise MusrError(f"{task.output}: a folder is in the place of this output; move it or choose another output")
    if there and existing is Existing.REFUSE:
        raise MusrError(_describe_existing(there, len(tasks)))
    if tasks:
        _refuse_unwritable(Path(tasks[0].output).parent)
    skipped = tuple(there) if existing is Existing.SKIP else ()
    return Plan(tuple(task for task in tasks if task not in set(skipped)), skipped, unreadable)


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    first: dict[str, Task] = {}
    for task in tasks:
        other = first.setdefault(_key(task.output), task)
        if other is not task:
            raise MusrError(
                f"{other.source} and {task.source} would both become {task.output}; rename one, or do them one by one"
            )


def _refuse_inputs_as_outputs(tasks: Sequence[Task]) -> None:
    inputs = {_identity(task.source): task.source for task in tasks if isinstance(task.source, Path)}
    for task in tasks:
        source = inputs.get(_identity(Path(task.output)))
        if source is not None:
            raise MusrError(
                f"{task.output}: is the input {source} itself; inputs are never replaced, name another output"
            )


def _describe_existing(there: Sequence[Task], of: int) -> str:
    way_out = "--overwrite replaces, --skip-existing leaves"
    if of == 1:
        return f"{there[0].output}: exists already; {way_out} it"
    named = ", ".join(str(task.output) for task in there[:_NAMED]) + (" …" if len(there) > _NAMED else "")
    return f"{len(there)} of {of} outputs exist already ({named}); {way_out} them"


def _refuse_unwritable(folder: Path) -> None:
    """The nearest folder that exists must take new files or folders: better said now than after the work."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            if not place.is_dir():
                raise MusrError(f"{folder}: cannot be made, as {place} is not a folder; choose another output")
            if not os.access(place, os.W_OK | os.X_OK):
                raise MusrError(f"{place}: no permission to write there; choose another output")
            return


def _mode(path: Path) -> int:
    """File type and permissions, 0 where they cannot be had."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _is_occupied(path: Path) -> bool:
    mode = _mode(path)
    # devices and named pipes take audio without losing anything
    is_special = mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
    return os.path.lexists(path) and not is_special


def _identity(path: Path) -> object:
    """Equal for two names of one file or folder, through links and relative paths."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    # file systems without file numbers say 0
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _key(output: Place) -> str:
    """Equal for outputs that the file system would not tell apart."""
    name = os.path.normcase(Path(output).absolute())
    return name.casefold() if sys.platform == "darwin" else name
