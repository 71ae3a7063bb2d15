"""Band envelopes: what gains, noise, silence and the end of the reference do to them, and their formula in loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musr_cli.metrics import evaluate
from musr_cli.metrics.band_envelopes import band_figures
from musr_cli.metrics.framing import spectrum_pairs
from musr_cli.metrics.lsd import LSD_A
from tests.metrics.signals import CUTOFF_HZ, RATE, brickwall, noise

NAMES = ("band_rms", "band_bias", "band_correlation")
END_HZ = RATE / 2


def figures(ref: np.ndarray, est: np.ndarray, end_hz: float = END_HZ) -> tuple[float, ...]:
    found = band_figures(ref, est, RATE, CUTOFF_HZ, end_hz)
    assert tuple(found) == NAMES
    return tuple(found.values())


def swelling(seed: int, rate_hz: float = 1.3, seconds: float = 8.0) -> np.ndarray:
    """Noise of each channel, louder and softer by turns."""
    t = np.arange(round(seconds * RATE)) / RATE
    return noise(seconds, seed) * 10 ** np.sin(2 * np.pi * rate_hz * t)


def test_identical_signals_differ_by_nothing():
    assert figures(swelling(0), swelling(0)) == pytest.approx((0, 0, 1), abs=1e-9)


def test_ten_decibels_are_a_bias_of_one():
    x = swelling(0)
    assert figures(x, 10**0.5 * x) == pytest.approx((1, 1, 1), abs=1e-6)
    assert figures(x, 10**-0.5 * x) == pytest.approx((1, -1, 1), abs=1e-6)


def test_another_noise_of_the_same_envelope_correlates_and_of_another_does_not():
    ref = swelling(0)
    rms, bias, correlation = figures(ref, swelling(1))
    assert correlation > 0.95
    assert abs(bias) < 0.01
    assert rms < 0.2
    # the ends, where all frames see silence, are all that unrelated envelopes share
    assert abs(figures(ref, swelling(1, rate_hz=2.1))[2]) < 0.1
    assert abs(figures(noise(30.0), noise(30.0, seed=1))[2]) < 0.1


def test_levels_of_bands_count_and_their_means_over_time_do_not_in_the_correlation():
    x = swelling(0)
    louder = x + 9 * brickwall(x, 6050, RATE / 2)
    _, bias, correlation = figures(x, louder)
    assert bias == pytest.approx(2 * 0.5, abs=0.03)  # 20 dB in half of the bands
    assert correlation > 0.99


def test_nothing_counts_above_the_end_of_the_reference_or_below_the_edge():
    ref = brickwall(swelling(0), 0, 6000)
    est = ref + brickwall(noise(8.0, seed=1), 6000, RATE / 2) + brickwall(noise(8.0, seed=2), 0, 3900)
    # the last band lies a leakage below the end
    assert figures(ref, est, 5900) == pytest.approx((0, 0, 1), abs=1e-3)
    assert figures(ref, est)[0] > 1


def test_the_end_is_found_where_nobody_names_it():
    ref = brickwall(noise(8.0), 0, 6000)
    est = ref + brickwall(noise(8.0, seed=1), 6100, RATE / 2)
    found, named = evaluate(ref, est, RATE, CUTOFF_HZ), evaluate(ref, est, RATE, CUTOFF_HZ, end_hz=RATE / 2)
    for name in ("band_rms", "lsd_a_hf_end", "lsd_a_end"):
        assert found[name] < 0.1
        assert named[name] > 1
    assert (named["lsd_a_hf_end"], named["lsd_a_end"]) == (found["lsd_a_hf"], found["lsd_a"])


def test_without_a_band_or_a_change_figures_are_absent():
    x = noise()
    assert all(math.isnan(value) for value in figures(x, x, CUTOFF_HZ))
    assert not set(NAMES) & set(evaluate(x, x, RATE))
    silence = np.zeros_like(x)
    values = evaluate(silence, silence, RATE, CUTOFF_HZ)
    assert (values["band_rms"], values["band_bias"], "band_correlation" in values) == (0, 0, False)


def test_blocks_of_any_size_are_the_whole(monkeypatch):
    ref, est = swelling(0), swelling(1)
    whole = figures(ref, est)
    monkeypatch.setattr("musr_cli.metrics.framing.BLOCK_FRAMES", 6)
    assert figures(ref, est) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("end_hz", [RATE / 2, 7300.0, 4600.0, 4200.0])
def test_formula_in_loops(end_hz):
    ref, est = swelling(0, seconds=1.0), swelling(1, rate_hz=2.1, seconds=1.0)
    series = []
    for channel in range(len(ref)):
        pairs = list(spectrum_pairs(ref[channel], est[channel], LSD_A))
        both = [np.concatenate([np.abs(getattr(pair, name))[0] ** 2 for pair in pairs]) for name in ("ref", "est")]
        low_hz = CUTOFF_HZ
        while low_hz + 500 <= end_hz or low_hz == CUTOFF_HZ:
            high_hz = low_hz + 500 if low_hz + 1000 <= end_hz else end_hz
            bins = [k for k in range(LSD_A.bins) if low_hz < k * RATE / LSD_A.n_fft <= high_hz]
            series.append([np.log10(np.maximum(power[:, bins].mean(axis=1), 1e-8)) for power in both])
            low_hz += 500
    r, e = (np.array([one[side] for one in series]) for side in (0, 1))
    centred = [x - x.mean(axis=1, keepdims=True) for x in (r, e)]
    correlation = np.sum(centred[0] * centred[1]) / math.sqrt(np.sum(centred[0] ** 2) * np.sum(centred[1] ** 2))
    expected = (math.sqrt(np.mean((e - r) ** 2)), np.mean(e - r), correlation)
    assert figures(ref, est, end_hz) == pytest.approx(expected, rel=1e-5)
