from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from musr_cli.metrics.by_frequency import FrequencyErrors, error_by_frequency, mean_errors
from musr_cli.metrics.framing import POWER_FLOOR
from musr_cli.metrics.lsd import LSD_A
from tests.metrics.signals import RATE, brickwall, noise


def test_six_decibels_are_0_602_and_6_02_in_every_band():
    x = noise()
    found = error_by_frequency(x, 2 * x, RATE)
    assert found.hz.tolist() == [250 + 500 * band for band in range(16)]
    assert found.error == pytest.approx(np.full(16, 2 * math.log10(2)), abs=1e-6)
    assert found.est_db - found.ref_db == pytest.approx(np.full(16, 20 * math.log10(2)), abs=1e-5)


def whole_spectrum(x: np.ndarray) -> np.ndarray:
    return LSD_A.analyse(x, 0, LSD_A.frames(x.shape[1]))


def test_bands_are_those_of_a_whole_spectrum():
    ref, est = noise(), noise(seed=1) * 0.3
    found = error_by_frequency(ref, est, RATE)
    logs = [np.log10(np.maximum(np.abs(whole_spectrum(x)) ** 2, POWER_FLOOR)) for x in (ref, est)]
    hz = np.arange(LSD_A.bins) * RATE / LSD_A.n_fft
    for band, centre_hz in enumerate(found.hz):
        bins = (hz > centre_hz - 250) & (hz <= centre_hz + 250) | ((hz == 0) & (band == 0))
        assert found.error[band] == pytest.approx(math.sqrt(np.mean((logs[0] - logs[1])[..., bins] ** 2)))
        assert found.ref_db[band] == pytest.approx(10 * logs[0][..., bins].mean() - 20 * math.log10(512))


def test_an_error_is_found_where_it_is():
    x = noise(4.0)
    found = error_by_frequency(x, x - brickwall(x, 3000, 3500), RATE)
    assert np.argmax(found.error) == 6
    assert found.error[6] > 3
    assert max(found.error[:5].max(), found.error[8:].max()) < 0.02


def test_a_full_scale_sine_has_0_db_in_its_bin():
    bin_hz = RATE / LSD_A.n_fft
    sine = np.sin(2 * np.pi * 128 * bin_hz * np.arange(RATE) / RATE)[None]
    found = error_by_frequency(sine, sine, RATE)
    alone = 20 * math.log10(np.abs(whole_spectrum(sine))[0, 5, 128])
    rest = error_by_frequency(0 * sine, 0 * sine, RATE)
    assert alone - 20 * math.log10(LSD_A.n_fft / 4) == pytest.approx(0, abs=1e-6)
    assert found.ref_db.argmax() == 1  # 128 bins are 1000 Hz, the upper end of a band
    assert rest.ref_db.max() == pytest.approx(-80 - 20 * math.log10(LSD_A.n_fft / 4))


@pytest.mark.parametrize(
    ("rate", "bands", "last_hz"), [(8000, 8, 3750), (11_025, 11, 5256.25), (44_100, 44, 21_775), (192_000, 192, 95_750)]
)
def test_the_last_band_takes_what_is_left_at_any_rate(rate, bands, last_hz):
    x = noise(0.2)
    found = error_by_frequency(x, x, rate)
    assert all(len(curve) == bands for curve in (found.hz, found.error, found.ref_db, found.est_db))
    assert found.hz[-1] == last_hz
    assert not found.error.any()


def test_short_and_silent_signals_have_curves():
    for x in (noise()[:, :1], np.zeros((1, 5000)), noise()[0]):
        found = error_by_frequency(x, x, RATE)
        assert np.isfinite([found.error, found.ref_db, found.est_db]).all()


def test_means_over_clips_reach_as_far_as_each_clip():
    low, high = (
        FrequencyErrors(250 + 500.0 * np.arange(n), *(np.full(n, value) for value in values))
        for n, values in ((2, (1.0, -10.0, -20.0)), (3, (3.0, -30.0, -40.0)))
    )
    mean = mean_errors([low, high])
    assert mean.hz.tolist() == high.hz.tolist()
    assert mean.error.tolist() == [2, 2, 3]
    assert mean.ref_db.tolist() == [-20, -20, -30]
    assert mean.est_db.tolist() == [-30, -30, -40]


def test_working_memory_does_not_grow_with_length():
    peaks = []
    for seconds in (20, 80):
        x = noise(seconds, channels=1).astype(np.float32)
        tracemalloc.start()
        error_by_frequency(x, x, RATE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
