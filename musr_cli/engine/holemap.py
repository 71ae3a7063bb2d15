"""Where the holes of a recording lie: how far each cell is below what a network expects, over time and frequency."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from musr_cli.dsp.band_edge import BandEdge
from musr_cli.engine.highband import CHANNELS_AT_ONCE, HighBand
from musr_cli.engine.planner import Plan, plan
from musr_cli.engine.stream import Block, overlap_add, resampled
from musr_cli.engine.survey import CELL_BINS, find_mender
from musr_cli.settings import DEFAULT_MODEL
from musr_models.holes import GATE, LOWEST_HZ

MAX_COLUMNS = 1200
"""About the pixels that a picture has; of longer recordings several frames share a column."""

DEEPEST_DB = 60.0
"""What lacks more lacks everything."""

CHUNK_S = 8.0


def map_holes(
    blocks: Iterable[Block], sample_rate: int, samples: int, measured: BandEdge, model: str | Path = DEFAULT_MODEL
) -> NDArray[np.float64]:
    """How far below the expected level the cells of a recording are, in dB; 0 where nothing would be filled.

    Args:
        blocks: the recording, [C, n] each.
        sample_rate: in Hz.
        samples: how many there are.
        measured: its band edge.
        model: one that mends.

    Returns:
        [bins, columns], bins at equal distances from 0 Hz to the Nyquist frequency; means of frames, up to `DEEPEST_DB`
        each, where several share a column.
    """
    restorer, band = find_mender(sample_rate, measured, model)
    rate = band.sample_rate
    cut = plan(round(CHUNK_S * rate), restorer.context, restorer.align, rate)
    canvas = _Canvas(restorer, cut, -(-samples * rate // sample_rate))
    deque(overlap_add(resampled(blocks, sample_rate, rate), cut, canvas), maxlen=0)
    return canvas.picture(sample_rate / 2)


class _Canvas:
    """Takes the place of what processes chunks, and keeps what the network expects of them."""

    def __init__(self, restorer: HighBand, cut: Plan, samples: int) -> None:
        hz = restorer.frequencies
        self._restorer, self._cut, self._bin_hz = restorer, cut, float(hz[1])
        self._cells = len(hz) // CELL_BINS
        self._hop = restorer.align
        self._frames = samples // self._hop + 1
        columns = min(self._frames, MAX_COLUMNS)
        self._column_of = np.arange(self._frames) * columns // self._frames
        self._sums, self._counts = np.zeros((columns, self._cells)), np.zeros((columns, 1))

    def __call__(self, x: Block, start: int) -> Block:
        """Look at a chunk [C, n] whose first sample has this number; each frame is looked at where all context is."""
        own, expected = (
            F.avg_pool2d(powers[None], (CELL_BINS, 1))[0].T.double().cpu().numpy()
            for powers in self._restorer.expect(x[:CHANNELS_AT_ONCE].astype(np.float32))
        )
        skipped = (self._cut.context if start else 0) // self._hop
        first = start // self._hop + skipped
        count = min(self._cut.step // self._hop, len(own) - skipped, self._frames - first)
        frames, columns = slice(skipped, skipped + count), self._column_of[first : first + count]
        is_empty = expected[frames] > GATE * own[frames]
        lack = expected[frames] / np.maximum(own[frames], 10 ** (-DEEPEST_DB / 10) * expected[frames] + 1e-30)
        depth_db = np.where(is_empty, 10 * np.log10(np.maximum(lack, 1.0)), 0.0)
        np.add.at(self._sums, columns, depth_db)
        np.add.at(self._counts, columns, 1)
        return np.zeros(x.shape, np.float32)

    def picture(self, nyquist_hz: float) -> NDArray[np.float64]:
        """What was found, [bins, columns] up to `nyquist_hz`; nothing is filled above where the network works."""
        hz = np.linspace(0, nyquist_hz, max(round(nyquist_hz / self._bin_hz), 1) + 1)
        cells = (hz / self._bin_hz // CELL_BINS).astype(int)
        # the bin at the Nyquist frequency is in no cell of its own
        is_known = (cells <= self._cells) & (hz >= LOWEST_HZ)
        means = (self._sums / np.maximum(self._counts, 1)).T
        return np.where(is_known[:, None], means[np.minimum(cells, self._cells - 1)], 0.0)
