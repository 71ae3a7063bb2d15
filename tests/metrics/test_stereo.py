from __future__ import annotations

import math

import numpy as np
import pytest

from musr_cli.metrics import evaluate
from musr_cli.metrics.stereo import centre_drift, width_db
from tests.metrics.signals import CUTOFF_HZ, RATE, brickwall, noise

LOW = brickwall(noise(2.0, seed=9), 0, CUTOFF_HZ)
HIGH = brickwall(noise(2.0, seed=8, channels=1), CUTOFF_HZ, RATE)[0]


def panned(left: float, right: float) -> np.ndarray:
    """A new band of one source above a given band of two."""
    return LOW + np.stack([left * HIGH, right * HIGH])


def widened(x: np.ndarray, gain: float) -> np.ndarray:
    middle, side = (x[0] + x[1]) / 2, gain * (x[0] - x[1]) / 2
    return np.stack([middle + side, middle - side])


def test_width_is_that_of_side_over_middle():
    x = noise(2.0)
    for gain in (0.5, 1.0, 3.0):
        assert width_db(x, widened(x, gain), RATE) == pytest.approx(20 * math.log10(gain), abs=1e-5)
        low, high = brickwall(x, 0, CUTOFF_HZ), brickwall(x, CUTOFF_HZ, RATE)
        est = low + widened(high, gain)
        assert width_db(x, est, RATE, CUTOFF_HZ) == pytest.approx(20 * math.log10(gain), abs=0.01)


def test_a_new_band_in_mono_is_narrow_and_one_in_opposite_phase_wide_within_limits():
    x = noise(2.0)
    mono, opposite = widened(x, 0.0), np.stack([x[0], -x[0]])
    own = width_db(mono, x, RATE)
    assert own == pytest.approx(40, abs=0.5)  # independent channels: as much side as middle
    assert width_db(x, mono, RATE) == pytest.approx(-own)
    assert width_db(mono, opposite, RATE) == pytest.approx(80)
    assert width_db(mono, mono + 1e-9 * noise(2.0, seed=1), RATE) == 0  # round-off is not width


def test_balance_runs_from_left_to_right():
    centred, left, right = panned(1, 1), panned(1, 0), panned(0, 1)
    assert centre_drift(centred, left, RATE, CUTOFF_HZ) == pytest.approx(1, abs=1e-3)
    assert centre_drift(centred, right, RATE, CUTOFF_HZ) == pytest.approx(1, abs=1e-3)
    assert centre_drift(left, right, RATE, CUTOFF_HZ) == pytest.approx(2, abs=1e-3)
    assert centre_drift(centred, panned(2, 1), RATE, CUTOFF_HZ) == pytest.approx(3 / 5, abs=1e-3)


def test_drift_to_both_sides_does_not_cancel():
    centred = panned(1, 1)
    half = centred.shape[1] // 2
    est = np.concatenate([panned(1, 0)[:, :half], panned(0, 1)[:, half:]], axis=1)
    assert centre_drift(centred, est, RATE, CUTOFF_HZ) == pytest.approx(1, abs=0.03)


def test_loud_frames_count_more():
    fade = np.repeat([1.0, 0.1], len(HIGH) // 2)
    ref = fade * panned(1, 1)
    half = ref.shape[1] // 2
    est = np.concatenate([ref[:, :half], 0.1 * panned(1, 0)[:, half:]], axis=1)
    assert centre_drift(ref, est, RATE, CUTOFF_HZ) == pytest.approx(0.01 / 1.01, rel=0.2)


def test_identical_channels_stay_identical():
    x, y = (np.repeat(noise(channels=1, seed=seed), 2, axis=0) for seed in (0, 1))
    assert width_db(x, y, RATE, CUTOFF_HZ) == 0
    assert centre_drift(x, y, RATE, CUTOFF_HZ) == 0


def test_what_lies_below_the_cutoff_does_not_count():
    ref, est = panned(1, 0.5), panned(1, 0.5)
    est += np.array([[1.0], [-0.5]]) * LOW
    assert width_db(ref, est, RATE, CUTOFF_HZ) == pytest.approx(0, abs=0.01)
    assert centre_drift(ref, est, RATE, CUTOFF_HZ) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_other_numbers_of_channels_have_no_figure(channels):
    x = noise(channels=channels)
    assert not {"width_db", "centre_drift"} & set(evaluate(x, x, RATE, CUTOFF_HZ))


def test_silence_has_no_place():
    x, silence = noise(), np.zeros((2, RATE))
    for ref, est in ((silence, x), (x, silence), (silence, silence)):
        assert math.isnan(width_db(ref, est, RATE, CUTOFF_HZ))
        assert math.isnan(centre_drift(ref, est, RATE, CUTOFF_HZ))


def test_a_cutoff_at_the_end_of_the_band_leaves_nothing():
    assert math.isnan(width_db(noise(), noise(), RATE, RATE / 2 - 1))
