"""Results of a listening test: what the page writes, checked field by field, because anyone may have edited it."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from musr_cli.audio.files import failure
from musr_cli.errors import MusrError, UsageError
from musr_cli.listening.design import Condition, Design, Kind, Role

MARK = "musr-listening-test"
SCHEMA = 1
"""Of the files; one more with each change that readers have to know of."""

SCALES: Mapping[str, tuple[float, float]] = {"mos": (1, 5), "mushra": (0, 100)}
"""Lowest and highest rating."""

_LONGEST_TEXT = 10_000
_SLUG_LETTERS = 40
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Preference:
    """One answer of an AB test: `first` was shown as A, `second` as B."""

    clip: str
    first: str
    second: str
    chosen: str


@dataclass(frozen=True)
class Rating:
    """One rating of a MOS or MUSHRA test."""

    clip: str
    condition: str
    value: float


@dataclass(frozen=True)
class Session:
    """What one listener answered.

    Attributes:
        source: what messages call it, such as its file.
        test_id: of the test; the same for all listeners.
        design: the test.
        listener: name or alias.
        listener_id: drawn at random when the session began.
        finished: time in ISO 8601.
        preferences: of an AB test, practice left out.
        ratings: of other tests, practice left out.
        remarks: what the listener had to say.
        device: "headphones", "earphones" or "loudspeakers".
    """

    source: str
    test_id: str
    design: Design
    listener: str
    listener_id: str
    finished: str
    preferences: tuple[Preference, ...]
    ratings: tuple[Rating, ...]
    remarks: str = ""
    device: str = ""


@dataclass(frozen=True)
class Collection:
    """All sessions of one test, one for each listener, and what had to be said about them."""

    sessions: tuple[Session, ...]
    notes: tuple[str, ...]


def find_results(places: Sequence[Path]) -> list[Path]:
    """Files, what patterns stand for where no shell has expanded them, and all .json files of folders.

    Raises:
        MusrError: a folder without any.
    """
    found: list[Path] = []
    for place in chain.from_iterable(map(_expanded, places)):
        inside = sorted(path for path in place.glob("*.json") if not path.name.startswith("."))
        if place.is_dir() and not inside:
            raise MusrError(f"{place}: no results (.json) in this folder")
        found += inside if place.is_dir() else [place]
    return list(dict.fromkeys(found))


def read_sessions(paths: Sequence[Path]) -> Collection:
    """Results of one test.

    Raises:
        MusrError: a file that is not readable, or not what the page writes.
        UsageError: results of different tests.
    """
    sessions = [parse_session(_read(path), str(path)) for path in paths]
    _refuse_mixed(sessions)
    return _without_repeats(sessions)


def parse_session(text: str, source: str) -> Session:
    """Read what the page wrote.

    Args:
        text: JSON.
        source: what messages call it.

    Raises:
        MusrError: anything but results of a listening test.
    """
    try:
        # a RecursionError is what nested brackets without end give
        return _session(_Fields(json.loads(text), "it"), source)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _WrongError) else "it is no JSON"
        raise MusrError(f"{source}: not results of a listening test: {what}; give files that its page saved") from error


def session_name(session: Session, number: int = 1) -> str:
    """The file name of a session, of letters, digits and hyphens only; `number` tells equal names apart."""
    several = f"-{number}" if number > 1 else ""
    return f"results-{slug(session.design.title)}-{slug(session.listener)}{several}.json"


def slug(text: str) -> str:
    """A part of a file name that is the same on every system."""
    return re.sub(r"[\W_]+", "-", text)[:_SLUG_LETTERS].strip("-").lower() or "unnamed"


class _WrongError(ValueError):
    """What is wrong with a file, in a few words."""


class _Fields:
    """An object of JSON whose fields are asked for by name and type; `place` is what messages call it."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _WrongError(f"{place} is no object")
        self._values: dict[str, Any] = value
        self._place = place

    def text(self, name: str, *, optional: bool = False) -> str:
        """A text of bearable length that can be written again."""
        value = self._get(name, optional)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT or _LONE_SURROGATE.search(value):
            raise _WrongError(f"'{name}' of {self._place} is no text")
        return value

    def object(self, name: str) -> _Fields:
        """An object."""
        return _Fields(self._get(name), f"'{name}'")

    def objects(self, name: str) -> list[_Fields]:
        """A list of objects."""
        values = self._get(name)
        if not isinstance(values, list):
            raise _WrongError(f"'{name}' of {self._place} is no list")
        return [_Fields(value, f"'{name}' {number}") for number, value in enumerate(values, start=1)]

    def number(self, name: str) -> float:
        """A number."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
            raise _WrongError(f"'{name}' of {self._place} is no number")
        return float(value)

    def choice(self, name: str, options: Sequence[str]) -> str:
        """One of some texts."""
        value = self.text(name)
        if value not in options:
            raise _WrongError(f"'{name}' of {self._place} is none of {', '.join(options)}")
        return value

    def names(self) -> Iterator[str]:
        """Of all fields."""
        return iter(self._values)

    def _get(self, name: str, optional: bool = False) -> Any:
        if name not in self._values and not optional:
            raise _WrongError(f"{self._place} has no '{name}'")
        return self._values.get(name)


def _session(fields: _Fields, source: str) -> Session:
    fields.choice("format", [MARK])
    if fields.number("schema") != SCHEMA:
        raise _WrongError(f"schema {fields.number('schema'):g} is not {SCHEMA}, which this musr reads")
    test, listener = fields.object("test"), fields.object("listener")
    design = _design(test)
    answers = fields.objects("answers")
    preferences = [_preference(answer, design) for answer in answers if design.kind == "ab"]
    ratings = [rating for answer in answers if design.kind != "ab" for rating in _ratings(answer, design)]
    _refuse_repeats([(one.clip, frozenset((one.first, one.second))) for one in preferences])
    _refuse_repeats([(one.clip, one.condition) for one in ratings])
    if not answers:
        raise _WrongError("there are no answers")
    return Session(
        source,
        test.text("id"),
        design,
        listener.text("name"),
        listener.text("id"),
        fields.text("finished"),
        tuple(preferences),
        tuple(ratings),
        fields.text("remarks", optional=True),
        listener.text("device", optional=True),
    )


def _design(test: _Fields) -> Design:
    conditions = tuple(_condition(one) for one in test.objects("conditions"))
    # `choice` has made sure of what the type says
    kind: Kind = test.choice("kind", get_args(Kind))  # type: ignore[assignment]
    if len({condition.name for condition in conditions}) < len(conditions):
        raise _WrongError("two conditions share a name")
    return Design(kind, test.text("title"), test.text("question"), conditions)


def _condition(fields: _Fields) -> Condition:
    role: Role = fields.choice("role", get_args(Role))  # type: ignore[assignment]
    return Condition(fields.text("name"), role)


def _preference(answer: _Fields, design: Design) -> Preference:
    first, second = (answer.choice(name, design.rated) for name in ("first", "second"))
    if first == second:
        raise _WrongError(f"'{first}' is compared with itself")
    return Preference(answer.text("clip"), first, second, answer.choice("chosen", [first, second]))


def _ratings(answer: _Fields, design: Design) -> list[Rating]:
    given = answer.object("ratings")
    found = [Rating(answer.text("clip"), name, given.number(name)) for name in given.names()]
    low, high = SCALES[design.kind]
    for rating in found:
        if rating.condition not in design.rated:
            raise _WrongError(f"'{rating.condition}' is no condition of the test")
        if not low <= rating.value <= high:
            raise _WrongError(f"{rating.value:g} is not between {low:g} and {high:g}")
    return found


def _refuse_repeats(judged: Sequence[tuple[str, Any]]) -> None:
    if len(set(judged)) < len(judged):
        raise _WrongError("something is judged twice on the same clip")


def _expanded(place: Path) -> list[Path]:
    text = str(place)
    matches = [] if place.exists() or not glob.has_magic(text) else sorted(glob.glob(text))  # noqa: PTH207
    return [Path(match) for match in matches] or [place]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise failure(path, "read", error) from error
    except UnicodeDecodeError as error:
        raise MusrError(
            f"{path}: not results of a listening test: it is no text; give files that its page saved"
        ) from error


def _refuse_mixed(sessions: Sequence[Session]) -> None:
    first = sessions[0]
    for session in sessions[1:]:
        if (session.test_id, session.design) != (first.test_id, first.design):
            raise UsageError(
                f"{session.source}: results of {_told(session)}, but {first.source} is of {_told(first)}; "
                "analyse one test at a time"
            )


def _told(session: Session) -> str:
    return f"'{session.design.title}' ({session.design.kind}, test {session.test_id})"


def _without_repeats(sessions: Sequence[Session]) -> Collection:
    """The last of those files that hold the same session: one was sent and downloaded, or saved again."""
    kept: dict[str, Session] = {}
    notes: list[str] = []
    for session in sorted(sessions, key=lambda session: session.finished):
        earlier = kept.pop(session.listener_id, None)
        if earlier:
            notes.append(f"{earlier.source}: the same session as {session.source}: counted once")
        kept[session.listener_id] = session
    by_name: dict[str, list[str]] = {}
    for session in kept.values():
        by_name.setdefault(session.listener, []).append(session.source)
    for name, sources in by_name.items():
        if len(sources) > 1:
            notes.append(
                f"{name}: {len(sources)} sessions under this name, counted as different listeners: {', '.join(sources)}"
            )
    in_order = sorted(kept.values(), key=lambda session: (session.listener, session.finished))
    return Collection(tuple(in_order), tuple(notes))
