"""A spectrogram of any length on a bounded number of columns, fed block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

MAX_COLUMNS = 1200
"""About the pixels that a panel has."""

WINDOW_S = 0.046
FRAMES_PER_COLUMN = 4
"""Of a long file not every frame is looked at: this many per column are enough for the eye."""

FLOOR_DB = -140.0


def half_window(sample_rate: int) -> int:
    """Samples before and after its centre that a frame sees."""
    return max(round(WINDOW_S * sample_rate / 2), 8)


class Spectrogram:
    """Mean power per column and bin over all channels; a sine of full scale has 0 dB.

    Attributes:
        n_fft: window length in samples, about 46 ms.
        hop: distance of frames in samples; more than a window where the file is long.
        columns: number of columns of `columns_db`.
    """

    def __init__(self, sample_rate: int, samples: int, lead: int = 0) -> None:
        """For `samples` samples at `sample_rate` Hz; up to `half_window` others (`lead`) are pushed before."""
        self.n_fft = 2 * half_window(sample_rate)
        self.hop = max(self.n_fft // 4, -(-samples // (MAX_COLUMNS * FRAMES_PER_COLUMN)))
        self._frames = samples // self.hop + 1
        self._frames_per_column = -(-self._frames // MAX_COLUMNS)
        self.columns = -(-self._frames // self._frames_per_column)
        self._sums = np.zeros((self.columns, self.n_fft // 2 + 1))
        self._counts = np.zeros(self.columns)
        self._next_frame = 0
        # frames are centred on multiples of the hop: half a window comes first, silence where there is nothing else
        self._pending: NDArray[Any] = np.zeros((1, self.n_fft // 2 - lead), np.float32)
        self._to_skip = 0
        self._window = np.hanning(self.n_fft + 1)[:-1]

    def push(self, block: NDArray[Any]) -> None:
        """Take the next samples [C, n]; up to `half_window` of them may follow the end."""
        skipped = min(self._to_skip, block.shape[-1])
        self._to_skip -= skipped
        before = np.broadcast_to(self._pending, (len(block), self._pending.shape[-1]))
        self._pending = np.concatenate([before, block[:, skipped:]], axis=1)
        if self._pending.shape[-1] >= self.n_fft:
            self._take(sliding_window_view(self._pending, self.n_fft, axis=1)[:, :: self.hop])

    def finish(self) -> None:
        """Take the frames that reach over the end of what was pushed."""
        self.push(np.zeros((len(self._pending), self.n_fft // 2), np.float32))

    @property
    def columns_db(self) -> NDArray[np.float64]:
        """The picture [bins, columns] in dB."""
        power = self._sums / np.maximum(self._counts, 1)[:, None]
        return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))).T

    def _take(self, frames: NDArray[Any]) -> None:
        """Add frames [C, count, n_fft] and forget the samples that no later frame needs."""
        count = min(frames.shape[1], self._frames - self._next_frame)
        spectra = np.fft.rfft(frames[:, :count] * self._window) / (self._window.sum() / 2)
        power = (np.square(spectra.real) + np.square(spectra.imag)).mean(axis=0)
        columns = np.arange(self._next_frame, self._next_frame + count) // self._frames_per_column
        np.add.at(self._sums, columns, power)
        np.add.at(self._counts, columns, 1)
        self._next_frame += count
        used = frames.shape[1] * self.hop
        self._to_skip = max(used - self._pending.shape[-1], 0)
        self._pending = self._pending[:, used:]
