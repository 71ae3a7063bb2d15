from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from musr_cli.plotting.figure import MAX_PANELS, draw
from musr_cli.plotting.panel import Panel


def panel(path: str, rate: int = 16_000, cutoff_hz: float | None = None, seconds: float = 2.0) -> Panel:
    rng = np.random.default_rng(0)
    edge = SimpleNamespace(cutoff_hz=cutoff_hz or rate / 2, full_band=cutoff_hz is None)
    return Panel(
        path=Path(path),
        sample_rate=rate,
        channels=2,
        start_s=1.0,
        seconds=seconds,
        columns_db=rng.uniform(-100, -10, (65, 40)),
        density_db=rng.uniform(-120, -30, 129),
        edge=edge,
    )


@pytest.fixture
def drawn(monkeypatch):
    """Draws, and gives the figure back instead of only its pixels."""
    from matplotlib.figure import Figure

    figures = []

    def remember(self, *args, **kwargs):
        figures.append(self)
        save(self, *args, **kwargs)

    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", remember)
    monkeypatch.setattr("musr_cli.plotting.figure.DOTS_PER_INCH", 30)

    def run(*panels: Panel, max_hz: float | None = None):
        draw(panels, io.BytesIO(), "png", max_hz)
        return figures[-1]

    return run


def spectrograms(figure) -> list:
    return [axis for axis in figure.axes if axis.images]


def test_all_panels_share_their_scales(drawn):
    figure = drawn(panel("a.wav"), panel("b.wav", 44_100))
    axes = spectrograms(figure)
    assert {axis.get_ylim() for axis in axes} == {(0.0, 22.05)}
    assert len({axis.images[0].get_clim() for axis in axes}) == 1
    assert [axis.images[0].get_extent() for axis in axes] == [[1.0, 3.0, 0, 8.0], [1.0, 3.0, 0, 22.05]]


def test_max_hz_zooms_all(drawn):
    figure = drawn(panel("a.wav"), panel("b.wav", 44_100), max_hz=5000)
    assert {axis.get_ylim() for axis in spectrograms(figure)} == {(0.0, 5.0)}


def test_the_edge_is_marked_where_there_is_one(drawn):
    narrow, full = spectrograms(drawn(panel("a.wav", cutoff_hz=4000.0), panel("b.wav")))
    assert narrow.lines[0].get_ydata() == [4.0, 4.0]
    assert "band edge 4.0 kHz" in narrow.get_title()
    assert not full.lines
    assert "full band" in full.get_title()


def test_names_are_shown_as_they_are(drawn):
    figure = drawn(panel("x/$a_1$.wav"), panel("y/$a_1$.wav"), panel("_hidden \\alpha.wav"))
    titles = [axis.get_title().split("\n")[0] for axis in spectrograms(figure)]
    assert titles == ["A  x/$a_1$.wav", "B  y/$a_1$.wav", "C  _hidden \\alpha.wav"]
    (legend,) = [axis.get_legend() for axis in figure.axes if axis.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == titles


def test_letters_outside_the_font_and_long_names_are_no_obstacle(drawn):
    title = spectrograms(drawn(panel("音楽.wav"), panel("a" * 300 + ".wav")))[1].get_title()
    assert len(title.split("\n")[0]) < 60
    assert title.split("\n")[0].endswith("aaa.wav")


def test_lines_differ_by_more_than_colour(drawn):
    figure = drawn(*(panel(f"{index}.wav") for index in range(4)))
    lines = figure.axes[-2 if figure.axes[-1].get_label() == "<colorbar>" else -1].lines
    assert len({line.get_linestyle() for line in lines}) == 4
    assert len({line.get_color() for line in lines}) == 4


def test_any_number_of_panels_up_to_the_most_and_any_length(drawn):
    assert len(spectrograms(drawn(panel("a.wav", seconds=36_000.0)))) == 1
    assert len(spectrograms(drawn(*(panel(f"{index}.wav") for index in range(MAX_PANELS))))) == MAX_PANELS
