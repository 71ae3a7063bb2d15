from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli import degrade
from musr_cli.degrade import ALL_FAMILIES, FAMILIES, RESAMPLE, Degradation
from musr_cli.degrade.codecs import CODECS
from musr_cli.dsp.filters import IIR_FAMILIES
from musr_cli.errors import UsageError

RATE = 16_000
LINEAR = (*FAMILIES, RESAMPLE)


def one(family: str, cutoff_hz: float = 3000.0) -> Degradation:
    if family in CODECS:
        return Degradation(family, bitrate_kbps=64.0)
    return Degradation(family, cutoff_hz, 8 if family in IIR_FAMILIES else None)


def tone(frequency_hz: float, samples: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / RATE, dtype=np.float32)[None]


def gain_db(x: np.ndarray, y: np.ndarray) -> float:
    inner = slice(RATE // 4, -RATE // 4)
    return float(10 * np.log10(np.mean(y[:, inner] ** 2) / np.mean(x[:, inner] ** 2) + 1e-20))


@pytest.mark.parametrize("family", LINEAR)
def test_a_tone_below_the_band_edge_lives_and_one_above_dies(family):
    how = one(family)
    edge_hz = degrade.edge(how, RATE)
    below, above = tone(0.2 * edge_hz), tone(min(2.2 * edge_hz, 0.48 * RATE))
    assert abs(gain_db(below, degrade.apply(below, RATE, how))) < 0.6
    assert gain_db(above, degrade.apply(above, RATE, how)) < -40


@pytest.mark.parametrize("family", [*IIR_FAMILIES, RESAMPLE])
def test_a_tone_at_the_edge_is_12_db_down(family):
    how = one(family)
    x = tone(degrade.edge(how, RATE))
    assert gain_db(x, degrade.apply(x, RATE, how)) == pytest.approx(-12, abs=0.6)


@pytest.mark.parametrize("family", LINEAR)
@pytest.mark.parametrize("cutoff_hz", [2500.0, 3777.0])
def test_the_edge_is_where_12_db_of_white_noise_are_gone(family, cutoff_hz):
    how = one(family, cutoff_hz)
    x = np.random.default_rng(0).normal(0, 0.1, (16, RATE)).astype(np.float32)
    power = [np.mean(np.abs(np.fft.rfft(signal)) ** 2, axis=0) for signal in (degrade.apply(x, RATE, how), x)]
    left, given = (np.convolve(spectrum, np.ones(21), mode="same") for spectrum in power)
    last_hz = np.flatnonzero(10 * np.log10(left / given) >= -12)[-1]
    assert degrade.edge(how, RATE) == pytest.approx(last_hz, rel=0.015)


def test_the_edge_is_that_of_two_passes_unless_causal():
    twice, once = Degradation("butterworth", 3000.0, 8), Degradation("butterworth", 3000.0, 8, causal=True)
    assert degrade.edge(twice, RATE) < degrade.edge(once, RATE)
    x = tone(degrade.edge(once, RATE))
    assert gain_db(x, degrade.apply(x, RATE, once)) == pytest.approx(-12, abs=0.3)


@pytest.mark.parametrize("family", LINEAR)
def test_phase_stays(family):
    x = np.random.default_rng(1).normal(0, 0.1, (1, RATE)).astype(np.float32)
    y = degrade.apply(x, RATE, one(family))
    spectrum = np.fft.rfft(y[0]) * np.conj(np.fft.rfft(x[0]))
    assert np.abs(np.angle(spectrum[200:1000].sum())) < 1e-3
    assert int(np.argmax(np.fft.irfft(spectrum))) == 0


def test_a_causal_filter_delays():
    x = np.zeros((1, RATE), np.float32)
    x[0, 100] = 1.0
    y = degrade.apply(x, RATE, Degradation("bessel", 2000.0, 8, causal=True))
    assert not y[:, :100].any()
    assert int(np.argmax(np.abs(y))) > 100


@pytest.mark.parametrize("family", LINEAR)
def test_linear_families_scale_and_add(family):
    rng = np.random.default_rng(2)
    x, z = rng.normal(0, 0.1, (2, 2, 5000)).astype(np.float32)
    how = one(family)
    together = degrade.apply(2 * x + z, RATE, how)
    apart = 2 * degrade.apply(x, RATE, how) + degrade.apply(z, RATE, how)
    np.testing.assert_allclose(together, apart, atol=2e-6)


@pytest.mark.parametrize("family", ALL_FAMILIES)
@pytest.mark.parametrize("samples", [0, 1, 2, 29, 1153])
def test_every_length_comes_back_as_it_went_in(family, samples):
    x = np.random.default_rng(3).normal(0, 0.1, (3, samples)).astype(np.float32)
    y = degrade.apply(x, RATE, one(family))
    assert (y.shape, y.dtype) == (x.shape, np.float32)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_silence_stays_silent(family):
    assert np.abs(degrade.apply(np.zeros((1, 4000), np.float32), RATE, one(family))).max() < 1e-4


@pytest.mark.parametrize("family", [*IIR_FAMILIES, "stft"])
def test_a_constant_stays(family):
    x = np.full((1, RATE), 0.25, np.float32)
    inner = degrade.apply(x, RATE, one(family))[:, 2000:-2000]
    np.testing.assert_allclose(inner, 0.25, rtol=0.03)


@pytest.mark.parametrize("family", LINEAR)
@pytest.mark.parametrize("cutoff_hz", [20.0, 0.4999 * RATE])
def test_extreme_cutoffs_work(family, cutoff_hz):
    x = np.random.default_rng(4).normal(0, 0.1, (1, RATE)).astype(np.float32)
    y = degrade.apply(x, RATE, one(family, cutoff_hz))
    assert np.abs(y).max() <= 1.5 * np.abs(x).max()


@given(
    seed=st.integers(0, 2**63),
    rate=st.sampled_from([8000, 16000, 22050, 44100, 48000, 96000]),
    cutoffs=st.tuples(st.floats(500, 20000), st.floats(500, 20000)).map(sorted),
)
@settings(max_examples=60, deadline=None)
def test_what_is_drawn_is_repeatable_possible_and_survives_json(seed, rate, cutoffs):
    how = degrade.sample(seed, rate, families=ALL_FAMILIES, cutoff_hz=(cutoffs[0], cutoffs[1]))
    assert how == degrade.sample(seed, rate, families=ALL_FAMILIES, cutoff_hz=(cutoffs[0], cutoffs[1]))
    assert how == Degradation.from_dict(json.loads(json.dumps(how.to_dict())))
    degrade.check(how, rate)
    if how.cutoff_hz is not None:
        assert min(cutoffs[0], 0.47 * rate) - 1 <= how.cutoff_hz <= cutoffs[1] + 1
    assert (how.order is not None) == (how.family in IIR_FAMILIES)


def test_seeds_reach_every_family_and_order():
    drawn = [degrade.sample(seed, 44100) for seed in range(300)]
    assert {how.family for how in drawn} == set(FAMILIES)
    assert {how.order for how in drawn if how.order} == {6, 7, 8, 9, 10}


@pytest.mark.parametrize(
    ("how", "way_out"),
    [
        (Degradation("besel", 3000.0, 8), "did you mean 'bessel'"),
        (Degradation("butterworth", 9000.0, 8), "from 20 to below 8000 Hz"),
        (Degradation("butterworth", None, 8), "from 20 to below 8000 Hz"),
        (Degradation("butterworth", 3000.0), "between 1 and 20"),
        (Degradation("stft", 3000.0, 8), "neither order"),
        (Degradation("stft", 3000.0, causal=True), "neither order"),
        (Degradation("mp3"), "bitrate"),
        (Degradation("mp3", 3000.0, bitrate_kbps=64.0), "no cutoff"),
    ],
)
def test_the_impossible_is_refused_in_one_line(how, way_out):
    with pytest.raises(UsageError, match=way_out) as caught:
        degrade.apply(np.zeros((1, 100), np.float32), RATE, how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rate", [16000, 22050])
def test_codecs_come_back_in_time(codec, rate, music):
    x = music(rate, 2.0, channels=3, edge_hz=3000.0)
    y = degrade.apply(x, rate, Degradation(codec, bitrate_kbps=96.0))
    # a delay of one sample would leave less
    assert 10 * np.log10(np.sum(x**2) / np.sum((y - x) ** 2)) > 12


def test_a_stream_too_small_for_the_gapless_tag_comes_back_in_time(music):
    x = music(22050, 2.0, edge_hz=2000.0)
    y = degrade.apply(x, 22050, Degradation("mp3", bitrate_kbps=32.0))
    correlation = np.fft.irfft(np.fft.rfft(y[0]) * np.conj(np.fft.rfft(x[0])), x.shape[-1])
    assert int(np.argmax(correlation)) == 0


def test_less_bitrate_leaves_less_band():
    edges = [degrade.edge(Degradation("mp3", bitrate_kbps=kbps), 44100) for kbps in (64.0, 128.0)]
    assert 10000 < edges[0] < 12000 < edges[1] < 17500
