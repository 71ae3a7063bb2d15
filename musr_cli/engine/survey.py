"""What a network says of a recording before anything is made: how much of its band encoders left empty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musr_cli.audio.resampling import resample
from musr_cli.dsp.band_edge import BandEdge
from musr_cli.dsp.blend import Blender
from musr_cli.engine.decisions import MENDED, choose_network, choose_rates, find_edge, whole_band
from musr_cli.engine.highband import CHANNELS_AT_ONCE, HighBand
from musr_cli.errors import UnavailableError
from musr_cli.settings import DEFAULT_MODEL
from musr_models import registry
from musr_models.contract import Band
from musr_models.holes import GATE, LOWEST_HZ

EXCERPTS = 4
EXCERPT_S = 1.25

HOLES = 0.003
"""Share of sharp holes from which on an encoder was there (`benchmarks/holes.py` measures how often that is right)."""

EMPTY = 0.01
"""A cell whose power is below this part of the estimate's is empty (20 dB)."""

SHARP = 0.01
"""An empty cell is sharp if its power is below this part of a neighbour's, too (20 dB): encoders give up whole bands
and keep the one beside them, while pauses of music have no edges in frequency."""

CELL_BINS = 4
"""Bins that are one cell together; 86 Hz."""

BITRATE = (5.333, 1.083, -0.058)
"""log2 of kbit/s as a weighted sum of `bitrate_features`, fitted to MP3 by `benchmarks/holes.py`."""

MP3_KBPS = (24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192)
"""Bitrates that are told apart, for two channels; above, hardly a cell is empty."""

_NEIGHBOURS = 2  # cells on each side, in frequency
LOST = 0.5
"""Share of cells that lack most of what is expected, above the end of a band."""

LOST_SPAN_HZ = 2000.0
"""Over so much must be lost; what is missing in a narrower place is a gap of the music."""

LOWEST_LOST_HZ = 1500.0

_TOP = 0.9  # of the edge: the slope of a filter is no hole
_HIGHEST_HZ = 16000.0  # above, releases of all kinds end in walls that nobody would call holes
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
        empty: share of cells below the edge that hold next to nothing where something is expected, 0 to 1; pauses
            that a network did not expect are among them.
        sharp: share of those that end abruptly at a full cell above or below, 0 to 1.
    """

    empty: float
    sharp: float

    @property
    def has_holes(self) -> bool:
        """Whether so many cells are empty beside full ones that an encoder must have been there."""
        return self.sharp >= HOLES


def bitrate_features(edge_hz: float, sharp: float) -> NDArray[np.float64]:
    """What of a band edge in Hz and a share of sharp holes tells the bitrate of an MP3 file [3]."""
    return np.array([1.0, math.log2(max(edge_hz, LOWEST_HZ) / 8000), math.log2(sharp + HOLES)])


def nearest_kbps(log_kbps: float) -> int:
    """The one of `MP3_KBPS` that is nearest, in ratio, to 2 to the power of `log_kbps`."""
    return min(MP3_KBPS, key=lambda kbps: abs(math.log2(kbps) - log_kbps))


def like_mp3_kbps(edge_hz: float, sharp: float) -> int:
    """The bitrate, for two channels, at which MP3 leaves such an edge in Hz and such a share of sharp holes."""
    return nearest_kbps(float(bitrate_features(edge_hz, sharp) @ np.array(BITRATE)))


def find_mender(sample_rate: int, measured: BandEdge, model: str | Path = DEFAULT_MODEL) -> tuple[HighBand, Band]:
    """What knows the holes of a recording, and the band that it is told.

    Args:
        sample_rate: of the recording, in Hz.
        measured: its band edge.
        model: a family, checkpoint or path whose networks mend.

    Raises:
        UnavailableError: the model has no network for this.
    """
    if not registry.can_mend(model):
        raise UnavailableError(f"'{model}' knows nothing of holes; use {DEFAULT_MODEL}")
    rates = choose_rates(sample_rate, None, None, model)
    edge = find_edge(measured, "auto", rates) or whole_band(rates)
    choice = choose_network(model, edge, rates, is_explicit=True)
    if choice is None:
        raise UnavailableError(f"'{model}' has no network for {sample_rate} Hz; use {DEFAULT_MODEL}")
    blender = Blender(rates.work, MENDED.slope_hz, MENDED.cutoff_hz)
    return HighBand(choice.network, choice.band, blender, mends=True), choice.band


def survey(restorer: HighBand, band: Band, pieces: Sequence[Block], sample_rate: int) -> Survey:
    """Look for holes below the edge.

    Args:
        restorer: one that mends.
        band: rate at which it works, and the edge.
        pieces: of the recording, [C, n] each.
        sample_rate: of the pieces, in Hz.
    """
    return count_holes(expectations(restorer, band, pieces, sample_rate), band.cutoff_hz, restorer.frequencies)


def expectations(
    restorer: HighBand, band: Band, pieces: Sequence[Block], sample_rate: int
) -> list[tuple[Tensor, Tensor]]:
    """Powers of each piece that is not silent, and those that a network expects there; [F, N] both. See `survey`."""
    at_work_rate = (
        resample(piece[:CHANNELS_AT_ONCE].astype(np.float32), sample_rate, band.sample_rate) for piece in pieces
    )
    return [restorer.expect(x) for x in at_work_rate if x.any()]


def count_holes(seen: Sequence[tuple[Tensor, Tensor]], edge_hz: float, hz: NDArray[np.float64]) -> Survey:
    """Shares of cells below an edge in Hz that are empty; see `expectations`, and `HighBand.frequencies`."""
    found = [_empty_cells(own, expected, edge_hz, hz) for own, expected in seen]
    cells = max(sum(empty.numel() for empty, _ in found), 1)
    return Survey(*(sum(int(pair[which].sum()) for pair in found) / cells for which in (0, 1)))


def lost_edge(seen: Sequence[tuple[Tensor, Tensor]], hz: NDArray[np.float64]) -> float | None:
    """Where the band ends, in Hz, as far as a network sees that is not told: above, most cells lack what it expects.

    None where no such place is seen. Hiss that is louder than what is missing hides it, and rightly: nobody would hear
    the difference.
    """
    if not seen:
        return None
    own, expected = (torch.cat([pair[which] for pair in seen], dim=1) for which in (0, 1))
    cells, wanted = (F.avg_pool2d(powers[None], (2 * CELL_BINS, 1))[0] for powers in (own, expected))
    lacking = (GATE * cells < wanted).float().mean(dim=1)
    places = hz[:: 2 * CELL_BINS][: len(lacking)]
    span = int(np.searchsorted(places, LOST_SPAN_HZ))
    for index in range(int(np.searchsorted(places, LOWEST_LOST_HZ)), len(lacking) - span):
        if lacking[index] >= LOST and lacking[index : index + span].mean() >= LOST:
            return float(places[index])
    return None


def _empty_cells(own: Tensor, expected: Tensor, edge_hz: float, hz: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """Which cells below the edge hold next to nothing, and which of those are sharp; [cells, frames] both.

    Frames that are quiet as a whole do not count.

    Args:
        own: powers of the recording [F, N].
        expected: what the network expects there.
        edge_hz: where the band ends.
        hz: where the bins lie [F].
    """
    lowest, highest = np.searchsorted(hz, [LOWEST_HZ, min(_TOP * edge_hz, _HIGHEST_HZ)])
    frames = own.sum(dim=0)
    counts = frames > _QUIET * frames.max()
    bins = slice(int(lowest), max(int(highest), int(lowest) + CELL_BINS))
    cells, expected = (F.avg_pool2d(powers[None, bins, counts], (CELL_BINS, 1))[0] for powers in (own, expected))
    width = 2 * _NEIGHBOURS + 1
    beside = F.max_pool2d(cells[None], (width, 1), stride=1, padding=(_NEIGHBOURS, 0))[0]
    is_empty = cells < EMPTY * expected
    return is_empty, is_empty & (cells < SHARP * beside)
