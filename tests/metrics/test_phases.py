from __future__ import annotations

import math

import numpy as np
import pytest

from musr_cli.metrics.phases import complex_distance, frequency_hz, group_delay_ms
from tests.metrics.signals import CUTOFF_HZ, RATE, brickwall, noise


def figures(ref: np.ndarray, est: np.ndarray) -> tuple[float, float, float]:
    return tuple(metric(ref, est, RATE, CUTOFF_HZ) for metric in (complex_distance, group_delay_ms, frequency_hz))


def clicks(seconds: float = 4.0) -> np.ndarray:
    """One click in each window of 64 ms."""
    x = np.zeros((1, round(RATE * seconds)))
    x[:, 512::1024] = 1
    return x


@pytest.mark.parametrize("samples", [16, -3, 160])
def test_a_delay_is_measured_in_milliseconds(samples):
    x = clicks()
    _, delay_ms, hz = figures(x, np.roll(x, samples, axis=-1))
    assert delay_ms == pytest.approx(abs(samples) / RATE * 1000, rel=1e-5)
    assert hz == pytest.approx(0, abs=1e-5)


def test_a_delay_of_the_high_band_is_heard_in_music_too_and_one_of_the_low_band_is_not():
    x = noise(4.0)
    low, high = brickwall(x, 0, CUTOFF_HZ), brickwall(x, CUTOFF_HZ, RATE)
    assert group_delay_ms(x, low + np.roll(high, 16, axis=-1), RATE, CUTOFF_HZ) == pytest.approx(1, rel=0.15)
    assert group_delay_ms(x, np.roll(low, 16, axis=-1) + high, RATE, CUTOFF_HZ) < 0.02


def test_a_shift_of_frequency_is_measured_in_hertz():
    time_s = np.arange(4 * RATE) / RATE
    ref, est = (np.sin(2 * np.pi * hz * time_s)[None] for hz in (6000, 6005))
    assert frequency_hz(ref, est, RATE, CUTOFF_HZ) == pytest.approx(5, rel=0.02)
    assert frequency_hz(ref, ref, RATE, CUTOFF_HZ) == pytest.approx(0, abs=1e-6)


def test_a_constant_phase_moves_nothing_but_is_no_match():
    distance, delay_ms, hz = figures(noise(), -noise())
    assert distance == pytest.approx(2)
    assert (delay_ms, hz) == pytest.approx((0, 0), abs=1e-6)


def test_a_gain_changes_only_magnitudes():
    distance, delay_ms, hz = figures(noise(), 2 * noise())
    assert distance == pytest.approx(2**0.3 - 1)
    assert (delay_ms, hz) == pytest.approx((0, 0), abs=1e-6)


def test_unrelated_noises_have_the_figures_that_the_conventions_name():
    distance, delay_ms, hz = figures(noise(8.0), noise(8.0, seed=1))
    assert distance == pytest.approx(math.sqrt(2), abs=0.02)
    assert (delay_ms, hz) == pytest.approx((11, 11), abs=0.3)


def test_silence_has_no_phase():
    x = noise()
    silence = np.zeros_like(x)
    assert np.isnan(figures(silence, x)).all()
    distance, delay_ms, hz = figures(x, silence)
    assert distance == 1
    assert math.isnan(delay_ms)
    assert math.isnan(hz)


def test_frames_of_one_channel_are_not_compared_with_those_of_the_next():
    """Where channels were joined, a constant phase in one of them would count as a jump."""
    x = noise(0.5)
    est = x * np.array([[1.0], [-1.0]])
    assert frequency_hz(x, est, RATE, CUTOFF_HZ) == pytest.approx(0, abs=1e-6)
