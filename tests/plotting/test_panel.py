from __future__ import annotations

import numpy as np
import pytest
import soundfile

from musr_cli.errors import MusrError
from musr_cli.plotting.panel import Excerpt, read_panel

RATE = 16_000


@pytest.fixture
def steps(tmp_path):
    """Four seconds at 16 kHz: a sine of 1, 2, 3 and then 4 kHz, each for a second."""
    time_s = np.arange(4 * RATE) / RATE
    path = tmp_path / "steps.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 1000 * (np.floor(time_s) + 1) * time_s), RATE, subtype="FLOAT")
    return path


def loudest_khz(columns_db: np.ndarray) -> float:
    return float(columns_db.mean(axis=1).argmax() / (len(columns_db) - 1) * RATE / 2000)


def test_the_excerpt_is_what_was_asked_for(steps):
    panel = read_panel(steps, Excerpt(1.0, 1.0))
    assert (panel.start_s, panel.seconds, panel.sample_rate, panel.channels) == (1.0, 1.0, RATE, 1)
    assert loudest_khz(panel.columns_db[:, 5:-5]) == pytest.approx(2, abs=0.03)
    assert panel.density_db.argmax() / (len(panel.density_db) - 1) * 8 == pytest.approx(2, abs=0.03)


def test_without_an_excerpt_all_is_shown(steps):
    panel = read_panel(steps)
    assert panel.seconds == 4.0
    fifth = panel.columns_db.shape[1] // 5
    assert loudest_khz(panel.columns_db[:, :fifth]) == pytest.approx(1, abs=0.03)
    assert loudest_khz(panel.columns_db[:, -fifth:]) == pytest.approx(4, abs=0.03)


def test_an_excerpt_ends_with_the_file(steps):
    assert read_panel(steps, Excerpt(3.5, 10)).seconds == pytest.approx(0.5)


def test_an_excerpt_beyond_the_end_is_refused(steps):
    with pytest.raises(MusrError, match=r"ends at 4\.00 s"):
        read_panel(steps, Excerpt(4.0))


def test_the_band_edge_is_that_of_the_file(tmp_path, music):
    path = tmp_path / "narrow.wav"
    soundfile.write(path, music(RATE, 4.0, edge_hz=4000.0).T, RATE, subtype="FLOAT")
    panel = read_panel(path)
    assert not panel.edge.full_band
    assert panel.edge.cutoff_hz == pytest.approx(4000, abs=250)


def test_an_excerpt_sees_its_real_neighbours(steps):
    whole, part = read_panel(steps), read_panel(steps, Excerpt(1.0, 1.0))
    hop_s = 4.0 / whole.columns_db.shape[1]
    first = round(1.0 / hop_s)
    same_second = whole.columns_db[:, first + 2 : 2 * first - 2]
    assert np.abs(part.columns_db[:, 2:-2].max(axis=1) - same_second.max(axis=1)).max() < 1
    alone = steps.with_name("alone.wav")
    soundfile.write(alone, soundfile.read(steps)[0][RATE : 2 * RATE], RATE, subtype="FLOAT")
    away_khz = slice(-30, None)  # far from the tone, a cut is a click and a neighbour is silence
    assert read_panel(alone).columns_db[away_khz, 0].max() > part.columns_db[away_khz, 5].max() + 20
