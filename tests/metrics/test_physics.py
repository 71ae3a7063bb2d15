"""What every metric must do whatever its convention: gains, identity, silence, leakage, bands."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.metrics import METRICS, evaluate
from musr_cli.metrics.dai import dai_transform, lsd_dai, segsnr_dai_db
from musr_cli.metrics.framing import Transform, spectrum_pairs
from musr_cli.metrics.given_band import level_given_db, snr_given_db
from musr_cli.metrics.hf_spread import hf_spread
from musr_cli.metrics.lsd import lsd_a
from musr_cli.metrics.lsd_ssr_eval import lsd_ssr_eval
from musr_cli.metrics.lsd_zhang import lsd_zhang
from musr_cli.metrics.segsnr import segsnr_db
from musr_cli.metrics.si_sdr import si_sdr_db
from musr_cli.metrics.snr import snr_db
from musr_models.contract import Band
from musr_models.transforms import Stft
from tests.metrics.signals import CUTOFF_HZ, RATE, brickwall, noise

LSD_NAMES = [name for name in METRICS if name.startswith("lsd_")]
PHASE_NAMES = ["complex_distance", "group_delay_ms", "frequency_hz"]
STEREO_NAMES = ["width_db", "centre_drift"]
RATIO_NAMES = [
    *("snr_db", "si_sdr_db", "sdr_db", "segsnr_db", "snr_given_db", "level_db", "level_given_db", "hf_spread"),
    *("band_correlation", "mrstft_sc", *PHASE_NAMES, *STEREO_NAMES),
]
SAMPLE_NAMES = ["snr_db", "si_sdr_db", "sdr_db", "segsnr_db", "level_db", "added_noise_dbfs"]
EXTRA = ["mrstft_sc", "mrstft_log"]
EXPECTED = [name for name, metric in METRICS.items() if name in EXTRA or not metric.optional]


def test_six_decibels_are_a_distance_of_0_602():
    x = noise()
    for distance in (lsd_a, lsd_zhang, lsd_ssr_eval):
        assert distance(x, 2 * x, RATE) == pytest.approx(2 * math.log10(2), abs=1e-6)
    assert lsd_dai(x, 2 * x, RATE, CUTOFF_HZ, "10") == pytest.approx(2 * math.log10(2), abs=1e-6)
    assert lsd_dai(x, 2 * x, RATE, CUTOFF_HZ, "e") == pytest.approx(2 * math.log(2), abs=1e-6)


def test_an_error_at_minus_20_db_is_an_snr_of_20_db():
    x = noise(4.0)
    e = noise(4.0, seed=1)
    e -= (np.vdot(e, x) / np.vdot(x, x)) * x  # orthogonal, so that SI-SDR agrees
    e *= 0.1 * math.sqrt(np.vdot(x, x) / np.vdot(e, e))
    assert snr_db(x, x + e) == pytest.approx(20, abs=1e-6)
    assert si_sdr_db(x, x + e) == pytest.approx(20, abs=1e-6)
    assert segsnr_db(x, x + e, RATE) == pytest.approx(20, abs=0.2)
    assert snr_given_db(x, x + e, RATE, CUTOFF_HZ) == pytest.approx(20, abs=0.3)


def test_si_sdr_ignores_scale_and_snr_does_not():
    x = noise()
    y = x + noise(seed=1)
    assert si_sdr_db(x, 3 * y) == pytest.approx(si_sdr_db(x, y), abs=1e-9)
    assert snr_db(x, 3 * y) < snr_db(x, y) - 3


def test_identical_signals_score_the_best_finite_values():
    x = noise().astype(np.float32)
    x[:, RATE // 2 :] = 0
    values = evaluate(x, x, RATE, CUTOFF_HZ, extra=EXTRA)
    assert list(values) == EXPECTED
    zeros = [*LSD_NAMES, *PHASE_NAMES, *STEREO_NAMES, *EXTRA]
    assert [values[name] for name in zeros] == pytest.approx([0] * len(zeros), abs=1e-6)
    assert values["snr_db"] == values["si_sdr_db"] == values["snr_given_db"] == values["segsnr_dai_db"] == 150
    assert values["sdr_db"] == 150
    assert values["added_noise_dbfs"] == -150
    assert values["segsnr_db"] == 35
    assert values["hf_spread"] == pytest.approx(1)
    assert values["level_db"] == values["level_given_db"] == 0
    assert values["band_rms"] == values["band_bias"] == 0
    assert values["band_correlation"] == pytest.approx(1)


def test_silent_reference_leaves_ratios_out_and_distances_finite():
    silence, x = np.zeros((2, RATE)), noise()
    values = evaluate(silence, x, RATE, CUTOFF_HZ, extra=EXTRA)
    assert not set(RATIO_NAMES) & set(values)
    assert values["lsd_a"] > 5  # noise made from silence costs
    assert values["added_noise_dbfs"] == pytest.approx(-20, abs=0.1)
    both_silent = evaluate(silence, silence, RATE, CUTOFF_HZ)
    assert [both_silent[name] for name in LSD_NAMES] == [0] * len(LSD_NAMES)


def test_silent_frames_do_not_count_in_segsnr():
    x = noise()
    y = x + 0.1 * noise(seed=1)
    gap = np.zeros((2, 10 * round(0.032 * RATE)))
    with_gap = segsnr_db(np.concatenate([x[:, :8192], gap], 1), np.concatenate([y[:, :8192], gap], 1), RATE)
    assert with_gap == pytest.approx(segsnr_db(x[:, :8192], y[:, :8192], RATE), abs=1e-9)


def test_silent_frames_count_as_zero_distance():
    x = noise()
    gap = np.zeros((2, RATE * 3))
    ref, est = np.concatenate([x, gap], 1), np.concatenate([2 * x, gap], 1)
    for distance in (lsd_a, lsd_zhang, lsd_ssr_eval):
        assert distance(ref, est, RATE) == pytest.approx(distance(x, 2 * x, RATE) / 4, rel=0.1)


@pytest.mark.parametrize("samples", [1, 2, 511, 512, 513, 2049])
def test_short_signals_have_finite_figures(samples):
    x = noise()[:, :samples]
    values = evaluate(x, 0.5 * x, RATE, CUTOFF_HZ)
    assert values["snr_db"] == pytest.approx(20 * math.log10(2))
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_no_samples_and_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        evaluate(np.zeros((1, 0)), np.zeros((1, 0)), RATE)
    with pytest.raises(ValueError, match="one shape"):
        evaluate(np.zeros((1, 5)), np.zeros((2, 5)), RATE)


def test_absurd_samples_are_neither_warned_of_nor_given_figures_that_are_not_finite():
    x, y = noise(0.1), noise(0.1, seed=1)
    for gain in (1e12, 1e25, 1e38):
        for ref, est in ((gain * x, y), (x, gain * y), (gain * x, gain * y)):
            values = evaluate(ref, est, RATE, CUTOFF_HZ, extra=EXTRA)
            assert all(math.isfinite(value) for value in values.values())


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5000),
    st.sampled_from([8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]),
    st.sampled_from([0.0, 1e-30, 1e-5, 0.3, 1.0, 100.0]),
    st.sampled_from([0.0, 1e-30, 1e-5, 0.3, 1.0, 100.0]),
    st.floats(1.0, 60_000.0),
)
def test_anything_gives_finite_figures(samples, rate, ref_gain, est_gain, cutoff_hz):
    x = np.random.default_rng(samples).uniform(-1, 1, (2, samples)).astype(np.float32)
    values = evaluate(ref_gain * x, est_gain * x[::-1], rate, cutoff_hz, extra=EXTRA)
    assert list(values) == [name for name in METRICS if name in values]
    assert all(math.isfinite(value) for value in values.values())
    assert all(values[name] >= 0 for name in (*LSD_NAMES, *PHASE_NAMES, *EXTRA) if name in values)
    assert 0 <= values.get("centre_drift", 0) <= 2 + 1e-9
    assert -150 <= values.get("added_noise_dbfs", 0) <= 45


def test_bands_split_the_square_of_the_distance():
    """Energy of the log difference in LF and HF bins adds up to that of all bins, frame by frame; so with one frame."""
    x, y = noise(0.02, channels=1), noise(0.02, seed=1, channels=1)
    high, low, whole = lsd_a(x, y, RATE, CUTOFF_HZ), lsd_a(x, y, RATE, None, CUTOFF_HZ), lsd_a(x, y, RATE)
    low_bins = 4000 * 2048 // RATE + 1
    assert (1025 - low_bins) * high**2 + low_bins * low**2 == pytest.approx(1025 * whole**2)


def test_hf_to_19_khz_ignores_what_lies_above():
    x = np.random.default_rng(0).standard_normal((1, 44_100))
    spectrum = np.fft.rfft(x)
    spectrum[:, 19_300:] = 0
    y = np.fft.irfft(spectrum, 44_100)
    values = evaluate(x, y, 44_100, 8000.0)
    assert values["lsd_a_hf_19k"] < 0.01 < values["lsd_a_hf"]


def test_given_band_does_not_hear_what_was_added_above_the_edge():
    x = brickwall(noise(2.0), 0, CUTOFF_HZ)
    added = brickwall(noise(2.0, seed=1), CUTOFF_HZ, RATE / 2)
    assert snr_given_db(x, x + added, RATE, CUTOFF_HZ) > 90
    assert abs(level_given_db(x, x + added, RATE, CUTOFF_HZ)) < 1e-4
    below = brickwall(noise(2.0, seed=1), 0, CUTOFF_HZ)
    assert snr_given_db(x, x + 0.01 * below, RATE, CUTOFF_HZ) == pytest.approx(40, abs=0.5)


def test_given_band_is_measured_against_the_input_where_there_is_one():
    ref = noise()
    lossy = brickwall(ref, 0, CUTOFF_HZ) + 0.05 * brickwall(noise(seed=1), 0, CUTOFF_HZ)
    est = lossy + brickwall(noise(seed=2), CUTOFF_HZ, RATE / 2)
    assert evaluate(ref, est, RATE, CUTOFF_HZ, input=lossy)["snr_given_db"] > 80
    assert evaluate(ref, est, RATE, CUTOFF_HZ)["snr_given_db"] < 40


def test_given_band_ends_where_the_slope_begins():
    x = noise()
    est = x + brickwall(noise(seed=1), 3000.0, CUTOFF_HZ)
    assert evaluate(x, est, RATE, CUTOFF_HZ)["snr_given_db"] < 10
    assert evaluate(x, est, RATE, CUTOFF_HZ, slope_hz=3000.0)["snr_given_db"] > 60


def test_band_figures_need_an_edge_below_the_nyquist_frequency():
    x = noise()
    for cutoff_hz in (None, RATE / 2, 20_000.0):
        values = evaluate(x, x, RATE, cutoff_hz)
        assert not {"lsd_a_hf", "snr_given_db", "lsd_dai_ln", "hf_spread", *PHASE_NAMES} & set(values)
        assert values["width_db"] == values["centre_drift"] == 0  # of the whole band


def test_smeared_texture_has_less_spread():
    x = noise(4.0, channels=1)
    frames = np.abs(np.fft.rfft(x.reshape(-1, 500), axis=1))
    flat = np.exp(1j * np.random.default_rng(1).uniform(0, 2 * np.pi, frames.shape)) * frames.mean()
    impulse_train = np.zeros_like(x)
    impulse_train[:, ::64] = 0.8  # every frame has the same comb in it: the widest spread of all
    assert hf_spread(x, np.fft.irfft(flat).reshape(1, -1), RATE, CUTOFF_HZ) < 1.05
    assert hf_spread(x, impulse_train, RATE, CUTOFF_HZ) > 1.5
    click = np.zeros_like(x)
    click[:, ::2048] = 1  # one click per window: a flat spectrum without any texture
    assert hf_spread(x, click, RATE, CUTOFF_HZ) < 0.7


def test_dai_segsnr_and_lsd_measure_one_difference():
    """Tables I and II of the paper: SegSNR + 20 lg LSD is the mean square of the log-power spectrum, always."""
    t = np.arange(RATE) / RATE
    ref = 0.01 * np.sign(np.sin(2 * np.pi * 62.5 * t + 0.1))[None]  # period = hop: all inner frames alike
    sums = []
    for gain in (0.5, 0.9, 3.0):
        est = gain * ref
        sums.append(segsnr_dai_db(ref, est, RATE, CUTOFF_HZ) + 20 * math.log10(lsd_dai(ref, est, RATE, CUTOFF_HZ)))
    assert sums == pytest.approx([sums[0]] * 3, abs=0.05)


def test_channels_are_measured_alike():
    x, y = noise(), noise(seed=1)
    for name, value in evaluate(x, y, RATE, CUTOFF_HZ).items():
        assert value == pytest.approx(evaluate(x[::-1], y[::-1], RATE, CUTOFF_HZ)[name], rel=1e-6), name
    mono = evaluate(x[:1], y[:1], RATE, CUTOFF_HZ)
    stereo = {"width_db": 0.0, "centre_drift": 0.0}
    assert evaluate(x[[0, 0]], y[[0, 0]], RATE, CUTOFF_HZ) == pytest.approx(mono | stereo, rel=1e-6)
    assert evaluate(x[0], y[0], RATE, CUTOFF_HZ) == mono


def test_result_does_not_depend_on_the_size_of_blocks(monkeypatch):
    x, y = noise(3.0), noise(3.0, seed=1)
    x[:, 20_000:25_000] = 0
    whole = evaluate(x, y, RATE, CUTOFF_HZ, extra=EXTRA)
    monkeypatch.setattr("musr_cli.metrics.framing.BLOCK_FRAMES", 5)
    monkeypatch.setattr("musr_cli.metrics.waveform.BLOCK_SAMPLES", 1000)
    for name, value in evaluate(x, y, RATE, CUTOFF_HZ, extra=EXTRA).items():
        assert value == pytest.approx(whole[name], rel=1e-9 if name in SAMPLE_NAMES else 1e-6), name


@pytest.mark.parametrize(("n_fft", "window"), [(512, "hamming"), (2048, "hann")])
def test_frames_and_bands_are_those_of_the_networks(n_fft, window):
    """Metrics keep clear of torch, but look at the same frames and at the same first missing bin."""
    import torch

    x = noise(0.5, channels=1)
    theirs = Stft(n_fft, n_fft // 2, window)
    ours = Transform(n_fft, n_fft // 2, window)
    expected = theirs.analyse(torch.from_numpy(x).float())[0].numpy().T
    found = np.concatenate([pair.ref for pair in spectrum_pairs(x, x, ours)], axis=1)[0]
    assert np.abs(found - expected).max() < 1e-4
    for cutoff_hz in (100.0, 3999.9, 4000.0, 4000.1, 5512.5, 7990.0):
        assert ours.first_bin_above(cutoff_hz, RATE) == Band(RATE, cutoff_hz).cutoff_bin(theirs)


def test_dai_transform_is_the_papers_at_16_khz_and_the_networks_at_44_1_and_48_khz():
    assert dai_transform(16_000) == Transform(512, 256, "hamming")
    assert dai_transform(44_100) == dai_transform(48_000) == Transform(1408, 704, "hamming")
    assert dai_transform(32_000) == Transform(1024, 512, "hamming")


def test_optional_metrics_are_measured_only_when_they_are_named():
    x, y = noise(0.1), noise(0.1, seed=1)
    assert not [name for name in evaluate(x, y, RATE, CUTOFF_HZ) if METRICS[name].optional]
    assert "mrstft_log" in evaluate(x, y, RATE, CUTOFF_HZ, extra=["mrstft_log"])
    for name in ("mrstft", "snr_db"):
        with pytest.raises(ValueError, match=f"no optional metrics: {name}"):
            evaluate(x, y, RATE, extra=[name])


@pytest.mark.parametrize("extra", [[], EXTRA])
def test_working_memory_does_not_grow_with_length(extra):
    peaks = []
    for seconds in (20, 80):
        x = noise(seconds, channels=1).astype(np.float32)
        tracemalloc.start()
        evaluate(x, x, RATE, CUTOFF_HZ, extra=extra)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
