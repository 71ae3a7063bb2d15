"""A listening test: who hears what against what, and the page that asks.

Preferences (AB) and mean opinion scores against the reference (MOS) as in Zhang et al. 2024, sections 4.2 and 4.3;
several versions at once with a hidden reference and an anchor (MUSHRA) as in ITU-R BS.1534-3. In a MOS test each
version is judged by itself beside the reference, as in the degradation category rating of ITU-T P.800, annex D, so
that a rating is an opinion of one version and not a ranking.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal, get_args

from musr_cli import __version__
from musr_cli.listening.stimuli import HIGHEST_RATE_HZ, Cut, encode, level, to_rate
from musr_cli.pages.page import render

Kind = Literal["ab", "mos", "mushra"]
Role = Literal["system", "reference", "anchor", "input"]

REFERENCE, INPUT = "reference", "input"
"""What results call the hidden reference and the unrestored input."""

HEARD_S = 2.0
"""How long each version has to be heard before it can be rated."""

DECISION_S = 6.0
"""What a decision takes beside listening, roughly."""

LARGEST_CHOICE = 15
"""Versions that one MUSHRA screen holds; ITU-R BS.1534-3 advises against more than twelve."""

TITLE = "Listening test"

SCRIPTS = ("page", "player", "listen-order", "listen-item", "listen-ratings", "listen")

QUESTIONS: Mapping[str, str] = {
    "ab": "Which version has fewer artifacts?",
    "mos": "How close does the sample come to the reference?",
    "mushra": "How close does each version come to the reference?",
}

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """One way in which every clip is heard.

    Attributes:
        name: what results call it.
        role: "system", "reference" (hidden among the systems), "anchor" (low-passed reference) or "input".
    """

    name: str
    role: Role


@dataclass(frozen=True)
class Design:
    """What is asked of whom.

    Attributes:
        kind: "ab", "mos" or "mushra".
        title: above the page.
        question: what listeners are asked about each item.
        conditions: all that is played; in an AB test without a reference, systems only.
    """

    kind: Kind
    title: str
    question: str
    conditions: tuple[Condition, ...]

    @property
    def rated(self) -> tuple[str, ...]:
        """Names of what listeners judge: in an AB test the systems, else everything."""
        is_ab = self.kind == "ab"
        return tuple(condition.name for condition in self.conditions if condition.role == "system" or not is_ab)

    @property
    def has_reference(self) -> bool:
        """Whether the reference can be listened to."""
        return any(condition.role == "reference" for condition in self.conditions)


@dataclass(frozen=True)
class Trial:
    """One screen.

    Attributes:
        clip: name of the recording.
        conditions: what is judged on it: two in an AB test, one in a MOS test, all in a MUSHRA test.
        group: which pair of systems it is, by number; positions are balanced within a group.
        is_practice: whether its answers do not count.
    """

    clip: str
    conditions: tuple[str, ...]
    group: int
    is_practice: bool


def plan_trials(design: Design, clips: Sequence[str]) -> list[Trial]:
    """All screens; the first of several clips is for practice.

    One screen is enough to learn what to do, but in a MOS test practice shows all conditions, so that listeners have
    met the whole range before anything counts.
    """
    choices = _choices(design)
    trials = []
    for place, clip in enumerate(clips):
        is_practice = place == 0 and len(clips) > 1
        shown = choices[:1] if is_practice and design.kind == "ab" else choices
        trials += [Trial(clip, names, group, is_practice) for group, names in enumerate(shown)]
    return trials


def minutes_of(design: Design, trials: Sequence[Trial], seconds: float) -> int:
    """About how long a listener takes: all versions, of `seconds` each, one and a half times, and a moment."""
    heard = sum(len(trial.conditions) + (design.has_reference and design.kind != "ab") for trial in trials)
    return max(round((1.5 * seconds * heard + DECISION_S * len(trials)) / 60), 1)


def build(design: Design, cuts: Sequence[Cut], seed: int = 0) -> str:
    """The page, one file that opens from disk.

    Args:
        design: what is asked.
        cuts: of all clips, with every condition of the design; the first of several is for practice.
        seed: of the opaque names of versions.
    """
    rate = min(max(cut.sample_rate for cut in cuts), HIGHEST_RATE_HZ)
    levelled = [level(to_rate(cut, rate)) for cut in cuts]
    data = page_data(design, {cut.name: encode(cut) for cut in levelled}, seed)
    seconds = {_token(seed, cut.name): _seconds(cut) for cut in levelled}
    minutes = minutes_of(design, plan_trials(design, [cut.name for cut in cuts]), max(seconds.values()))
    data |= {"rate": rate, "seconds": seconds, "minutes": minutes}
    return render(design.title, data, SCRIPTS, "listen")


def page_data(design: Design, audio: Mapping[str, Mapping[str, str]], seed: int) -> dict[str, Any]:
    """What the page's script works with: opaque names everywhere, and what they stand for in `key`, in base64.

    Args:
        design: what is asked.
        audio: a FLAC file in base64 by clip and condition.
        seed: of the opaque names.
    """
    trials = plan_trials(design, list(audio))
    test_id = _test_id(design, audio, seed)
    # in the order of their opaque names, the versions of a clip do not tell their systems
    sounds = {
        _token(seed, clip): dict(sorted((_token(seed, clip, name), sound) for name, sound in versions.items()))
        for clip, versions in audio.items()
    }
    return {
        "id": test_id,
        "kind": design.kind,
        "question": design.question,
        "version": __version__,
        "heard_s": HEARD_S,
        "trials": [_described(trial, design, seed) for trial in trials],
        "audio": sounds,
        "key": _as_key(design, audio, test_id, seed),
    }


def asked_by(page: str) -> str | None:
    """Which test a page asks; None where it is no page of a listening test."""
    found = _DATA.search(page)
    try:
        data = json.loads(found[1]) if found else {}
    except ValueError:
        return None
    return data.get("id") if data.get("kind") in get_args(Kind) else None


def _choices(design: Design) -> list[tuple[str, ...]]:
    if design.kind == "ab":
        return list(combinations(design.rated, 2))
    return [(name,) for name in design.rated] if design.kind == "mos" else [design.rated]


def _described(trial: Trial, design: Design, seed: int) -> dict[str, Any]:
    return {
        "id": _token(seed, trial.clip, *trial.conditions, "trial"),
        "clip": _token(seed, trial.clip),
        "versions": [_token(seed, trial.clip, name) for name in trial.conditions],
        "reference": _token(seed, trial.clip, REFERENCE) if design.has_reference else None,
        "group": trial.group,
        "practice": trial.is_practice,
    }


def _as_key(design: Design, audio: Mapping[str, Mapping[str, str]], test_id: str, seed: int) -> str:
    key = {
        "test": {"id": test_id, **asdict(design)},
        "clips": {_token(seed, clip): clip for clip in audio},
        "versions": {_token(seed, clip, name): name for clip, versions in audio.items() for name in versions},
    }
    return base64.b64encode(json.dumps(key).encode()).decode()


def _test_id(design: Design, audio: Mapping[str, Mapping[str, str]], seed: int) -> str:
    """The same for the same test, made again from the same files."""
    whole = json.dumps([asdict(design), audio, seed], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def _token(seed: int, *parts: str) -> str:
    return hashlib.sha256(json.dumps([seed, *parts]).encode()).hexdigest()[:10]


def _seconds(cut: Cut) -> float:
    return float(next(iter(cut.versions.values())).shape[-1] / cut.sample_rate)
