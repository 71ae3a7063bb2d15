from __future__ import annotations

import numpy as np
import pytest

from musr_cli.plotting.scales import ROWS, SCALES, levels, line, strongest

BINS = 1015


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_places_can_be_turned_back(scale):
    khz = np.geomspace(0.01, 40, 50)
    assert scale.inverse(scale.forward(khz)) == pytest.approx(khz)
    assert np.all(np.diff(scale.forward(khz)) > 0)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("top_khz", [0.005, 0.3, 4.0, 22.05, 96.0])
def test_axes_begin_below_their_end_and_have_ticks_apart(scale, top_khz):
    assert 0 <= scale.bottom_khz(top_khz) < top_khz
    ticks = scale.ticks_khz(top_khz)
    places = [scale.fraction(khz, top_khz) for khz in ticks]
    assert all(0 <= place <= 1 for place in places)
    assert len(places) < 2 or np.diff(places).min() > 0.05
    assert len(ticks) >= (3 if scale.candidates_khz and top_khz >= 0.3 else 0)


def test_mel_and_log_give_low_frequencies_more_room():
    linear, log, mel = (SCALES[name].fraction(1.0, 22.05) for name in ("linear", "log", "mel"))
    assert linear < mel < log
    assert SCALES["mel"].forward(1.0) == pytest.approx(1000, rel=1e-3)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("top_khz", [1.0, 22.05, 48.0])
def test_a_bin_fills_the_rows_at_its_frequency(scale, top_khz):
    nyquist_khz = 22.05
    edges, end_khz = scale.bins(BINS, nyquist_khz, top_khz)
    assert len(edges) - 1 == round(ROWS * scale.fraction(end_khz, top_khz))
    low, high = scale.forward(scale.bottom_khz(top_khz)), scale.forward(end_khz)
    for place in (0.2, 0.5, 0.9):
        index = round(float(scale.inverse(low + place * (high - low))) / nyquist_khz * (BINS - 1))
        picture = np.full((BINS, 2), -90.0)
        picture[index, 1] = 0.0
        rows = levels(picture, edges)
        assert np.all(rows[:, 0] == -90)
        row = int(rows[:, 1].argmax())
        assert edges[row] - 0.5 <= index <= edges[row + 1] + 0.5
        assert row / len(rows) == pytest.approx(place, abs=0.05)


def test_no_tone_is_lost_between_rows():
    edges, _ = SCALES["log"].bins(BINS, 22.05, 22.05)
    for index in range(3, BINS):
        picture = np.full((BINS, 1), -90.0)
        picture[index] = 0.0
        # below, a bin is several rows high, and its middle may lie on the border of two
        assert levels(picture, edges).max() > (-1e-9 if index > 100 else -20)


def test_the_strongest_bin_of_a_row_is_named():
    rng = np.random.default_rng(0)
    picture = rng.uniform(-90, 0, (BINS, 5))
    edges, _ = SCALES["mel"].bins(BINS, 22.05, 22.05)
    index = strongest(picture, edges)
    chosen, shown = np.take_along_axis(picture, index, axis=0), levels(picture, edges)
    coarse = np.diff(edges) > 2
    assert coarse.sum() > 50
    assert np.all(chosen[coarse] == shown[coarse])
    assert np.abs(index - (edges[:-1, None] + edges[1:, None]) / 2).max() < 10


@pytest.mark.parametrize("bins", [2, 9])
def test_few_bins_are_enough(bins):
    for scale in SCALES.values():
        edges, _ = scale.bins(bins, 4.0, 22.05)
        assert np.all(levels(np.zeros((bins, 3)), edges) == 0)
        assert np.all(strongest(np.zeros((bins, 3)), edges) < bins)
        assert line(np.zeros(bins), 4.0, scale, 22.05)[1] == pytest.approx(0)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_lines_have_the_mean_power_at_their_places(scale):
    density_db = -60 - 20 * np.arange(BINS) / BINS
    khz, values_db = line(density_db, 22.05, scale, 10.0)
    assert np.all(np.diff(khz) > 0)
    assert khz[-1] < 10
    assert values_db == pytest.approx(np.interp(khz, np.linspace(0, 22.05, BINS), density_db), abs=0.05)


def test_lines_fall_as_deep_as_their_spectra():
    density_db = np.where(np.arange(BINS) < 200, 0.0, -200.0)
    assert line(density_db, 22.05, SCALES["mel"], 22.05)[1][-100:] == pytest.approx(-200)
