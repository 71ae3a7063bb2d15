"""Integrated loudness of a stream (ITU-R BS.1770-4)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_STEPS_PER_S = 10
_STEPS_PER_BLOCK = 4
_OFFSET_DB = -0.691

_SURROUND_WEIGHTS = {6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)}
"""Weights of channels in the order of WAV: a 5.1 signal has an LFE, which does not count, and louder surrounds."""


class LoudnessMeter:
    """Measures the loudness of all that is pushed.

    Args:
        sample_rate: in Hz.
        channels: how many; they all weigh the same, but for 5.1.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._step = max(1, round(sample_rate / _STEPS_PER_S))
        self._weights = np.array(_SURROUND_WEIGHTS.get(channels, (1.0,) * channels))
        self._sections = k_weighting(sample_rate)
        self._state = np.zeros((len(self._sections), channels, 2))
        self._rest = np.zeros((channels, 0))
        self._energies: list[NDArray[np.float64]] = []

    def push(self, block: NDArray[np.floating]) -> None:
        """Take the next block [C, n]."""
        from scipy import signal

        y, self._state = signal.sosfilt(self._sections, block, axis=-1, zi=self._state)
        y = np.concatenate([self._rest, y], axis=-1)
        steps = y.shape[-1] // self._step
        whole = y[:, : steps * self._step].reshape(len(y), steps, self._step)
        self._energies.append(self._weights @ np.mean(whole**2, axis=-1))
        self._rest = y[:, steps * self._step :]

    def lufs(self) -> float:
        """Integrated loudness in LUFS; −inf for silence and for less than 400 ms."""
        energy = np.concatenate([np.zeros(0), *self._energies])
        if len(energy) < _STEPS_PER_BLOCK:
            return -math.inf
        blocks = np.convolve(energy, np.full(_STEPS_PER_BLOCK, 1 / _STEPS_PER_BLOCK), mode="valid")
        loud = blocks[blocks > _energy(_ABSOLUTE_GATE_LUFS)]
        if not len(loud):
            return -math.inf
        return _lufs(np.mean(loud[loud > _energy(_lufs(np.mean(loud)) + _RELATIVE_GATE_LU)]))


def integrated_lufs(x: NDArray[np.floating], sample_rate: int) -> float:
    """Integrated loudness of a whole signal [C, T] in LUFS; see `LoudnessMeter.lufs`."""
    meter = LoudnessMeter(sample_rate, len(x))
    meter.push(x)
    return meter.lufs()


def k_weighting(sample_rate: float) -> NDArray[np.float64]:
    """Second-order sections [2, 6] of the K-weighting at any rate.

    The standard lists coefficients for 48 kHz only; these are the analogue prototypes behind them (as in libebur128),
    mapped by the bilinear transform, and give the standard's numbers at 48 kHz.
    """
    shelf_k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    shelf_q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = _bilinear((high, band / shelf_q, 1.0), shelf_q, shelf_k)
    pass_k = math.tan(math.pi * 38.13547087602444 / sample_rate)
    highpass = _bilinear((1.0, 0.0, 0.0), 0.5003270373238773, pass_k)
    # the standard's high-pass is not normalised: its numerator is 1, −2, 1
    highpass[:3] = 1.0, -2.0, 1.0
    return np.stack([shelf, highpass])


def _bilinear(numerator: tuple[float, float, float], q: float, k: float) -> NDArray[np.float64]:
    """Section (a s² + b s + c) / (s² + s/q + 1), whose unit frequency the bilinear transform maps to tan⁻¹ k."""
    a, b, c = numerator
    scale = 1 + k / q + k * k
    upper = [a + b * k + c * k * k, 2 * (c * k * k - a), a - b * k + c * k * k]
    lower = [scale, 2 * (k * k - 1), 1 - k / q + k * k]
    return np.array(upper + lower) / scale


def _energy(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_DB) / 10))


def _lufs(energy: np.floating | float) -> float:
    return float(_OFFSET_DB + 10 * np.log10(energy))
