"""The long-term spectrum of a stream: one pass, constant memory; what the band edge, `inspect` and `plot` look at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESOLUTION_HZ = 11.0
"""Distance of bins that the transform length aims at, whatever the rate: 4096 samples at 44.1 and 48 kHz."""

_SMALLEST_FFT = 256
_FRAMES_AT_ONCE = 256


def transform_length(sample_rate: float, resolution_hz: float = RESOLUTION_HZ) -> int:
    """The power of two whose bins are closest (in ratio) to `resolution_hz` apart."""
    return max(_SMALLEST_FFT, 1 << round(math.log2(sample_rate / resolution_hz)))


class LongTermSpectrum:
    """Welch's method (Hann windows, half overlapped, channels averaged) over blocks of any size.

    Beside the mean power it keeps generalised means over time, (mean of P^e)^(1/e): exponents below 1 listen to the
    typical frame, where the mean power listens to the loudest ones.

    Args:
        sample_rate: in Hz.
        exponents: which means to keep; 1.0 is the ordinary power spectrum.
        resolution_hz: distance of bins to aim at.

    Attributes:
        frequencies_hz: centre of each bin [F].
        frames: number of whole frames seen so far.
    """

    def __init__(
        self, sample_rate: float, exponents: Sequence[float] = (1.0,), resolution_hz: float = RESOLUTION_HZ
    ) -> None:
        self.n_fft = transform_length(sample_rate, resolution_hz)
        self.hop = self.n_fft // 2
        self.frequencies_hz = np.fft.rfftfreq(self.n_fft, 1 / sample_rate)
        self.exponents = tuple(exponents)
        self.frames = 0
        window = np.hanning(self.n_fft + 1)[:-1]
        self._window = (window / np.sqrt(sample_rate / 2 * np.sum(window**2))).astype(np.float32)
        self._sums = np.zeros((len(self.exponents), len(self.frequencies_hz)))
        self._part = (0, np.zeros_like(self._sums))
        self._rest: NDArray[np.float32] | None = None

    def push(self, block: NDArray[np.floating]) -> None:
        """Take the next block [C, n]; n may be anything, C must stay."""
        x = np.asarray(block, dtype=np.float32)
        if self._rest is not None:
            x = np.concatenate([self._rest, x], axis=-1)
        frames = max(0, (x.shape[-1] - self.n_fft) // self.hop + 1)
        for first in range(0, frames, _FRAMES_AT_ONCE):
            count = min(_FRAMES_AT_ONCE, frames - first)
            start = first * self.hop
            sums, added = self._powers(x[:, start : start + (count - 1) * self.hop + self.n_fft])
            self._sums += sums
            self.frames += added
        self._rest = x[:, frames * self.hop :].copy()

    def begin_part(self) -> None:
        """Let `part_mean` begin here."""
        self._part = (self.frames, self._sums.copy())

    @property
    def part_frames(self) -> int:
        """Number of whole frames since `begin_part`."""
        return self.frames - self._part[0]

    def part_mean(self, exponent: float = 1.0) -> NDArray[np.float64]:
        """As `mean`, of what came after `begin_part`."""
        sums = self._sums - self._part[1]
        return np.asarray((sums[self.exponents.index(exponent)] / max(self.part_frames, 1)) ** (1 / exponent))

    def mean(self, exponent: float = 1.0) -> NDArray[np.float64]:
        """Power density [F] in full scale² per Hz, averaged over channels and, as `exponent` says, over frames.

        A signal shorter than one frame is padded with zeros; an empty one has no power anywhere.
        """
        sums = self._sums
        if self.frames == 0 and self._rest is not None and self._rest.shape[-1]:
            missing = self.n_fft - self._rest.shape[-1]
            # in the middle of the frame: its ends have no weight
            sums = self._powers(np.pad(self._rest, ((0, 0), (missing // 2, missing - missing // 2))))[0]
        return np.asarray((sums[self.exponents.index(exponent)] / max(self.frames, 1)) ** (1 / exponent))

    def _powers(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
        """Sums over the frames of [C, n] for each exponent [exponents, F], and the number of frames."""
        from scipy import fft

        frames = np.lib.stride_tricks.sliding_window_view(x, self.n_fft, axis=-1)[:, :: self.hop]
        spectrum = fft.rfft(frames * self._window, axis=-1)
        power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0, dtype=np.float64)
        return np.stack([np.sum(power**exponent, axis=0) for exponent in self.exponents]), power.shape[0]
