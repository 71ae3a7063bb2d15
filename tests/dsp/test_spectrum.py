from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.dsp.spectrum import LongTermSpectrum, transform_length


def spectrum_of(x, rate, *exponents):
    spectrum = LongTermSpectrum(rate, exponents or (1.0,))
    spectrum.push(x)
    return spectrum


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 192000])
def test_the_density_of_white_noise_is_its_power_over_its_band(rate):
    x = np.random.default_rng(0).normal(0, 0.1, (2, 2 * rate)).astype(np.float32)
    density = spectrum_of(x, rate).mean()
    assert np.mean(density) == pytest.approx(0.01 / (rate / 2), rel=0.02)


def test_a_sine_has_its_power_at_its_frequency():
    rate, amplitude = 16000, 0.5
    x = amplitude * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)[None]
    spectrum = spectrum_of(x, rate)
    density = spectrum.mean()
    width_hz = spectrum.frequencies_hz[1]
    assert abs(spectrum.frequencies_hz[np.argmax(density)] - 1000) <= width_hz
    assert np.sum(density) * width_hz == pytest.approx(amplitude**2 / 2, rel=0.01)


@given(cuts=st.lists(st.integers(0, 3000), max_size=8), seed=st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_how_the_signal_is_cut_does_not_matter(cuts, seed):
    x = np.random.default_rng(seed).normal(0, 0.1, (2, 5000)).astype(np.float32)
    pieces = LongTermSpectrum(8000, (0.25, 1.0))
    for block in np.split(x, sorted(cuts), axis=-1):
        pieces.push(block)
    whole = spectrum_of(x, 8000, 0.25, 1.0)
    for exponent in (0.25, 1.0):
        np.testing.assert_allclose(pieces.mean(exponent), whole.mean(exponent), rtol=1e-6)


def test_small_exponents_listen_to_the_typical_frame():
    rate = 8000
    x = np.random.default_rng(0).normal(0, 0.01, (1, 10 * rate))
    x[:, : rate // 2] *= 100
    spectrum = spectrum_of(x, rate, 0.25, 1.0, 4.0)
    typical, power, loudest = (np.mean(spectrum.mean(exponent)) for exponent in (0.25, 1.0, 4.0))
    assert typical < 0.1 * power < 0.1 * loudest


@pytest.mark.parametrize("exponent", [0.25, 1.0, 4.0])
def test_means_scale_with_the_power(exponent):
    x = np.random.default_rng(0).normal(0, 0.1, (1, 8000))
    quiet, loud = (spectrum_of(gain * x, 8000, exponent).mean(exponent) for gain in (0.01, 1.0))
    np.testing.assert_allclose(loud, 1e4 * quiet, rtol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_short_signals_have_a_spectrum(samples):
    density = spectrum_of(np.full((1, samples), 0.5), 8000).mean()
    assert np.isfinite(density).all()
    assert density.any() == (samples > 0)


def test_bins_are_about_as_far_apart_as_asked():
    for rate in (8000, 11025, 16000, 44100, 96000, 192000):
        assert 2**-0.5 < rate / transform_length(rate) / 11.0 <= 2**0.5
