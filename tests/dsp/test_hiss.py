from __future__ import annotations

import numpy as np
import pytest

from musr_cli import degrade
from musr_cli.dsp.hiss import Hiss, HissMeter

RATE = 44_100


def look(x: np.ndarray, rate: int = RATE, block: int = 10_000) -> Hiss | None:
    meter = HissMeter(rate)
    for start in range(0, x.shape[-1], block):
        meter.push(x[:, start : start + block])
    return meter.result()


def noise(level: float, samples: int, channels: int = 2) -> np.ndarray:
    return level * np.random.default_rng(0).standard_normal((channels, samples))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
def test_noise_is_found_at_its_level(rate, channels):
    hum = 0.3 * np.sin(2 * np.pi * 100 * np.arange(6 * rate) / rate)
    found = look(noise(0.001, 6 * rate, channels) + hum, rate)
    assert found is not None
    share = (found.to_hz - found.from_hz) / (rate / 2)
    assert found.level_dbfs == pytest.approx(-60 + 10 * np.log10(share), abs=1.0)
    assert found.from_hz == 1000
    assert found.to_hz >= min(rate / 2 - 1000, 20_000)


def test_hiss_above_a_lost_band_is_told_from_the_edge_on(music):
    low = degrade.apply(music(RATE, 6.0), RATE, degrade.Degradation("elliptic", 6000.0, 8))
    found = look(low + noise(0.001, low.shape[-1]))
    assert found is not None
    assert found.from_hz <= 8000
    assert found.to_hz == 20_000


def test_music_has_none(music):
    for seed in range(3):
        assert look(music(RATE, 6.0, seed=seed)) is None


def test_rounding_tones_silence_and_next_to_nothing_are_none(music):
    time = np.arange(4 * RATE) / RATE
    tones = 0.1 * np.sin(2 * np.pi * np.arange(500, 20_000, 500)[:, None] * time).sum(axis=0, keepdims=True)
    dither = noise(1.0, 4 * RATE, 1) / 32768 / 3
    assert look(tones) is None
    assert look(dither) is None
    assert look(np.zeros((2, 4 * RATE))) is None
    assert look(np.zeros((1, 0))) is None
    assert look(noise(0.01, RATE)) is None
    assert look(noise(0.01, 4 * RATE)) is None


def test_pieces_do_not_matter(music):
    x = 0.01 * music(RATE, 4.0) + noise(0.0001, 4 * RATE)
    assert look(x, block=777) == look(x, block=1 << 20)
