from __future__ import annotations

import numpy as np
import pytest

from musr_cli.plotting.spectrogram import FLOOR_DB, MAX_COLUMNS, PhaseDerivatives, Spectrogram

RATE = 16_000


def look(x: np.ndarray, block: int = 4096) -> Spectrogram:
    picture = Spectrogram(RATE, x.shape[-1])
    for start in range(0, x.shape[-1], block):
        picture.push(x[:, start : start + block])
    picture.finish()
    return picture


def test_a_full_scale_sine_is_at_0_db_in_its_bin():
    picture = Spectrogram(RATE, 2 * RATE)
    bin_hz = RATE / picture.n_fft
    sine = np.sin(2 * np.pi * 50 * bin_hz * np.arange(2 * RATE) / RATE)[None]
    picture = look(sine)
    middle = picture.columns_db[:, 5:-5]
    assert middle[50] == pytest.approx(0, abs=0.01)
    assert middle[60:].max() < -80
    assert np.argmax(middle.mean(axis=1)) == 50


@pytest.mark.parametrize("samples", [1, 2, 100, 735, 736, 737, RATE, 70 * RATE, 400 * RATE])
def test_columns_are_bounded_and_all_filled(samples):
    picture = look(np.full((1, samples), 0.5, np.float32), block=50_000)
    assert picture.columns_db.shape == (picture.n_fft // 2 + 1, picture.columns)
    assert 1 <= picture.columns <= MAX_COLUMNS
    assert np.all(picture.columns_db[0] > -60)


@pytest.mark.parametrize("samples", [5000, 300 * RATE])
def test_a_click_lands_at_its_time(samples):
    x = np.zeros((2, samples), np.float32)
    picture = Spectrogram(RATE, samples)
    place = samples // 3 // picture.hop * picture.hop
    x[:, place] = 1.0
    picture = look(x)
    loudest = int(np.argmax(picture.columns_db.mean(axis=0)))
    assert abs((loudest + 0.5) / picture.columns - place / samples) < 2 / picture.columns + 0.01


def test_the_size_of_blocks_changes_nothing():
    for seconds in (0.3, 120):
        x = np.random.default_rng(0).standard_normal((2, round(seconds * RATE)))
        whole = look(x, x.shape[1])
        for block in (1000, 12_345):
            assert np.allclose(look(x, block).columns_db, whole.columns_db)


def test_silence_is_at_the_floor():
    assert np.all(look(np.zeros((1, RATE))).columns_db == FLOOR_DB)


def test_channels_are_averaged_in_power(music):
    x = music(RATE, 0.5, channels=1)
    both = look(np.concatenate([x, 0 * x]))
    assert both.columns_db.max() == pytest.approx(look(x).columns_db.max() - 10 * np.log10(2), abs=1e-6)


def phases(x: np.ndarray, block: int = 4096) -> PhaseDerivatives:
    picture = PhaseDerivatives(RATE, x.shape[-1])
    for start in range(0, x.shape[-1], block):
        picture.push(x[:, start : start + block])
    picture.finish()
    return picture


def test_a_click_shows_how_much_later_it_comes_than_the_frame():
    x = np.zeros((2, RATE), np.float32)
    place = 8000
    x[:, place] = 1.0
    picture = phases(x)
    frames = np.arange(picture.columns) * picture.hop
    near = np.abs(frames - place) < picture.n_fft / 2 - 10
    assert near.sum() >= 3
    expected_ms = 1000 * (place - frames[near]) / RATE
    assert picture.delay_ms[:, near] == pytest.approx(np.broadcast_to(expected_ms, (len(picture.delay_ms), near.sum())))
    assert np.all(picture.delay_ms[:, ~near][:, 0] == 0)


def test_a_delay_moves_the_picture_of_the_delay(music):
    x = np.zeros((1, RATE))
    x[0, 7000] = 1.0
    earlier, later = phases(x), phases(np.roll(x, 40, axis=1))
    column = round(7000 / earlier.hop)
    moved_ms = later.delay_ms[:, column] - earlier.delay_ms[:, column]
    assert moved_ms == pytest.approx(1000 * 40 / RATE)


@pytest.mark.parametrize("offset", [-0.4, 0.0, 0.3])
def test_a_tone_shows_how_far_it_is_from_the_bins(offset):
    bin_hz = RATE / look(np.zeros((1, RATE))).n_fft
    tone_hz = (50 + offset) * bin_hz
    picture = phases(np.sin(2 * np.pi * tone_hz * np.arange(RATE) / RATE)[None])
    middle = picture.deviation_hz[49:52, 5:-5]
    expected_hz = tone_hz - bin_hz * np.arange(49, 52)[:, None]
    assert middle == pytest.approx(np.broadcast_to(expected_hz, middle.shape), abs=0.02)
    assert np.abs(picture.delay_ms[49:52, 5:-5]).max() < 0.05


def test_phases_come_with_the_same_levels_in_blocks_of_any_size(music):
    x = music(RATE, 1.0)
    whole = phases(x, x.shape[1])
    assert np.allclose(whole.columns_db, look(x).columns_db)
    assert np.allclose(phases(x, 1000).deviation_hz, whole.deviation_hz)
    assert np.all(np.isfinite(phases(np.zeros((1, RATE))).delay_ms))
