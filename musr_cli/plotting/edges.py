"""The band edge over time: one for each of consecutive parts of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from musr_cli.dsp.band_edge import BandEdge, EdgeDetector

PART_S = 2.5
"""Shorter parts have edges that follow the notes more than the recording."""

MAX_PARTS = 120
"""Of a long file, parts are longer."""


@dataclass(frozen=True)
class PartEdge:
    """The band edge of a part, whose times are in seconds of the file."""

    start_s: float
    end_s: float
    edge: BandEdge


class EdgeTrack:
    """Finds the band edges of consecutive parts of a stream of blocks, all about `PART_S` long."""

    def __init__(self, sample_rate: int, first: int, last: int, lead: int = 0) -> None:
        """For samples `first` … `last` of a file at `sample_rate` Hz; `lead` others are pushed before.

        Their part is the first, as what follows the end belongs to the last: a window sees little more.
        """
        self._sample_rate = sample_rate
        wanted = min(max(round((last - first) / (PART_S * sample_rate)), 1), MAX_PARTS)
        self._starts = [first + (last - first) * part // wanted for part in range(wanted)] + [last]
        self._position = first - lead
        self._detector = EdgeDetector(sample_rate)
        self._edges: list[BandEdge] = []

    def push(self, block: NDArray[Any]) -> None:
        """Take the next samples [C, n]."""
        while self._is_inner and self._position + block.shape[-1] >= self._end:
            rest = self._end - self._position
            self._add(block[:, :rest])
            block = block[:, rest:]
            self._begin_next()
        self._add(block)

    def parts(self) -> tuple[PartEdge, ...]:
        """Every part of what was pushed."""
        edges = [*self._edges, self._detector.result()]
        times_s = [sample / self._sample_rate for sample in self._starts]
        return tuple(
            PartEdge(start, end, edge) for start, end, edge in zip(times_s[:-1], times_s[1:], edges, strict=False)
        )

    @property
    def _is_inner(self) -> bool:
        return len(self._edges) < len(self._starts) - 2

    @property
    def _end(self) -> int:
        return self._starts[len(self._edges) + 1]

    def _add(self, samples: NDArray[Any]) -> None:
        self._detector.push(samples)
        self._position += samples.shape[-1]

    def _begin_next(self) -> None:
        self._edges.append(self._detector.result())
        self._detector = EdgeDetector(self._sample_rate)
