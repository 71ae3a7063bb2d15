from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.dsp.loudness import LoudnessMeter, k_weighting
from musr_cli.dsp.statistics import Statistics

RATE = 8000


def statistics_of(x, bits=None, cuts=()):
    statistics = Statistics(RATE, len(x), bits)
    for block in np.split(x, cuts, axis=-1):
        statistics.push(block)
    return statistics


def test_level_of_a_sine_with_an_offset():
    time = np.arange(RATE) / RATE
    x = np.stack([0.5 * np.sin(2 * np.pi * 100 * time), np.full(RATE, -0.25)])
    statistics = statistics_of(x)
    assert statistics.peak == pytest.approx(0.5, abs=1e-3)
    assert statistics.rms == pytest.approx(np.sqrt((0.125 + 0.0625) / 2), rel=1e-3)
    assert statistics.offset == pytest.approx(-0.25)
    assert statistics.clipped_runs == 0


@given(
    lengths=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), max_size=12),
    cuts=st.lists(st.integers(0, 100), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_runs_of_full_scale_are_counted_once_however_the_signal_is_cut(lengths, cuts):
    parts = [np.concatenate([np.full(full, 32767 / 32768), np.zeros(quiet)]) for full, quiet in lengths]
    x = np.concatenate([np.zeros(0), *parts])[None]
    assert statistics_of(x, 16, sorted(cuts)).clipped_runs == sum(full >= 3 for full, _ in lengths)


def test_full_scale_depends_on_the_bits():
    x = np.full((1, 10), 1 - 2**-15)
    assert statistics_of(x, 16).clipped_runs == 1
    assert statistics_of(x, 24).clipped_runs == statistics_of(x).clipped_runs == 0
    assert statistics_of(-np.ones((1, 10)), 24).clipped_runs == 1


@given(before=st.integers(0, 3000), loud=st.integers(1, 3000), after=st.integers(0, 3000), cut=st.integers(0, 9000))
@settings(max_examples=40, deadline=None)
def test_silence_is_found_within_10_ms(before, loud, after, cut):
    x = np.zeros((2, before + loud + after))
    x[1, before : before + loud] = 0.01
    start, end, total = statistics_of(x, cuts=[cut]).silence_s()
    assert start == pytest.approx(before / RATE, abs=0.011)
    assert end == pytest.approx(after / RATE, abs=0.021)
    assert total == pytest.approx((before + after) / RATE, abs=0.031)


def test_nothing_but_silence_is_silent_everywhere():
    assert statistics_of(np.zeros((2, RATE))).silence_s() == pytest.approx((1.0, 1.0, 1.0))
    assert statistics_of(np.zeros((1, 0))).silence_s() == (0.0, 0.0, 0.0)


def test_the_weighting_is_that_of_the_standard_at_48_khz():
    # ITU-R BS.1770-4, tables 1 and 2
    shelf, highpass = k_weighting(48000)
    np.testing.assert_allclose(
        shelf,
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        rtol=1e-9,
    )
    np.testing.assert_allclose(highpass, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], rtol=1e-9)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_full_scale_sine_has_the_loudness_of_the_standard(rate, channels):
    # BS.1770-4: 0 dB FS at 997 Hz in one channel reads −3.01 LKFS; every further channel adds its energy
    meter = LoudnessMeter(rate, channels)
    for second in range(3):
        time = second + np.arange(rate) / rate
        meter.push(np.repeat(np.sin(2 * np.pi * 997 * time)[None], channels, axis=0))
    assert meter.lufs() == pytest.approx(-3.01 + 10 * np.log10(channels), abs=0.05)


def test_pauses_do_not_count_as_loudness():
    rate = 16000
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(4 * rate) / rate)[None]
    alone, paused = LoudnessMeter(rate, 1), LoudnessMeter(rate, 1)
    alone.push(tone)
    for block in (tone, np.zeros((1, 8 * rate))):
        paused.push(block)
    assert paused.lufs() == pytest.approx(alone.lufs(), abs=0.3)


def test_silence_has_no_loudness():
    meter = LoudnessMeter(8000, 1)
    assert meter.lufs() == -np.inf
    meter.push(np.zeros((1, 8000)))
    assert meter.lufs() == -np.inf
