from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from musr_cli import degrade
from musr_cli.dsp.reach import measure_end, measure_reach

RATE = 44100


def coloured_noise(seconds: float = 6.0) -> NDArray[np.float32]:
    """Noise whose spectrum falls by 60 dB from bass to treble, as that of music does."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal((2, round(seconds * RATE))))
    slope_db = np.linspace(0, -60, spectrum.shape[-1])
    return np.float32(0.1) * np.fft.irfft(spectrum * 10 ** (slope_db / 20)).astype(np.float32)


def test_music_that_fades_out_reaches_the_end() -> None:
    assert measure_reach(coloured_noise(), RATE) == RATE / 2


@pytest.mark.parametrize("cutoff_hz", [13000.0, 15800.0, 19000.0])
def test_a_steep_end_is_found_and_kept_clear_of(cutoff_hz: float) -> None:
    cut = degrade.apply(coloured_noise(), RATE, degrade.Degradation("stft", cutoff_hz))
    assert cutoff_hz - 1000 < measure_reach(cut, RATE) < cutoff_hz


def test_an_end_in_most_frames_counts() -> None:
    whole = coloured_noise()
    cut = degrade.apply(whole, RATE, degrade.Degradation("stft", 16000.0))
    loud = slice(2 * RATE, 3 * RATE)
    cut[:, loud] = whole[:, loud]
    assert measure_reach(cut, RATE) < 16000


def test_silence_has_no_end() -> None:
    assert measure_reach(np.zeros((2, RATE), np.float32), RATE) == RATE / 2
    assert measure_reach(np.zeros((2, 10), np.float32), RATE) == RATE / 2


def test_a_recording_ends_at_its_edge_or_its_reach() -> None:
    """Low edges are the detector's to find, high ones that most frames have those of the reach."""
    whole = coloured_noise()
    assert measure_end(whole, RATE) == RATE / 2
    for cutoff_hz in (5000.0, 16000.0):
        cut = degrade.apply(whole, RATE, degrade.Degradation("stft", cutoff_hz))
        assert 0.9 * cutoff_hz < measure_end(cut, RATE) < 1.05 * cutoff_hz
    assert measure_end(np.zeros((2, 10), np.float32), RATE) == RATE / 2
    assert measure_end(np.zeros((2, 0), np.float32), RATE) == RATE / 2
