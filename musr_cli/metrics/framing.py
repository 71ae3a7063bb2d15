"""Short-time spectra of a reference and an estimate, a few frames at a time: the ground of all spectral metrics.

Only `BLOCK_FRAMES` frames exist at once, so the working memory does not grow with the signals.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Signal = NDArray[Any]
"""Samples [channels, samples] (or [samples]), float32 or float64."""

POWER_FLOOR = 1e-8
"""Floor under |X|² before a logarithm: the round-off of a 16-bit recording in an unscaled window of 2048 samples."""

BLOCK_FRAMES = 64
"""Frames of all channels at once: few enough to stay in the processor's cache, which is faster than larger blocks."""

Spectrum = NDArray[np.complex128]
"""Short-time spectrum [channels, frames, bins]."""

Phasors = NDArray[np.complex64]
"""The same in single precision."""

Levels = NDArray[np.float32]
"""Real figures of the same shape, or of some of these axes."""

WindowName = Literal["hann", "hamming", "blackman-harris"]

_COSINES: dict[WindowName, tuple[float, ...]] = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman-harris": (0.35875, 0.48829, 0.14128, 0.01168),
}


T = TypeVar("T")


@lru_cache(maxsize=16)
def _window(name: WindowName, length: int, n_fft: int) -> NDArray[np.float64]:
    """Periodic cosine-sum window of `length` samples in the middle of [n_fft]."""
    turn = 2 * np.pi * np.arange(length) / length
    window = np.asarray(sum((-1) ** i * a * np.cos(i * turn) for i, a in enumerate(_COSINES[name])))
    before = (n_fft - length) // 2
    return np.pad(window, (before, n_fft - length - before))


@dataclass(frozen=True)
class Transform:
    """STFT of a metric, without scaling.

    Attributes:
        n_fft: transform length in samples.
        hop: distance of frames in samples.
        window: periodic.
        centred: frame n is centred on sample n · hop and sees zeros beyond the ends, as the networks' transform does;
            else it starts there, and all frames lie inside the signal (but for the only frame of a shorter one).
        window_length: in samples, in the middle of the transform, zeros around it; None for all of it.
    """

    n_fft: int
    hop: int
    window: WindowName
    centred: bool = True
    window_length: int | None = None

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

    def analyse(self, x: Signal, first: int, count: int) -> Spectrum:
        """Spectra [C, count, bins] of frames `first` … `first + count` of a signal [C, T]."""
        start = first * self.hop - (self.n_fft // 2 if self.centred else 0)
        stop = start + (count - 1) * self.hop + self.n_fft
        part = x[:, max(start, 0) : max(stop, 0)].astype(np.float64)
        if part.shape[-1] < stop - start:
            part = np.pad(part, ((0, 0), (max(-start, 0), stop - max(start, 0) - part.shape[-1])))
        channel_stride, stride = part.strides
        # `sliding_window_view` takes as long for its checks as the spectrum of a frame does
        framed = as_strided(part, (len(x), count, self.n_fft), (channel_stride, self.hop * stride, stride))
        return np.fft.rfft(framed * _window(self.window, self.window_length or self.n_fft, self.n_fft))


class _Lazy(Generic[T]):
    """An attribute computed when it is first asked for.

    `functools.cached_property` would do, but before Python 3.12 it lets only one thread compute, of all instances.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> T:
        value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value


class SpectrumPair:
    """Spectra [C, frames, bins] of reference and estimate, with what metrics derive from them, computed once.

    What is derived has single precision, and is good to seven digits in half the time. The spectra themselves have
    double: an error 150 dB below the signal must not drown.
    """

    def __init__(self, ref: Spectrum, est: Spectrum) -> None:
        self.ref = ref
        self.est = est

    @_Lazy
    def ref_single(self) -> Phasors:
        """X, the reference."""
        return self.ref.astype(np.complex64)

    @_Lazy
    def est_single(self) -> Phasors:
        """X̂, the estimate."""
        return self.est.astype(np.complex64)

    @_Lazy
    def ref_power(self) -> Levels:
        """|X|²."""
        return _power(self.ref_single)

    @_Lazy
    def est_power(self) -> Levels:
        """|X̂|²."""
        return _power(self.est_single)

    @_Lazy
    def ref_magnitude(self) -> Levels:
        """|X|."""
        return np.sqrt(self.ref_power)

    @_Lazy
    def est_magnitude(self) -> Levels:
        """|X̂|."""
        return np.sqrt(self.est_power)

    @_Lazy
    def ref_log(self) -> Levels:
        """log10 |X|², not below that of `POWER_FLOOR`."""
        return _log(self.ref_power)

    @_Lazy
    def est_log(self) -> Levels:
        """log10 |X̂|², not below that of `POWER_FLOOR`."""
        return _log(self.est_power)

    @_Lazy
    def squared_log_difference(self) -> Levels:
        """Squared difference of `ref_log` and `est_log`."""
        difference: Levels = self.ref_log - self.est_log
        np.square(difference, out=difference)
        return difference

    @_Lazy
    def turn(self) -> Phasors:
        """X̂ · conj(X): its angle is how far the phase of the estimate is ahead."""
        return self.est_single * self.ref_single.conj()


def energy(spectrum: Spectrum | Phasors) -> float:
    """Σ |X|² over all axes."""
    flat = spectrum.ravel()
    return float(np.vdot(flat, flat).real)


def _power(spectrum: Phasors) -> Levels:
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def _log(power: Levels) -> Levels:
    # `numpy.clip` takes half the time of `numpy.maximum`
    levels: Levels = np.clip(power, np.float32(POWER_FLOOR), np.float32(np.inf))
    np.log10(levels, out=levels)
    return levels


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

    def add(self, values: NDArray[np.floating]) -> None:
        """Count one value per frame [C, frames]."""
        self._sum += float(values.sum(dtype=np.float64))
        self._count += values.size

    def result(self) -> float:
        """Mean so far."""
        return self._sum / self._count if self._count else math.nan


def spectrum_pairs(ref: Signal, est: Signal, transform: Transform) -> Iterator[SpectrumPair]:
    """Consecutive frames of all channels of two signals of one shape."""
    ref, est = np.atleast_2d(ref), np.atleast_2d(est)
    frames, step = transform.frames(ref.shape[-1]), max(BLOCK_FRAMES // len(ref), 1)
    for first in range(0, frames, step):
        count = min(step, frames - first)
        yield SpectrumPair(transform.analyse(ref, first, count), transform.analyse(est, first, count))


def passes(ref: Signal, est: Signal, scores: Sequence[Score]) -> list[Callable[[], None]]:
    """What feeds `scores` with two signals [C, T]: one pass over them for each transform among the scores."""
    groups: defaultdict[Transform, list[Score]] = defaultdict(list)
    for score in scores:
        groups[score.transform].append(score)
    return [partial(_feed, ref, est, transform, group) for transform, group in groups.items()]


def _feed(ref: Signal, est: Signal, transform: Transform, scores: Sequence[Score]) -> None:
    # samples beyond 1e18 are no music: their figures are absent, without a warning
    with np.errstate(over="ignore", invalid="ignore"):
        for pair in spectrum_pairs(ref, est, transform):
            for score in scores:
                score.push(pair)


def in_threads(tasks: Sequence[Callable[[], None]]) -> None:
    """Run all, as many at once as there are processors: more would drive each other out of the caches."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def measure(ref: Signal, est: Signal, scores: Sequence[Score]) -> list[float]:
    """Results of `scores` for two signals [C, T]."""
    in_threads(passes(ref, est, scores))
    return [score.result() for score in scores]
