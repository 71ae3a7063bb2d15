"""Outcomes of listening tests as tables for people, as JSON, and all answers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from musr_cli.listening.outcome import LOWEST_OF_REFERENCE, Contest, Difference, Opinion, Outcome, Share
from musr_cli.listening.results import Session
from musr_cli.metrics.summary import CONFIDENCE
from musr_cli.metrics.tables import aligned

_INTERVAL = f"{100 * CONFIDENCE:.0f} % interval"


def heading(outcome: Outcome) -> str:
    """Title and kind of the test."""
    design = outcome.sessions[0].design
    return f"{design.title} ({design.kind.upper()})"


def extent(outcome: Outcome) -> str:
    """Listeners, clips and the question, in one line."""
    clips = {one.clip for session in outcome.sessions for one in session.preferences}
    clips |= {one.clip for session in outcome.sessions for one in session.ratings}
    counts = f"{_counted(len(outcome.sessions), 'listener')}, {_counted(len(clips), 'clip')}"
    return f"{counts}; {outcome.sessions[0].design.question}"


def screening_note(outcome: Outcome) -> str:
    """Who fails the hidden reference, and what became of their answers; empty where nobody does."""
    if not outcome.screened:
        return ""
    lowest = LOWEST_OF_REFERENCE[outcome.sessions[0].design.kind]
    named = "; ".join(f"{one.listener}: below {lowest:g} in {one.failed} of {one.items}" for one in outcome.screened)
    fate = "counted all the same" if outcome.is_kept else "left out (--keep-all counts them)"
    return f"hidden reference not recognised by {named}: {fate}"


def as_text(outcome: Outcome) -> str:
    """What the test was, and its tables."""
    tables = _preference_tables(outcome) if outcome.contests else _opinion_tables(outcome)
    return "\n".join([f"{heading(outcome)}: {extent(outcome)}\n", *map(aligned, tables), *_position_lines(outcome)])


def as_json(outcome: Outcome, notes: Sequence[str]) -> dict[str, Any]:
    """Everything."""
    first = outcome.sessions[0]
    return {
        "test": {"id": first.test_id, **asdict(first.design)},
        "listeners": [_listener(session) for session in outcome.sessions],
        "preferences": [_contest_json(contest) for contest in outcome.contests],
        "position": _share_json(outcome.position) if outcome.position else None,
        "opinions": [_opinion_json(opinion) for opinion in outcome.opinions],
        "differences": [_difference_json(one) for one in outcome.differences],
        "screened": [{**asdict(one), "counted": outcome.is_kept} for one in outcome.screened],
        "notes": list(notes),
    }


def as_csv(outcome: Outcome) -> str:
    """All answers that count, one row each."""
    text = io.StringIO()
    is_ab = outcome.sessions[0].design.kind == "ab"
    columns = ["first", "second", "chosen"] if is_ab else ["condition", "rating"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["listener", "listener_id", "clip", *columns])
    for session in outcome.sessions:
        who = [session.listener, session.listener_id]
        writer.writerows([*who, one.clip, one.first, one.second, one.chosen] for one in session.preferences)
        writer.writerows([*who, one.clip, one.condition, one.value] for one in session.ratings)
    return text.getvalue()


_CONTESTS = ["preferred", "over", "share", _INTERVAL, "p", "p (Holm)", "answers", "listeners with a majority", "p"]
_OPINIONS = ["condition", "mean", _INTERVAL, "median", "quartiles", "ratings"]
_DIFFERENCES = ["in pairs", "difference", _INTERVAL, "p", "p (Holm)", "listeners"]


def _preference_tables(outcome: Outcome) -> list[list[list[str]]]:
    return [[_CONTESTS, *map(_contest_row, outcome.contests)], *map(_clip_rows, outcome.contests)]


def _opinion_tables(outcome: Outcome) -> list[list[list[str]]]:
    opinions = [_OPINIONS, *map(_opinion_row, outcome.opinions)]
    return [opinions, [_DIFFERENCES, *map(_difference_row, outcome.differences)]] if outcome.differences else [opinions]


def _contest_row(contest: Contest) -> list[str]:
    most = contest.listeners
    majorities = [f"{most.wins} of {most.answers}", probability(most.p)] if most else ["–", "–"]
    share = contest.all
    sure = [percent(share.share), interval(share), probability(share.p), probability(contest.p_holm)]
    return [contest.first, contest.second, *sure, str(share.answers), *majorities]


def _clip_rows(contest: Contest) -> list[list[str]]:
    rows = [[f"{contest.first} over {contest.second}", "share", _INTERVAL, "answers"]]
    shares = contest.by_clip.items()
    return rows + [[clip, percent(share.share), interval(share), str(share.answers)] for clip, share in shares]


def _position_lines(outcome: Outcome) -> list[str]:
    position = outcome.position
    if position is None:
        return []
    told = f"{percent(position.share)} of all answers (p {probability(position.p)})"
    return [f"A, whichever system it was, was chosen in {told}\n"]


def _opinion_row(opinion: Opinion) -> list[str]:
    first, median, third = opinion.quartiles
    sure = "–" if opinion.low is None or opinion.high is None else f"{opinion.low:.2f} … {opinion.high:.2f}"
    quartiles = f"{first:g} … {third:g}"
    return [opinion.condition, f"{opinion.mean:.2f}", sure, f"{median:g}", quartiles, str(len(opinion.values))]


def _difference_row(one: Difference) -> list[str]:
    test = one.test
    sure = "–" if test.low is None or test.high is None else f"{test.low:.2f} … {test.high:.2f}"
    told = [f"{round(test.mean, 2) + 0.0:.2f}", sure, probability(test.p), probability(test.p_holm)]
    return [f"{one.first} − {one.second}", *told, str(one.listeners)]


def percent(share: float) -> str:
    """0.954 → "95.4 %"."""
    return f"{100 * share:.1f} %"


def interval(share: Share) -> str:
    """Of a share, in percent."""
    return f"{100 * share.low:.1f} … {100 * share.high:.1f} %"


def probability(p: float | None) -> str:
    """A p-value as tables show it."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _listener(session: Session) -> dict[str, Any]:
    return {
        "name": session.listener,
        "id": session.listener_id,
        "file": session.source,
        "finished": session.finished,
        "device": session.device,
        "remarks": session.remarks,
    }


def _share_json(share: Share) -> dict[str, Any]:
    return {"share": share.share, **asdict(share)}


def _contest_json(contest: Contest) -> dict[str, Any]:
    return {
        "first": contest.first,
        "second": contest.second,
        **_share_json(contest.all),
        "p_holm": contest.p_holm,
        "listeners": _share_json(contest.listeners) if contest.listeners else None,
        "by_clip": {clip: _share_json(share) for clip, share in contest.by_clip.items()},
    }


def _opinion_json(opinion: Opinion) -> dict[str, Any]:
    first, median, third = opinion.quartiles
    return {
        "condition": opinion.condition,
        "role": opinion.role,
        "mean": opinion.mean,
        "low": opinion.low,
        "high": opinion.high,
        "first_quartile": first,
        "median": median,
        "third_quartile": third,
        "ratings": len(opinion.values),
        "by_clip": dict(opinion.by_clip),
    }


def _difference_json(one: Difference) -> dict[str, Any]:
    told = asdict(one.test)
    told["answers"] = told.pop("clips")
    return {"first": one.first, "second": one.second, **told, "listeners": one.listeners}


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
