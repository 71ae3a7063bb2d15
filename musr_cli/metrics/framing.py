"""Short-time spectra of a reference and an estimate, a few frames at a time: the ground of all spectral metrics.

Only `BLOCK_FRAMES` frames of one channel exist at once, so the working memory does not grow with the signals.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Signal = NDArray[Any]
"""Samples [channels, samples] (or [samples]), float32 or float64."""

POWER_FLOOR = 1e-8
"""Floor under |X|² before a logarithm: the round-off of a 16-bit recording in an unscaled window of 2048 samples."""

BLOCK_FRAMES = 32
"""Frames at once: few enough to stay in the processor's cache, which is faster than larger blocks."""

WindowName = Literal["hann", "hamming", "blackman-harris"]

_COSINES: dict[WindowName, tuple[float, ...]] = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman-harris": (0.35875, 0.48829, 0.14128, 0.01168),
}


@lru_cache(maxsize=16)
def _window(name: WindowName, length: int) -> NDArray[np.float64]:
    """Periodic cosine-sum window [length]."""
    turn = 2 * np.pi * np.arange(length) / length
    return np.asarray(sum((-1) ** i * a * np.cos(i * turn) for i, a in enumerate(_COSINES[name])))


@dataclass(frozen=True)
class Transform:
    """STFT of a metric, without scaling.

    Attributes:
        n_fft: window and transform length in samples.
        hop: distance of frames in samples.
        window: periodic.
        centred: frame n is centred on sample n · hop and sees zeros beyond the ends, as the networks' transform does;
            else it starts there, and all frames lie inside the signal (but for the only frame of a shorter one).
    """

    n_fft: int
    hop: int
    window: WindowName
    centred: bool = True

    @property
    def bins(self) -> int:
        """Number of frequency bins, n_fft // 2 + 1."""
        return self.n_fft // 2 + 1

    def first_bin_above(self, frequency_hz: float, sample_rate: int) -> int:
        """Index of the first bin that lies above `frequency_hz` (may be inf); `bins` where none does."""
        position = min(frequency_hz * self.n_fft / sample_rate, float(self.bins))
        return min(math.floor(position + 1e-6) + 1, self.bins)

    def band(self, low_hz: float | None, high_hz: float, sample_rate: int) -> slice:
        """Bins above `low_hz` (None: from 0 Hz on) and up to `high_hz`."""
        first = 0 if low_hz is None else self.first_bin_above(low_hz, sample_rate)
        return slice(first, self.first_bin_above(high_hz, sample_rate))

    def frames(self, samples: int) -> int:
        """Number of frames for `samples` samples."""
        return (samples if self.centred else max(samples - self.n_fft, 0)) // self.hop + 1

    def analyse(self, x: Signal, first: int, count: int) -> NDArray[np.complex128]:
        """Spectra [count, bins] of frames `first` … `first + count` of one channel [samples]."""
        start = first * self.hop - (self.n_fft // 2 if self.centred else 0)
        stop = start + (count - 1) * self.hop + self.n_fft
        part = x[max(start, 0) : max(stop, 0)]
        if len(part) < stop - start:
            part = np.pad(part, (max(-start, 0), stop - max(start, 0) - len(part)))
        framed = sliding_window_view(part, self.n_fft)[:: self.hop]
        return np.fft.rfft(framed * _window(self.window, self.n_fft))


class SpectrumPair:
    """Spectra [frames, bins] of reference and estimate, with what metrics derive from them, computed once."""

    def __init__(self, ref: NDArray[np.complex128], est: NDArray[np.complex128]) -> None:
        self.ref = ref
        self.est = est

    @cached_property
    def ref_power(self) -> NDArray[np.float64]:
        """|X|² of the reference."""
        return _power(self.ref)

    @cached_property
    def est_power(self) -> NDArray[np.float64]:
        """|X|² of the estimate."""
        return _power(self.est)

    @cached_property
    def error_power(self) -> NDArray[np.float64]:
        """|X − X̂|²."""
        return _power(self.ref - self.est)

    @cached_property
    def ref_log(self) -> NDArray[np.float64]:
        """log10 |X|² of the reference, not below `POWER_FLOOR`."""
        return _log(self.ref_power)

    @cached_property
    def est_log(self) -> NDArray[np.float64]:
        """log10 |X|² of the estimate, not below `POWER_FLOOR`."""
        return _log(self.est_power)

    @cached_property
    def squared_log_difference(self) -> NDArray[np.float64]:
        """Squared difference of `ref_log` and `est_log`."""
        return np.square(self.ref_log - self.est_log)


def _power(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.square(spectrum.real) + np.square(spectrum.imag)


def _log(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log10(np.maximum(power, POWER_FLOOR))


class Score(ABC):
    """One spectral metric while it is being measured: fed with blocks of frames, asked once at the end."""

    transform: Transform

    @abstractmethod
    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""

    @abstractmethod
    def result(self) -> float:
        """The metric over all frames so far; nan where it is undefined."""


class FrameMean:
    """Mean over frames that come in blocks; nan without frames."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, values: NDArray[np.float64]) -> None:
        """Count one value per frame [frames]."""
        self._sum += float(values.sum())
        self._count += values.size

    def result(self) -> float:
        """Mean so far."""
        return self._sum / self._count if self._count else math.nan


def spectrum_pairs(ref: Signal, est: Signal, transform: Transform) -> Iterator[SpectrumPair]:
    """Blocks of frames of two signals of one shape, channel after channel."""
    ref, est = np.atleast_2d(ref), np.atleast_2d(est)
    frames = transform.frames(ref.shape[-1])
    for ref_channel, est_channel in zip(ref, est, strict=True):
        for first in range(0, frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, frames - first)
            yield SpectrumPair(
                transform.analyse(ref_channel, first, count), transform.analyse(est_channel, first, count)
            )


def measure(ref: Signal, est: Signal, scores: Sequence[Score]) -> list[float]:
    """Results of `scores`: one pass over the signals for each transform among them, in a thread of its own."""
    groups: defaultdict[Transform, list[Score]] = defaultdict(list)
    for score in scores:
        groups[score.transform].append(score)

    def run(transform: Transform) -> None:
        for pair in spectrum_pairs(ref, est, transform):
            for score in groups[transform]:
                score.push(pair)

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, groups))
    return [score.result() for score in scores]
