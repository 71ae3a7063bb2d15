"""The resampler against physics: what passes, what dies, and that nobody can hear where blocks end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from musr_cli.audio import resampling
from musr_cli.audio.resampling import StreamResampler, resample

RATES = ((22050, 44100), (24000, 48000), (8000, 16000), (16000, 44100), (44100, 16000), (48000, 44100))


def tone(frequency_hz: float, rate: int, seconds: float = 1.0) -> NDArray[np.float64]:
    return np.cos(2 * np.pi * frequency_hz * np.arange(round(seconds * rate)) / rate)[None]


def level_db(x: NDArray[Any]) -> float:
    """Level of the middle half, 0 dB for a tone of amplitude 1."""
    middle = x[..., x.shape[-1] // 4 : 3 * x.shape[-1] // 4]
    return float(10 * np.log10(2 * np.mean(middle.astype(np.float64) ** 2) + 1e-30))


@pytest.mark.parametrize(("in_rate", "out_rate"), RATES)
class TestResponse:
    def test_the_passband_is_flat_and_in_time(self, in_rate: int, out_rate: int) -> None:
        for fraction in (0.01, 0.3, 0.7, 0.9):
            frequency_hz = fraction * min(in_rate, out_rate) / 2
            y = resample(tone(frequency_hz, in_rate), in_rate, out_rate)
            expected = tone(frequency_hz, out_rate)
            # within 0.1 dB, and not a fraction of a sample early or late
            assert level_db(y - expected) < -58
            assert abs(level_db(y)) < 0.01

    def test_the_constants_are_where_the_response_falls(self, in_rate: int, out_rate: int) -> None:
        def fallen_db(fraction: float) -> float:
            frequency_hz = fraction * min(in_rate, out_rate) / 2
            return -level_db(resample(tone(frequency_hz, in_rate), in_rate, out_rate))

        assert 0.05 < fallen_db(resampling.PASSBAND) < 0.1
        assert fallen_db(resampling.MINUS_1_DB) == pytest.approx(1, abs=0.05)
        assert fallen_db(resampling.MINUS_12_DB) == pytest.approx(12, abs=0.2)

    def test_what_the_lower_rate_cannot_hold_dies(self, in_rate: int, out_rate: int) -> None:
        if in_rate > out_rate:
            above = tone(0.5 * (in_rate + out_rate) / 2, in_rate)
            assert level_db(resample(above, in_rate, out_rate)) < -160
        else:
            # images of a tone would stand above the input's Nyquist frequency
            y = resample(tone(0.9 * in_rate / 2, in_rate, 2.0), in_rate, out_rate)[0]
            y = y[y.size // 4 : 3 * y.size // 4]
            spectrum = np.abs(np.fft.rfft(y * np.kaiser(y.size, 30)))
            frequencies_hz = np.fft.rfftfreq(y.size, 1 / out_rate)
            images = spectrum[frequencies_hz > in_rate / 2]
            assert 20 * np.log10(images.max() / spectrum.max()) < -140


rate = st.sampled_from((8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000))


@settings(max_examples=40, deadline=None)
@given(rate, rate, st.lists(st.integers(0, 3000), min_size=1, max_size=8), st.sampled_from(("float32", "float64")))
def test_blocks_leave_no_trace(in_rate: int, out_rate: int, sizes: list[int], dtype: str) -> None:
    x = np.random.default_rng(sum(sizes)).standard_normal((2, sum(sizes))).astype(dtype)
    stream = StreamResampler(in_rate, out_rate, 2, dtype)
    pieces = [stream.push(block) for block in np.split(x, np.cumsum(sizes)[:-1], axis=1)]
    y = np.concatenate([*pieces, stream.finish()], axis=1)
    whole = resample(x, in_rate, out_rate)
    assert y.dtype == whole.dtype == x.dtype
    assert y.shape == whole.shape == (2, math.ceil(x.shape[1] * out_rate / in_rate))
    np.testing.assert_array_equal(y, whole)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), rate, rate)
def test_short_signals_have_their_exact_length(frames: int, in_rate: int, out_rate: int) -> None:
    y = resample(np.ones((1, frames)), in_rate, out_rate)
    assert y.shape[1] == -(-frames * out_rate // in_rate)
    assert np.isfinite(y).all()


def test_equal_rates_change_nothing(noise: Any) -> None:
    x = noise(5000)
    stream = StreamResampler(44100, 44100, 2)
    y = np.concatenate([stream.push(x[:, :1234]), stream.push(x[:, 1234:]), stream.finish()], axis=1)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(resample(x, 44100, 44100), x)


def test_a_change_of_level_is_a_change_of_level_only(noise: Any) -> None:
    x = noise(8000)
    np.testing.assert_allclose(resample(8 * x, 22050, 44100), 8 * resample(x, 22050, 44100), rtol=0, atol=1e-6)


def test_up_and_down_again_is_the_input(noise: Any) -> None:
    x = resample(noise(20000).astype(np.float64), 16000, 22050)[:, 2000:-2000]
    back = resample(resample(x, 22050, 44100), 44100, 22050)
    assert level_db(back - x) - level_db(x) < -100


def test_channels_do_not_mix() -> None:
    x = np.zeros((8, 4000))
    x[3] = np.random.default_rng(0).standard_normal(4000)
    y = resample(x, 16000, 44100)
    assert np.abs(np.delete(y, 3, axis=0)).max() == 0
    np.testing.assert_array_equal(y[3:4], resample(x[3:4], 16000, 44100))


def test_a_constant_stays() -> None:
    y = resample(np.full((1, 20000), 0.5), 22050, 48000)
    np.testing.assert_allclose(y[:, 5000:-5000], 0.5, atol=1e-9)
