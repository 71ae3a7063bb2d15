from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import FAMILIES, Degradation
from musr_cli.dsp.band_edge import TOLERANCE, TOLERANCE_HZ, EdgeDetector, detect
from musr_cli.dsp.edge_network import BANDS, CENTRES_HZ, EXPONENTS, band_powers, features, run
from musr_cli.dsp.filters import IIR_FAMILIES

RATE = 44100
EXAMPLE = Path(__file__).parents[2] / "examples" / "exploration-44k.flac"


@pytest.fixture(scope="module")
def song():
    """Real music, full band."""
    x, rate = soundfile.read(EXAMPLE, dtype="float32", always_2d=True)
    assert rate == RATE
    return np.ascontiguousarray(x.T)


def lowpass(family: str, cutoff_hz: float, order: int = 8) -> Degradation:
    return Degradation(family, cutoff_hz, order if family in IIR_FAMILIES else None)


def is_right(found, edge_hz: float) -> bool:
    return not found.full_band and abs(found.cutoff_hz - edge_hz) <= max(TOLERANCE_HZ, TOLERANCE * edge_hz)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"bessel"}))
@pytest.mark.parametrize("cutoff_hz", [3000.0, 5000.0, 9000.0, 14000.0])
def test_edges_of_degraded_music_are_found(song, family, cutoff_hz):
    how = lowpass(family, cutoff_hz)
    found = detect(degrade.apply(song, RATE, how), RATE)
    assert is_right(found, degrade.edge(how, RATE)), (found, degrade.edge(how, RATE))
    assert found.confidence > 0.5


@pytest.mark.parametrize("cutoff_hz", [3000.0, 5000.0, 9000.0])
def test_soft_edges_are_found_roughly_and_known_to_be_soft(song, cutoff_hz):
    how = lowpass("bessel", cutoff_hz)
    edge_hz = degrade.edge(how, RATE)
    soft, steep = (detect(degrade.apply(song, RATE, h), RATE) for h in (how, lowpass("elliptic", edge_hz)))
    assert soft.cutoff_hz == pytest.approx(edge_hz, rel=0.12)
    assert soft.slope_hz < 0.6 * soft.cutoff_hz
    assert steep.slope_hz > 0.9 * steep.cutoff_hz


def test_music_as_it_is_has_no_edge(song):
    found = detect(song, RATE)
    assert found.full_band
    assert found.cutoff_hz == found.slope_hz == RATE / 2


@pytest.mark.parametrize(("kbps", "edge_hz"), [(64.0, 11000), (128.0, 16500)])
def test_the_shelf_of_an_mp3_is_found(song, kbps, edge_hz):
    found = detect(degrade.apply(song, RATE, Degradation("mp3", bitrate_kbps=kbps)), RATE)
    assert found.cutoff_hz == pytest.approx(edge_hz, rel=0.05)


@pytest.mark.parametrize("rate", [16000, 22050, 48000, 96000, 192000])
def test_the_rate_does_not_matter(song, rate):
    low = degrade.apply(song, RATE, lowpass("elliptic", 5000.0))
    found = detect(resample(low, RATE, rate), rate)
    assert is_right(found, degrade.edge(lowpass("elliptic", 5000.0), RATE))


def test_a_rate_of_8_khz_has_edges_too(song):
    low = degrade.apply(song, RATE, lowpass("elliptic", 2500.0))
    assert is_right(detect(resample(low, RATE, 8000), 8000), degrade.edge(lowpass("elliptic", 2500.0), RATE))
    assert detect(resample(song, RATE, 8000), 8000).full_band


@pytest.mark.parametrize("gain_db", [-40, 12])
def test_the_level_does_not_matter(song, gain_db):
    low = degrade.apply(song, RATE, lowpass("butterworth", 5000.0))
    scaled = detect(10 ** (gain_db / 20) * low, RATE)
    assert scaled.cutoff_hz == pytest.approx(detect(low, RATE).cutoff_hz, rel=1e-3)


def test_how_the_signal_is_cut_does_not_matter(song):
    low = degrade.apply(song, RATE, lowpass("butterworth", 5000.0))
    detector = EdgeDetector(RATE)
    for block in np.split(low, [1, 2, 5000, 100_001], axis=-1):
        detector.push(block)
    assert detector.result().cutoff_hz == pytest.approx(detect(low, RATE).cutoff_hz, rel=1e-6)


def test_a_whistle_and_hiss_above_the_edge_do_not_hide_it(song):
    how = lowpass("elliptic", 6000.0)
    time = np.arange(song.shape[-1]) / RATE
    hiss = np.random.default_rng(0).normal(0, 10 ** (-80 / 20), song.shape)
    spoilt = degrade.apply(song, RATE, how) + hiss + 0.003 * np.sin(2 * np.pi * 15734 * time)
    assert is_right(detect(spoilt.astype(np.float32), RATE), degrade.edge(how, RATE))


def test_rounding_to_16_bits_does_not_hide_it(song):
    how = lowpass("butterworth", 8000.0)
    rounded = np.round(degrade.apply(song, RATE, how) * 32768) / 32768
    assert is_right(detect(rounded, RATE), degrade.edge(how, RATE))


@pytest.mark.parametrize(
    "x",
    [np.zeros((2, 0)), np.zeros((1, 1)), np.ones((1, 1)), np.zeros((2, RATE)), np.full((1, RATE), 0.5)],
    ids=["nothing", "one zero", "one sample", "silence", "a constant"],
)
def test_what_says_nothing_is_full_band_with_no_confidence(x):
    found = detect(x.astype(np.float32), RATE)
    assert (found.full_band, found.confidence, found.cutoff_hz) == (True, 0.0, RATE / 2)


@given(
    x=arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(0, 9000)), elements=st.floats(-1, 1, width=32)),
    rate=st.sampled_from([8000, 11025, 16000, 44100, 96000, 192000]),
)
@settings(max_examples=30, deadline=None)
def test_any_signal_has_an_answer(x, rate):
    found = detect(x, rate)
    assert 0 < found.slope_hz <= found.cutoff_hz <= rate / 2
    assert 0 <= found.confidence <= 1
    assert found.full_band == (found.cutoff_hz == rate / 2)


@pytest.mark.parametrize("colour_db_per_octave", [0.0, -3.0, -6.0])
def test_noise_of_any_colour_has_no_edge(colour_db_per_octave):
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 0.1, 5 * RATE))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(5 * RATE, 1 / RATE), 20) / 1000)
    x = np.fft.irfft(spectrum * 10 ** (colour_db_per_octave * octaves / 20))[None]
    assert detect(x, RATE).full_band


def test_flat_noise_has_equal_power_in_all_bands():
    frequencies = np.fft.rfftfreq(4096, 1 / RATE)
    powers = band_powers(np.ones((2, len(frequencies))), frequencies)
    reached = CENTRES_HZ < 0.97 * RATE / 2
    np.testing.assert_allclose(powers[:, reached], 1.0)


def test_probabilities_are_probabilities_and_end_at_the_nyquist_frequency():
    rng = np.random.default_rng(0)
    for nyquist_hz in (4000.0, 11025.0, 22050.0):
        edge, none, octaves = run(features(rng.uniform(1e-9, 1e-3, (len(EXPONENTS), BANDS)), nyquist_hz))
        assert edge.sum() + none == pytest.approx(1.0, abs=1e-5)
        assert edge[nyquist_hz < CENTRES_HZ].sum() == 0
        assert (octaves >= 0).all()
