"""Spectrograms, and phases beside them, of any length on a bounded number of columns, fed block by block."""

from __future__ import annotations

from abc import ABC, abstractmethod
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


class Columns(ABC):
    """Cuts a stream into frames and adds up, in a bounded number of columns, what is measured in them.

    Attributes:
        n_fft: window length in samples, about 46 ms.
        hop: distance of frames in samples; more than a window where the file is long.
        columns: number of columns.
        frames_per_column: how many frames share one.
    """

    layers = 1
    """How many numbers are measured in each frame and bin."""

    def __init__(self, sample_rate: int, samples: int, lead: int = 0) -> None:
        """For `samples` samples at `sample_rate` Hz; up to `half_window` others (`lead`) are pushed before."""
        self.sample_rate = sample_rate
        self.n_fft = 2 * half_window(sample_rate)
        self.hop = max(self.n_fft // 4, -(-samples // (MAX_COLUMNS * FRAMES_PER_COLUMN)))
        self._frames = samples // self.hop + 1
        self.frames_per_column = -(-self._frames // MAX_COLUMNS)
        self.columns = -(-self._frames // self.frames_per_column)
        self._sums = np.zeros((self.columns, self.layers, self.n_fft // 2 + 1))
        self._counts = np.zeros(self.columns)
        self._next_frame = 0
        # frames are centred on multiples of the hop: half a window comes first, silence where there is nothing else
        self._pending: NDArray[Any] = np.zeros((1, self.n_fft // 2 - lead), np.float32)
        self._to_skip = 0
        self._window = np.hanning(self.n_fft + 1)[:-1] / (self.n_fft / 4)

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

    def _take(self, frames: NDArray[Any]) -> None:
        """Add frames [C, count, n_fft] and forget the samples that no later frame needs."""
        count = min(frames.shape[1], self._frames - self._next_frame)
        columns = np.arange(self._next_frame, self._next_frame + count) // self.frames_per_column
        np.add.at(self._sums, columns, self._measure(frames[:, :count]))
        np.add.at(self._counts, columns, 1)
        self._next_frame += count
        used = frames.shape[1] * self.hop
        self._to_skip = max(used - self._pending.shape[-1], 0)
        self._pending = self._pending[:, used:]

    def _means(self, layer: int) -> NDArray[np.float64]:
        """Mean over the frames of each column [bins, columns]."""
        return np.asarray(self._sums[:, layer] / np.maximum(self._counts, 1)[:, None]).T

    @abstractmethod
    def _measure(self, frames: NDArray[Any]) -> NDArray[np.float64]:
        """[count, layers, bins] of frames [C, count, n_fft]; the first layer is the power."""


class Spectrogram(Columns):
    """Mean power per column and bin over all channels; a sine of full scale has 0 dB."""

    @property
    def columns_db(self) -> NDArray[np.float64]:
        """The picture [bins, columns] in dB."""
        return np.asarray(10 * np.log10(np.maximum(self._means(0), 10 ** (FLOOR_DB / 10))))

    def _measure(self, frames: NDArray[Any]) -> NDArray[np.float64]:
        return _power(np.fft.rfft(frames * self._window))[:, None]


class PhaseDerivatives(Spectrogram):
    """A spectrogram with the two derivatives of its phase, in every bin against what the bin itself stands for.

    With X of the window w, X_tw of the window times time and X_dw of its derivative, these are Re(X_tw / X), the time
    of the energy after the middle of the frame (−dφ/dω), and −Im(X_dw / X) / 2π, its frequency above the middle of the
    bin (Auger & Flandrin 1995: what reassignment moves energy by). Nothing is wrapped or differenced. Means over
    channels, and over the frames of a column, are weighted by power: where frames share a column, they mostly cancel.
    """

    layers = 3

    def __init__(self, sample_rate: int, samples: int, lead: int = 0) -> None:
        """See `Columns`."""
        super().__init__(sample_rate, samples, lead)
        time_s = (np.arange(self.n_fft) - self.n_fft / 2) / sample_rate
        angle = 2 * np.pi * np.arange(self.n_fft) / self.n_fft
        self._times_time = self._window * time_s
        self._derivative = np.sin(angle) * 2 / self.n_fft * (2 * np.pi * sample_rate / self.n_fft)

    @property
    def delay_ms(self) -> NDArray[np.float64]:
        """Group delay against the middle of the frame [bins, columns] in ms; 0 where there is no signal."""
        return 1000 * self._weighted(1)

    @property
    def deviation_hz(self) -> NDArray[np.float64]:
        """Instantaneous frequency against the middle of the bin [bins, columns] in Hz; 0 where there is no signal."""
        return self._weighted(2)

    def _weighted(self, layer: int) -> NDArray[np.float64]:
        power = self._means(0)
        return np.divide(self._means(layer), power, out=np.zeros_like(power), where=power > 0)

    def _measure(self, frames: NDArray[Any]) -> NDArray[np.float64]:
        x = np.fft.rfft(frames * self._window)
        delay_s = (np.fft.rfft(frames * self._times_time) * x.conj()).real.mean(axis=0)
        turn_hz = -(np.fft.rfft(frames * self._derivative) * x.conj()).imag.mean(axis=0) / (2 * np.pi)
        return np.stack([_power(x), delay_s, turn_hz], axis=1)


def _power(x: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Mean over the channels of [C, count, bins]."""
    return np.asarray((np.square(x.real) + np.square(x.imag)).mean(axis=0))
