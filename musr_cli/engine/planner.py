"""Which samples a chunk reads and which it answers for. Pure arithmetic: no audio, no network.

       context      core       fade   context
    |-----------|------------|------|-----------|         chunk k reads all of this
                 <- step ---->
                 |------------|------|-----------|------  chunk k + 1 begins a step later
                                ^ faded over: both know these samples, with their whole context

Nothing is read outside the file, inside it is always the real neighbours: networks see a file begin and end as they
saw their training examples do, whatever the length of the chunks, and short files cost no context.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

FADE_S = 0.01
"""Length of the crossfade between chunks. They agree there already; rounding to 16 bits is all that a fade can hide."""


@dataclass(frozen=True)
class Chunk:
    """One piece of work; sample numbers count from the beginning of the file.

    Attributes:
        start: first sample that the chunk answers for.
        stop: one past the last, fade included.
        read_from: first sample that it reads.
        read_to: one past the last that it reads; beyond the end of the file by less than `align`.
        is_last: the file ends at `stop`.
    """

    start: int
    stop: int
    read_from: int
    read_to: int
    is_last: bool


@dataclass(frozen=True)
class Plan:
    """How a file of any length is cut; all in samples.

    Attributes:
        step: from one chunk to the next, a multiple of `align`.
        fade: overlap of neighbours.
        context: read on each side of what a chunk answers for, a multiple of `align`.
        align: chunks begin at multiples of it.
    """

    step: int
    fade: int
    context: int
    align: int

    def chunk(self, index: int, available: int, has_ended: bool) -> Chunk | None:
        """Chunk number `index`, or None if it needs more than the `available` samples, or begins after the end.

        Args:
            index: from 0 on.
            available: samples of the file that are known.
            has_ended: there will be no more.
        """
        start = index * self.step
        stop = start + self.step + self.fade
        is_last = has_ended and available <= stop
        if is_last:
            follows_last = index > 0 and available <= start + self.fade
            if available == 0 or follows_last:
                return None
            stop = available
        elif not has_ended and available <= stop + self.context:
            return None
        read_to = start + _round_up(stop - start, self.align) + self.context
        if has_ended:
            read_to = min(read_to, _round_up(available, self.align))
        return Chunk(start, stop, max(start - self.context, 0), read_to, is_last)

    def chunks(self, samples: int) -> Iterator[Chunk]:
        """All chunks of a file of known length."""
        index = 0
        while chunk := self.chunk(index, samples, has_ended=True):
            yield chunk
            index += 1


def plan(chunk_samples: int, context: int, align: int, sample_rate: int) -> Plan:
    """Cut into chunks of about `chunk_samples`, none of which lacks context.

    Args:
        chunk_samples: how much a chunk should answer for; at least 1.
        context: samples per side that an output sample depends on.
        align: chunks begin at multiples of it.
        sample_rate: in Hz.
    """
    step = _round_up(max(chunk_samples, 1), align)
    return Plan(step, min(_round_up(round(FADE_S * sample_rate), align), step), _round_up(context, align), align)


def _round_up(value: int, to: int) -> int:
    return to * -(-value // to)
