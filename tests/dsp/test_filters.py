from __future__ import annotations

import numpy as np
import pytest

from musr_cli.dsp.filters import IIR_FAMILIES, edge_of, filter_sections, lowpass_sections, sections_response

RATE = 16000


@pytest.mark.parametrize("family", IIR_FAMILIES)
@pytest.mark.parametrize("causal", [False, True])
def test_the_response_is_that_of_the_filter(family, causal):
    sections = lowpass_sections(family, 6, 3000.0, RATE)
    impulse = np.zeros((1, 1 << 14))
    impulse[0, 1 << 13] = 1.0
    measured = np.abs(np.fft.rfft(filter_sections(impulse, sections, causal)[0]))
    frequencies, gain = sections_response(sections, causal, RATE)
    expected = np.interp(np.fft.rfftfreq(1 << 14, 1 / RATE), frequencies, gain)
    np.testing.assert_allclose(measured[:7000], expected[:7000], atol=2e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_the_attenuation_of_a_butterworth_at_its_cutoff_is_3_db_a_pass(causal):
    frequencies, gain = sections_response(lowpass_sections("butterworth", 8, 3000.0, RATE), causal, RATE)
    at_cutoff = np.interp(3000.0, frequencies, 20 * np.log10(gain + 1e-12))
    assert at_cutoff == pytest.approx(-3.01 if causal else -6.02, abs=0.05)


def test_filtering_forwards_and_backwards_is_symmetric_in_time():
    sections = lowpass_sections("elliptic", 6, 2000.0, RATE)
    impulse = np.zeros((1, 4001))
    impulse[0, 2000] = 1.0
    y = filter_sections(impulse, sections, causal=False)
    np.testing.assert_allclose(y, y[:, ::-1], atol=1e-9)


@pytest.mark.parametrize("samples", [0, 1, 2, 40])
def test_short_signals_are_filtered(samples):
    sections = lowpass_sections("bessel", 10, 2000.0, RATE)
    for causal in (False, True):
        assert filter_sections(np.ones((2, samples)), sections, causal).shape == (2, samples)


def test_the_edge_of_a_line_in_decibels_is_read_off_it():
    frequencies = np.array([0.0, 1000.0, 2000.0])
    assert edge_of(frequencies, 10 ** (np.array([0.0, -6.0, -30.0]) / 20)) == pytest.approx(1250.0)


def test_without_a_fall_the_edge_is_the_last_frequency():
    assert edge_of(np.array([0.0, 1000.0]), np.ones(2)) == 1000.0
