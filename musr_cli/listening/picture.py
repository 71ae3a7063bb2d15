"""The picture of a listening test's outcome: what of it is drawn, and what is written beside it."""

from __future__ import annotations

from typing import BinaryIO

from musr_cli.listening.outcome import Outcome
from musr_cli.listening.results import SCALES
from musr_cli.listening.tables import extent, heading, probability, screening_note
from musr_cli.plotting.ratings import Bar, Box, Caption, draw_preferences, draw_ratings

_BARS = (
    "Upright ends mark the exact 95 % interval of the share (Clopper & Pearson); p of the two-sided binomial test{}. "
    "All answers count as independent."
)
_BOXES = (
    "Boxes reach from quartile to quartile, the line is the median; whiskers reach 1.5 times the box at most. "
    "Diamonds: means with 95 % bootstrap intervals over listeners."
)


def draw_outcome(outcome: Outcome, out: BinaryIO, format: str) -> None:
    """Draw preferences as bars, ratings as boxes.

    Args:
        outcome: of a test.
        out: takes the picture.
        format: its format, as `picture_format` tells it.
    """
    design = outcome.sessions[0].design
    note = screening_note(outcome).partition(" (")[0]
    subtitle = extent(outcome) + (f" {note[0].upper()}{note[1:]}." if note else "")
    if outcome.contests:
        corrected = ", corrected for all pairs (Holm)" if len(outcome.contests) > 1 else ""
        draw_preferences(_bars(outcome), Caption(heading(outcome), subtitle, _BARS.format(corrected)), out, format)
    else:
        draw_ratings(_boxes(outcome), SCALES[design.kind], Caption(heading(outcome), subtitle, _BOXES), out, format)


def _bars(outcome: Outcome) -> list[Bar]:
    bars = []
    for contest in outcome.contests:
        share, p = contest.all, probability(contest.p_holm)
        told = f"p {p}" if p.startswith("<") else f"p = {p}"
        note = f"{share.wins} of {share.answers}, {told}"
        bars.append(Bar(contest.first, contest.second, share.share, share.low, share.high, note))
    return bars


def _boxes(outcome: Outcome) -> list[Box]:
    return [
        Box(one.condition, one.values, one.mean, one.low, one.high, one.role == "system") for one in outcome.opinions
    ]
