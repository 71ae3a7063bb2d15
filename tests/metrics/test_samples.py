"""Metrics that look at samples: SDR in chunks, and noise in silence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musr_cli.metrics.added_noise import added_noise_dbfs
from musr_cli.metrics.sdr import sdr_db
from musr_cli.metrics.snr import snr_db
from tests.metrics.signals import RATE, noise

SLOW = 100  # Hz: half an hour of it is little


@pytest.mark.parametrize("seconds", [1, 15, 29, 30, 31, 45, 46, 60, 200])
def test_sdr_is_the_mean_over_chunks_of_30_s_every_15_s(seconds):
    rng = np.random.default_rng(seconds)
    ref = rng.standard_normal((2, seconds * SLOW))
    est = ref + np.linspace(0.1, 1, seconds * SLOW) * rng.standard_normal(ref.shape)
    starts = range(0, max(seconds - 15, 1), 15)
    chunks = [slice(start * SLOW, (start + 30) * SLOW) for start in starts]
    expected = np.mean([snr_db(ref[:, chunk], est[:, chunk]) for chunk in chunks])
    assert sdr_db(ref, est, SLOW) == pytest.approx(expected, rel=1e-12)


def test_silent_chunks_are_left_out_of_the_sdr():
    ref, est = np.zeros((2, 90 * SLOW)), np.random.default_rng(0).standard_normal((2, 90 * SLOW))
    assert math.isnan(sdr_db(ref, est, SLOW))
    ref[:, : 15 * SLOW] = 10 * est[:, : 15 * SLOW]
    heard = slice(0, 30 * SLOW)
    assert sdr_db(ref, est, SLOW) == pytest.approx(snr_db(ref[:, heard], est[:, heard]))


def test_sdr_of_up_to_30_s_is_the_snr():
    x, y = noise(), noise(seed=1)
    assert sdr_db(x, y, RATE) == pytest.approx(snr_db(x, y), rel=1e-12)


def with_gap(gap: float) -> np.ndarray:
    x = noise(2.0)
    x[:, RATE // 2 : RATE] = gap * x[:, RATE // 2 : RATE]
    return x


@pytest.mark.parametrize("gap", [0.0, 1e-4])
def test_added_noise_is_the_level_in_the_gaps_of_the_reference(gap):
    ref = with_gap(gap)
    for level in (1e-2, 1e-3):
        est = noise(2.0) + 5 * ref
        est[:, RATE // 2 : RATE] = level / 0.1 * noise(2.0, seed=1)[:, RATE // 2 : RATE]
        assert added_noise_dbfs(ref, est, RATE) == pytest.approx(20 * math.log10(level), abs=0.1)


def test_silence_that_stays_silent_has_the_lowest_level():
    x = with_gap(0.0)
    assert added_noise_dbfs(x, x, RATE) == -150
    assert added_noise_dbfs(0 * x, 0 * x, RATE) == -150


def test_music_without_a_gap_has_no_added_noise():
    assert math.isnan(added_noise_dbfs(noise(), noise(), RATE))
    assert math.isnan(added_noise_dbfs(with_gap(2e-3), noise(2.0), RATE))  # −74 dBFS


def test_one_channel_that_plays_is_not_silence():
    ref = with_gap(0.0)
    ref[1] = noise(2.0)[1]
    assert math.isnan(added_noise_dbfs(ref, ref, RATE))


def test_a_short_last_frame_counts_by_its_samples():
    frame = round(0.032 * RATE)
    ref, est = np.zeros((1, frame + 10)), np.zeros((1, frame + 10))
    est[:, frame:] = 0.1
    assert added_noise_dbfs(ref, est, RATE) == pytest.approx(10 * math.log10(0.01 * 10 / (frame + 10)))
