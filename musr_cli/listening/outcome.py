"""What a listening test came to: preferences, opinions, and whether they could be chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from musr_cli.listening.results import Collection, Preference, Rating, Session
from musr_cli.metrics.paired import PairedTest, holm, paired_tests
from musr_cli.metrics.summary import CONFIDENCE, bootstrap_interval

FAILING_SHARE = 0.15
"""ITU-R BS.1534-3, post-screening of assessors: more items than this share may not go wrong."""

LOWEST_OF_REFERENCE: Mapping[str, float] = {"mushra": 90.0, "mos": 4.0}
"""A hidden reference that is rated lower was not recognised: BS.1534-3 for MUSHRA; ours for MOS, one step below "5"."""


@dataclass(frozen=True)
class Share:
    """How often the first of two systems was preferred.

    Attributes:
        wins: answers for the first.
        answers: all answers.
        low: lower end of the exact 95 % interval of the share (Clopper & Pearson 1934).
        high: its upper end.
        p: of the two-sided binomial test against one half.
    """

    wins: int
    answers: int
    low: float
    high: float
    p: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.wins / self.answers


@dataclass(frozen=True)
class Contest:
    """Two systems of an AB test.

    Attributes:
        first: the system that more answers prefer.
        second: the other one.
        all: of all answers. They count as independent, which answers of one listener are not quite.
        p_holm: p of `all`, corrected for all pairs of systems (Holm 1979).
        listeners: of listeners with a majority for one; each counts once, so this is the careful test.
        by_clip: of each clip.
    """

    first: str
    second: str
    all: Share
    p_holm: float
    listeners: Share | None
    by_clip: Mapping[str, Share]


@dataclass(frozen=True)
class Opinion:
    """All ratings of one condition.

    Attributes:
        condition: its name.
        role: its role in the test.
        values: all ratings.
        low: lower end of the 95 % bootstrap interval of the mean, whole listeners being drawn; None for a single one.
        high: its upper end.
        quartiles: first, second (the median) and third.
        by_clip: mean of each clip.
    """

    condition: str
    role: str
    values: tuple[float, ...]
    low: float | None
    high: float | None
    quartiles: tuple[float, float, float]
    by_clip: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Of all ratings."""
        return float(np.mean(self.values))


@dataclass(frozen=True)
class Difference:
    """Two conditions rated by the same listeners on the same clips: `first` − `second`, listeners being drawn."""

    first: str
    second: str
    test: PairedTest
    listeners: int


@dataclass(frozen=True)
class Screened:
    """A listener who did not recognise the hidden reference: in `failed` of `items` items it got too little."""

    listener: str
    failed: int
    items: int


@dataclass(frozen=True)
class Outcome:
    """All that a test came to.

    Attributes:
        sessions: those that count.
        contests: of an AB test, all pairs.
        position: of an AB test, how often A was chosen, whatever it was: far from one half, listeners heard little.
        opinions: of other tests, in the order of the test's conditions.
        differences: of other tests, all pairs of systems and the input.
        screened: who fails the hidden reference.
        is_kept: whether those count all the same.
    """

    sessions: tuple[Session, ...]
    contests: tuple[Contest, ...] = ()
    position: Share | None = None
    opinions: tuple[Opinion, ...] = ()
    differences: tuple[Difference, ...] = ()
    screened: tuple[Screened, ...] = ()
    is_kept: bool = False


def evaluate_sessions(collection: Collection, *, keep_all: bool = False) -> Outcome:
    """Sum up a test.

    Args:
        collection: at least one session.
        keep_all: count listeners who fail the hidden reference too; where all fail, nobody is left out anyway.
    """
    sessions = collection.sessions
    failing = {session.listener_id: found for session in sessions if (found := screen(session))}
    left = tuple(session for session in sessions if session.listener_id not in failing)
    is_kept = keep_all or not left
    counted = sessions if is_kept else left
    outcome = Outcome(counted, screened=tuple(failing.values()), is_kept=is_kept and bool(failing))
    if counted[0].design.kind == "ab":
        answers = [answer for session in counted for answer in session.preferences]
        position = _share(answer.chosen == answer.first for answer in answers)
        return replace(outcome, contests=tuple(_contests(counted)), position=position)
    return replace(outcome, opinions=tuple(_opinions(counted)), differences=tuple(_differences(counted)))


def screen(session: Session) -> Screened | None:
    """Whether a listener fails the hidden reference (ITU-R BS.1534-3, post-screening); None where it was recognised."""
    hidden = {condition.name for condition in session.design.conditions if condition.role == "reference"}
    values = [rating.value for rating in session.ratings if rating.condition in hidden]
    failed = sum(value < LOWEST_OF_REFERENCE[session.design.kind] for value in values)
    return Screened(session.listener, failed, len(values)) if failed > FAILING_SHARE * len(values) else None


def _share(wins: Iterable[bool]) -> Share:
    from scipy.stats import binomtest

    listed = list(wins)
    test = binomtest(sum(listed), len(listed))
    bounds = test.proportion_ci(CONFIDENCE, method="exact")
    return Share(sum(listed), len(listed), float(bounds.low), float(bounds.high), float(test.pvalue))


def _contests(sessions: Sequence[Session]) -> list[Contest]:
    contests = (_contest(sessions, pair) for pair in combinations(sessions[0].design.rated, 2))
    found = [contest for contest in contests if contest]
    corrected = holm([contest.all.p for contest in found])
    return [replace(contest, p_holm=p or 0.0) for contest, p in zip(found, corrected, strict=True)]


def _contest(sessions: Sequence[Session], pair: tuple[str, str]) -> Contest | None:
    """One pair of systems; None where nobody compared them."""
    of_listeners = [
        [one for one in session.preferences if {one.first, one.second} == set(pair)] for session in sessions
    ]
    answers = [answer for answered in of_listeners for answer in answered]
    if not answers:
        return None
    first, second = sorted(pair, key=lambda name: -sum(answer.chosen == name for answer in answers))
    everything = _share(answer.chosen == first for answer in answers)
    clips = sorted({answer.clip for answer in answers})
    by_clip = {clip: _share(one.chosen == first for one in answers if one.clip == clip) for clip in clips}
    return Contest(first, second, everything, everything.p, _majorities(of_listeners, first), by_clip)


def _majorities(of_listeners: Sequence[Sequence[Preference]], first: str) -> Share | None:
    """Listeners by the system that most of their answers prefer; those without a majority are left out."""
    leads = [sum(1 if one.chosen == first else -1 for one in answers) for answers in of_listeners]
    decided = [lead > 0 for lead in leads if lead]
    return _share(decided) if decided else None


def _opinions(sessions: Sequence[Session]) -> list[Opinion]:
    opinions = []
    for condition in sessions[0].design.conditions:
        rated = [[rating for rating in session.ratings if rating.condition == condition.name] for session in sessions]
        groups = [[rating.value for rating in ratings] for ratings in rated if ratings]
        if not groups:
            continue
        values = tuple(value for group in groups for value in group)
        low, high = bootstrap_interval(groups) if len(groups) > 1 else (None, None)
        first, median, third = (float(quartile) for quartile in np.percentile(values, [25, 50, 75]))
        by_clip = _means_by_clip([rating for ratings in rated for rating in ratings])
        opinions.append(Opinion(condition.name, condition.role, values, low, high, (first, median, third), by_clip))
    return opinions


def _means_by_clip(ratings: Sequence[Rating]) -> dict[str, float]:
    values: defaultdict[str, list[float]] = defaultdict(list)
    for rating in ratings:
        values[rating.clip].append(rating.value)
    return {clip: float(np.mean(values[clip])) for clip in sorted(values)}


def _differences(sessions: Sequence[Session]) -> list[Difference]:
    """Systems and the input in pairs. Reference and anchors are controls: testing them too would only cost power."""
    names = [condition.name for condition in sessions[0].design.conditions if condition.role in ("system", "input")]
    pairs, values, groups = [], [], []
    for first, second in combinations(names, 2):
        found = [(session.listener_id, value) for session in sessions for value in _paired(session, first, second)]
        if found:
            pairs.append((first, second))
            groups.append([listener for listener, _ in found])
            values.append([value for _, value in found])
    tests = paired_tests(values, groups)
    listeners = [len(set(group)) for group in groups]
    return [Difference(*pair, test, count) for pair, test, count in zip(pairs, tests, listeners, strict=True)]


def _paired(session: Session, first: str, second: str) -> list[float]:
    ratings = {(rating.clip, rating.condition): rating.value for rating in session.ratings}
    clips = dict.fromkeys(clip for clip, _ in ratings)
    return [
        ratings[clip, first] - ratings[clip, second]
        for clip in clips
        if {(clip, first), (clip, second)} <= ratings.keys()
    ]
