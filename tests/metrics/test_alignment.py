from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.audio.resampling import resample
from musr_cli.errors import MusrError
from musr_cli.metrics.alignment import find_delay, overlap
from musr_cli.metrics.matching import Clip, match
from musr_cli.metrics.snr import snr_db

RATE = 16_000


@pytest.fixture
def tune(music):
    return music(RATE, 1.5, seed=3)


def delayed(x: np.ndarray, samples: int) -> np.ndarray:
    """`x` late by `samples`, of the same length, with music (not zeros) where it has moved away."""
    return np.roll(x, samples, axis=-1)


@pytest.mark.parametrize("delay", [-5000, -800, -37, -1, 0, 1, 2, 441, 800, 1200])
def test_delays_are_found(tune, delay):
    assert find_delay(tune, delayed(tune, delay), RATE) == delay


def test_an_invented_high_band_does_not_move_the_signal(music):
    low = music(RATE, 1.5, edge_hz=2000.0)
    high = np.diff(0.05 * np.random.default_rng(0).standard_normal((2, low.shape[1] + 1)))
    for delay in (0, 1, -3):
        assert find_delay(low, delayed(low, delay) + high, RATE) == delay


def test_inverted_polarity_does_not_hide_a_delay(tune):
    assert find_delay(tune, -delayed(tune, 5), RATE) == 5


def test_unrelated_short_and_silent_signals_stay_where_they_are(tune):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 1, RATE))
    assert find_delay(a, b, RATE) == 0
    assert find_delay(tune[:, :3000], delayed(tune, 9)[:, :3000], RATE) == 0
    assert find_delay(tune, np.zeros_like(tune), RATE) == 0
    assert find_delay(tune[:, :1], tune[:, :1], RATE) == 0


def test_a_steady_tone_is_not_moved_by_whole_periods():
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)[None]
    assert find_delay(tone, tone, RATE) == 0


def test_the_loudest_part_decides(music):
    loud = music(RATE, 1.5, seed=2)
    quiet = np.tile(1e-6 * music(RATE, 1.5, seed=1), (1, 8))
    x = np.concatenate([quiet, loud], axis=1)
    assert find_delay(x, np.concatenate([quiet, delayed(loud, 7)], axis=1), RATE) == 7


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(-70, 70))
def test_overlap_pairs_samples_of_one_time(ref_samples, est_samples, delay):
    ref_part, est_part = overlap(ref_samples, est_samples, delay)
    ref_times = np.arange(ref_samples)[ref_part]
    est_times = np.arange(est_samples)[est_part] - delay
    assert np.array_equal(ref_times, est_times)
    assert set(ref_times) == set(range(ref_samples)) & {t - delay for t in range(est_samples)}


def test_match_aligns_trims_and_says_so(tune):
    late = np.concatenate([np.zeros((2, 441), np.float32), tune], axis=1)
    fitted = match(Clip("ref.wav", tune, RATE), Clip("est.wav", late, RATE))
    assert snr_db(tune[:, fitted.part], fitted.samples) == 150
    assert fitted.notes == ("est.wav is 441 samples (27.6 ms) late: aligned",)


def test_match_leaves_long_delays_and_says_so(tune):
    fitted = match(Clip("ref.wav", tune, RATE), Clip("est.wav", delayed(tune, -801), RATE))
    assert fitted.part == slice(0, tune.shape[1])
    assert fitted.notes[0].startswith("est.wav is 801 samples (50.1 ms) early, more than the 50 ms")


def test_match_trims_small_differences_of_length(tune):
    fitted = match(Clip("ref.wav", tune, RATE), Clip("est.wav", tune[:, :-100], RATE))
    assert fitted.part == slice(0, tune.shape[1] - 100)
    assert fitted.notes == ("est.wav is 100 samples shorter: trimmed",)


def test_match_resamples_and_says_so(music):
    ref = music(48_000, 1.0, edge_hz=6000.0)
    est = resample(ref, 48_000, RATE)
    fitted = match(Clip("ref.wav", ref, 48_000), Clip("est.wav", est, RATE))
    assert fitted.samples.shape == ref.shape
    assert fitted.notes == ("est.wav resampled from 16000 to 48000 Hz",)
    assert snr_db(ref[:, 2000:-2000], fitted.samples[:, 2000:-2000]) > 80


def test_match_spreads_mono_and_refuses_other_numbers_of_channels(tune):
    mono = tune[:1]
    fitted = match(Clip("ref.wav", np.repeat(mono, 2, axis=0), RATE), Clip("est.wav", mono, RATE))
    assert fitted.notes == ("est.wav is mono: compared with each of 2 channels",)
    assert snr_db(np.repeat(mono, 2, axis=0), fitted.samples) == 150
    with pytest.raises(MusrError, match=r"est\.wav: 2 channels, but ref\.wav has 1"):
        match(Clip("ref.wav", mono, RATE), Clip("est.wav", tune, RATE))


def test_match_refuses_other_lengths_and_nothing(tune):
    with pytest.raises(MusrError, match=r"est\.wav: 1\.00 s, but ref\.wav has 1\.50 s"):
        match(Clip("ref.wav", tune, RATE), Clip("est.wav", tune[:, :RATE], RATE))
    with pytest.raises(MusrError, match=r"est\.wav: holds no samples"):
        match(Clip("ref.wav", tune, RATE), Clip("est.wav", tune[:, :0], RATE))
