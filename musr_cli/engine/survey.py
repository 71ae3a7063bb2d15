"""What a network says of a recording before anything is made: how much of its band encoders left empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musr_cli.audio.resampling import resample
from musr_cli.engine.highband import CHANNELS_AT_ONCE, HighBand
from musr_models.contract import Band
from musr_models.holes import LOWEST_HZ

EXCERPTS = 4
EXCERPT_S = 2.5

HOLES = 0.02
"""Share of empty cells from which on a recording has holes (`benchmarks/holes.py` measures how often that is right)."""

EMPTY = 0.05
"""A cell whose power is below this part of the estimate's is empty (13 dB)."""

_CELL_BINS = 8
_TOP = 0.9  # of the edge: the slope of a filter is no hole
_QUIET = 1e-6  # of the loudest frame's power: below, nothing is said

Block = NDArray[Any]


class Excerpts:
    """A few pieces of a stream of unknown length, evenly spread over what has passed so far.

    Args:
        sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._length = round(EXCERPT_S * sample_rate)
        self._spacing, self._position = 1, 0
        self._pieces: list[Block] = []
        self._open: list[Block] = []

    def push(self, block: Block) -> None:
        """Take the next block [C, n]."""
        while block.shape[-1]:
            number, offset = divmod(self._position, self._length)
            part, block = block[:, : self._length - offset], block[:, self._length - offset :]
            self._position += part.shape[-1]
            if number % self._spacing == 0:
                self._keep(part, is_whole=offset + part.shape[-1] == self._length)

    def pieces(self) -> list[Block]:
        """Up to `EXCERPTS` of them, [C, n] each; what has passed of the last one if there is no whole one."""
        if not self._pieces:
            return [np.concatenate(self._open, axis=-1)] if self._open else []
        chosen = np.linspace(0, len(self._pieces) - 1, min(EXCERPTS, len(self._pieces))).round().astype(int)
        return [self._pieces[index] for index in chosen]

    def _keep(self, part: Block, *, is_whole: bool) -> None:
        self._open.append(part.copy())
        if not is_whole:
            return
        self._pieces.append(np.concatenate(self._open, axis=-1))
        self._open = []
        if len(self._pieces) == 2 * EXCERPTS:
            self._pieces, self._spacing = self._pieces[::2], 2 * self._spacing


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        empty: share of cells below the edge that hold next to nothing where something is expected, 0 to 1.
    """

    empty: float

    @property
    def has_holes(self) -> bool:
        """Whether so many cells are empty that an encoder must have been there."""
        return self.empty >= HOLES


def survey(restorer: HighBand, band: Band, pieces: Sequence[Block], sample_rate: int) -> Survey:
    """Look for holes below the edge.

    Args:
        restorer: one that mends.
        band: rate at which it works, and the edge.
        pieces: of the recording, [C, n] each.
        sample_rate: of the pieces, in Hz.
    """
    empty, cells = 0, 0
    for piece in pieces:
        at_work_rate = resample(piece[:CHANNELS_AT_ONCE].astype(np.float32), sample_rate, band.sample_rate)
        found = _empty_cells(*restorer.expect(at_work_rate), band, restorer.frequencies)
        empty, cells = empty + int(found.sum()), cells + found.numel()
    return Survey(empty / max(cells, 1))


def _empty_cells(own: Tensor, expected: Tensor, band: Band, hz: NDArray[np.float64]) -> Tensor:
    """Which cells below the edge hold next to nothing [cells, frames]; frames that are quiet as a whole do not count.

    Args:
        own: powers of the recording [F, N].
        expected: what the network expects there.
        band: rate and edge.
        hz: where the bins lie [F].
    """
    lowest, highest = np.searchsorted(hz, [LOWEST_HZ, _TOP * band.cutoff_hz])
    frames = own.sum(dim=0)
    counts = frames > _QUIET * frames.max()
    bins = slice(int(lowest), max(int(highest), int(lowest) + _CELL_BINS))
    pooled = [F.avg_pool2d(powers[None, bins, counts], (_CELL_BINS, 1))[0] for powers in (own, expected)]
    return pooled[0] < EMPTY * pooled[1]
