"""What people get who choose nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from musr_cli import degrade
from musr_cli.audio.formats import AudioInfo
from musr_cli.engine.enhancer import Enhancer, Settings, _ArraySource, enhance
from tests.conftest import Music, density_db

RATE = 44100


def lowpassed(music: Music, cutoff_hz: float, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    how = degrade.Degradation("stft", cutoff_hz)
    return degrade.apply(music(RATE, seconds, 2, seed), RATE, how)


@pytest.mark.parametrize(
    ("rate", "expected"), [(8000, 44100), (22050, 44100), (44100, 44100), (48000, 48000), (96000, 96000)]
)
def test_the_output_rate_is_the_inputs_or_the_cds(rate: int, expected: int, music: Music) -> None:
    y, made = enhance(music(rate, 1.0, edge_hz=3500), rate, Settings(cutoff=3500.0))
    assert made == expected
    assert y.shape == (2, -(-rate * made // rate))
    assert density_db(y[0], made, 5000, 12000) > density_db(y[0], made, 1000, 3000) - 80


@pytest.mark.parametrize("level", [1e-3, 1e-4])
@pytest.mark.parametrize("rate", [8000, 22050])
def test_a_noise_floor_does_not_grow(level: float, rate: int) -> None:
    noise = level * np.random.default_rng(0).standard_normal((2, 3 * rate))
    y, made = enhance(noise.astype(np.float32), rate)
    below = density_db(y[0], made, 0.5 * rate / 2, 0.9 * rate / 2)
    for start in np.arange(1.1 * rate / 2, 19000, 2000):
        # white noise goes on at the level that it has, and no louder than one can tell
        assert density_db(y[0], made, start, start + 2000) < below + 0.5


def test_a_tone_gets_no_company() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * 16000) / 16000)
    y, made = enhance(np.stack([tone] * 2).astype(np.float32), 16000, Settings(cutoff=8000.0))
    spectrum = np.abs(np.fft.rfft(y[0] * np.hanning(y.shape[1])))
    above = spectrum[np.fft.rfftfreq(y.shape[1], 1 / made) > 8500]
    assert above.max() < 1e-4 * spectrum.max()


def test_a_centred_recording_stays_centred(music: Music) -> None:
    y, _ = enhance(np.repeat(music(16000, 1.5, 1), 2, axis=0), 16000)
    np.testing.assert_array_equal(y[0], y[1])


def test_a_complete_recording_comes_back_untouched(music: Music) -> None:
    x = music(RATE, 2.0) + np.float32(1e-3) * np.random.default_rng(0).standard_normal((2, 2 * RATE)).astype(np.float32)
    source = _ArraySource(x, RATE)
    job = Enhancer(Settings()).prepare(source)
    assert job.untouched is not None
    assert "nothing is missing" in job.untouched
    y, _ = enhance(x, RATE)
    np.testing.assert_array_equal(y, x)


def test_an_edge_that_moves_is_said_and_the_lower_one_filled(music: Music) -> None:
    """Twenty seconds up to 10 kHz, then twenty up to 4: the second half is not left with a hole."""
    x = np.concatenate([lowpassed(music, 10000.0, 20.0), lowpassed(music, 4000.0, 20.0, seed=1)], axis=-1)
    source = _ArraySource(x, RATE)
    assert isinstance(source.info, AudioInfo)
    job = Enhancer(Settings()).prepare(source)
    assert any("in different parts" in warning for warning in job.summary["warnings"])
    assert job.summary["cutoff_hz"] == pytest.approx(4000, rel=0.1)
    y, _ = enhance(x, RATE)
    assert density_db(y[0, 22 * RATE :], RATE, 5000, 9000) > density_db(x[0, 22 * RATE :], RATE, 5000, 9000) + 30
    # what the first half has above the lower edge is hardly touched
    added = y[0, : 18 * RATE] - x[0, : 18 * RATE]
    assert density_db(added, RATE, 5000, 9000) < density_db(x[0, : 18 * RATE], RATE, 5000, 9000)


def test_an_explicit_edge_is_taken_as_it_is(music: Music) -> None:
    x = np.concatenate([lowpassed(music, 10000.0, 12.0), lowpassed(music, 4000.0, 12.0, seed=1)], axis=-1)
    job = Enhancer(Settings(cutoff=10000.0, holes="leave")).prepare(_ArraySource(x, RATE))
    assert job.summary["cutoff_hz"] == 10000
    assert not job.summary["warnings"]
