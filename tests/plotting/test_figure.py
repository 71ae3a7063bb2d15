from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from musr_cli.plotting.edges import PartEdge
from musr_cli.plotting.figure import KINDS, MAX_PANELS, View, draw
from musr_cli.plotting.panel import Panel, Phase
from musr_cli.plotting.scales import SCALES

BINS, COLUMNS = 65, 40
SVG = "{http://www.w3.org/2000/svg}"


def edge(cutoff_hz: float, full_band: bool = False, confidence: float = 1.0):
    return SimpleNamespace(cutoff_hz=cutoff_hz, full_band=full_band, confidence=confidence)


def panel(path: str, rate: int = 16_000, cutoff_hz: float | None = None, seconds: float = 2.0, **other) -> Panel:
    rng = np.random.default_rng(0)
    whole = edge(cutoff_hz or rate / 2, cutoff_hz is None)
    half = 1 + seconds / 2
    fields = {
        "path": Path(path),
        "sample_rate": rate,
        "own_rate": rate,
        "channels": 2,
        "start_s": 1.0,
        "seconds": seconds,
        "columns_db": rng.uniform(-100, -10, (BINS, COLUMNS)),
        "density_db": rng.uniform(-120, -30, 129),
        "edge": whole,
        "parts": (PartEdge(1.0, half, whole), PartEdge(half, 1.0 + seconds, edge(rate / 4, confidence=0.3))),
        "phase": Phase(rng.uniform(-9, 9, (BINS, COLUMNS)), rng.uniform(-30, 30, (BINS, COLUMNS)), 1),
        "holes_db": np.maximum(rng.uniform(-40, 40, (BINS, COLUMNS)), 0),
    }
    return Panel(**(fields | other))


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

    def run(*panels: Panel, kind: str = "spectrogram", scale: str = "linear", max_hz: float | None = None):
        draw(panels, io.BytesIO(), "png", kind, View(scale, max_hz))
        return figures[-1]

    return run


def written(*panels: Panel, format: str, **how) -> bytes:
    out = io.BytesIO()
    draw(panels, out, format, how.get("kind", "spectrogram"), View(how.get("scale", "linear")))
    return out.getvalue()


def pictures(figure) -> list:
    return [axis for axis in figure.axes if axis.images]


def diagram(figure):
    """The one below the pictures, or alone."""
    return next(axis for axis in figure.axes if axis.lines and not axis.images)


def texts(svg: bytes) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_all_panels_share_their_scales(drawn):
    figure = drawn(panel("a.wav"), panel("b.wav", 44_100))
    axes = pictures(figure)
    assert {axis.get_ylim() for axis in axes} == {(0.0, 22.05)}
    assert len({axis.images[0].get_clim() for axis in axes}) == 1
    extents = [axis.images[0].get_extent() for axis in axes]
    assert extents == [[1.0, 3.0, 0, pytest.approx(8 / 22.05)], [1.0, 3.0, 0, 1.0]]
    assert {axis.get_xlim() for axis in axes} == {(1.0, 3.0)}
    assert diagram(figure).get_xlim() == (0.0, 22.05)


def test_max_hz_zooms_all(drawn):
    figure = drawn(panel("a.wav"), panel("b.wav", 44_100), max_hz=5000)
    assert {axis.get_ylim() for axis in pictures(figure)} == {(0.0, 5.0)}
    assert diagram(figure).get_xlim() == (0.0, 5.0)


def test_the_edge_is_marked_where_there_is_one(drawn):
    narrow, full = pictures(drawn(panel("a.wav", cutoff_hz=4000.0), panel("b.wav")))
    assert narrow.lines[0].get_ydata() == [4.0, 4.0]
    assert "band edge 4.0 kHz" in narrow.get_title()
    assert not full.lines
    assert "full band" in full.get_title()


def test_names_are_shown_as_they_are(drawn):
    figure = drawn(panel("x/$a_1$.wav"), panel("y/$a_1$.wav"), panel("_hidden \\alpha.wav"))
    titles = [axis.get_title().split("\n")[0] for axis in pictures(figure)]
    assert titles == ["A  x/$a_1$.wav", "B  y/$a_1$.wav", "C  _hidden \\alpha.wav"]
    assert [text.get_text() for text in diagram(figure).get_legend().get_texts()] == titles


def test_letters_outside_the_font_and_long_names_are_no_obstacle(drawn):
    title = pictures(drawn(panel("音楽.wav"), panel("a" * 300 + ".wav")))[1].get_title()
    assert len(title.split("\n")[0]) < 60
    assert title.split("\n")[0].endswith("aaa.wav")


def test_lines_differ_by_more_than_colour(drawn):
    lines = diagram(drawn(*(panel(f"{index}.wav") for index in range(4)))).lines
    assert len({line.get_linestyle() for line in lines}) == 4
    assert len({line.get_color() for line in lines}) == 4


def test_many_lines_are_named_below_the_diagram(drawn):
    figure = drawn(*(panel(f"{index}.wav") for index in range(6)), kind="spectrum")
    assert diagram(figure).get_legend() is None
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"{'ABCDEF'[index]}  {index}.wav" for index in range(6)]


@pytest.mark.parametrize(
    ("seconds", "label"), [(100.0, "time (s)"), (200.0, "time (min:s)"), (36_000.0, "time (min:s)")]
)
def test_times_have_few_and_round_ticks(drawn, seconds, label):
    (axis,) = pictures(drawn(panel("a.wav", seconds=seconds)))
    assert axis.get_xlabel() == label
    inside = [
        text.get_text() for text, at in zip(axis.get_xticklabels(), axis.get_xticks(), strict=True) if at <= seconds
    ]
    assert 2 <= len(inside) <= 9
    assert all(text.endswith(("0", "5")) for text in inside)


def test_any_number_of_panels_up_to_the_most(drawn):
    assert len(pictures(drawn(*(panel(f"{index}.wav") for index in range(MAX_PANELS))))) == MAX_PANELS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_any_number_of_files(drawn, kind):
    for count in (2, 5):
        figure = drawn(*(panel(f"{index}.wav", cutoff_hz=3000.0) for index in range(count)), kind=kind, scale="mel")
        expected = {"spectrogram": count, "difference": count - 1, "spectrum": 0, "edge": count, "phase": 2 * count}
        expected["holes"] = count
        assert len(pictures(figure)) == expected[kind]


def rows_of(colour: tuple[float, float, float], pixels: np.ndarray) -> np.ndarray:
    return np.argwhere((np.abs(pixels - colour) < 0.03).all(axis=2))[:, 0]


@pytest.mark.parametrize("scale", SCALES)
def test_a_tone_appears_at_its_frequency(drawn, scale):
    columns_db = np.full((BINS, COLUMNS), -90.0)
    columns_db[24] = -10.0  # 3 kHz
    (axis,) = pictures(drawn(panel("tone.wav", columns_db=columns_db), scale=scale))
    rows = np.asarray(axis.images[0].get_array())
    place = (rows.argmax(axis=0)[0] + 0.5) / len(rows)
    _, tone_y = axis.transAxes.inverted().transform(axis.transData.transform((1.0, 3.0)))
    assert place == pytest.approx(tone_y, abs=0.01)
    assert rows.max() == -10.0


def test_the_tone_is_painted_where_the_axis_says():
    from matplotlib.image import imread

    columns_db = np.full((BINS, COLUMNS), -90.0)
    columns_db[8] = 0.0  # 1 kHz
    out = io.BytesIO(written(panel("tone.wav", columns_db=columns_db), format="png", scale="mel"))
    pixels = imread(out)[:, :, :3]
    yellow, purple = (rows_of(colour, pixels[:, 200:600]) for colour in ((0.993, 0.906, 0.144), (0.267, 0.005, 0.329)))
    place = (purple.max() - np.median(yellow)) / (purple.max() - purple.min())
    mel = SCALES["mel"].forward
    assert place == pytest.approx(float(mel(1.0) / mel(8.0)), abs=0.015)


@pytest.mark.parametrize("scale", SCALES)
def test_difference_of_a_file_with_itself_is_nothing(drawn, scale):
    figure = drawn(panel("a.wav"), panel("b.wav"), kind="difference", scale=scale)
    (axis,) = pictures(figure)
    assert np.all(axis.images[0].get_array() == 0)
    assert "A  a.wav" in axis.get_title()
    assert all(not np.any(line.get_ydata()) for line in diagram(figure).lines)


def test_half_the_amplitude_is_6_db_less_everywhere(drawn):
    loud = panel("a.wav", columns_db=np.full((BINS, COLUMNS), -20.0), density_db=np.full(129, -50.0))
    low = panel("b.wav", columns_db=loud.columns_db - 6, density_db=loud.density_db - 6)
    figure = drawn(loud, low, kind="difference")
    (axis,) = pictures(figure)
    assert np.asarray(axis.images[0].get_array()) == pytest.approx(-6)
    low_clim, high_clim = axis.images[0].get_clim()
    assert low_clim == -high_clim <= -6
    assert diagram(figure).lines[1].get_ydata() == pytest.approx(-6)


def test_silences_do_not_differ(drawn):
    silent = [np.full((BINS, COLUMNS), level) for level in (-125.0, -140.0)]
    for columns_db in silent:
        columns_db[3] = 0.0
    figure = drawn(*(panel(f"{place}.wav", columns_db=each) for place, each in enumerate(silent)), kind="difference")
    assert np.all(pictures(figure)[0].images[0].get_array() == 0)


def test_edges_are_steps_over_their_parts(drawn):
    figure = drawn(panel("a.wav", cutoff_hz=6000.0), kind="edge")
    below = diagram(figure)
    all_parts, sure = below.lines
    assert all_parts.get_xdata() == pytest.approx([1, 2, 2, 3])
    assert all_parts.get_ydata() == pytest.approx([6, 6, 4, 4])
    assert sure.get_ydata() == pytest.approx([6, 6, np.nan, np.nan], nan_ok=True)
    assert below.get_ylim()[1] > 8
    (axis,) = pictures(figure)
    assert axis.lines[0].get_ydata() == pytest.approx([6, 6, 4, 4])


def test_phases_fade_where_there_is_no_signal(drawn):
    columns_db = np.full((BINS, COLUMNS), -20.0)
    columns_db[: BINS // 2] = -120.0
    delay, deviation = pictures(drawn(panel("a.wav", columns_db=columns_db), kind="phase"))
    for axis in (delay, deviation):
        opacity = axis.images[0].get_alpha()
        assert opacity[10].max() == 0
        assert opacity[-10].min() == 1
        assert axis.images[0].get_clim()[0] == -axis.images[0].get_clim()[1]
    assert "group delay" in delay.get_title()
    assert "frequency" in deviation.get_title()


def test_holes_are_where_they_were_found_and_their_share_is_below(drawn):
    holes_db = np.zeros((BINS, COLUMNS))
    holes_db[32:41, : COLUMNS // 4] = 30.0
    figure = drawn(panel("a.wav", cutoff_hz=6000.0, holes_db=holes_db), kind="holes")
    (axis,) = pictures(figure)
    rows = np.asarray(axis.images[0].get_array())
    assert rows[round(0.55 * len(rows))].tolist() == [30.0] * (COLUMNS // 4) + [0.0] * (3 * COLUMNS // 4)
    assert rows[: len(rows) // 3].max() == 0
    assert axis.images[0].get_clim() == (0, 40)
    assert axis.lines[0].get_ydata() == [6.0, 6.0]
    share = diagram(figure).lines[0]
    assert np.interp([2.0, 4.5], share.get_xdata(), share.get_ydata()) == pytest.approx([0, 25])


def test_a_panel_without_holes_is_no_picture_of_them(drawn):
    with pytest.raises(ValueError, match="without its holes"):
        drawn(panel("a.wav", holes_db=None), kind="holes")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
def test_every_kind_and_scale_is_text_in_svg(kind, scale):
    told = texts(written(panel("a_$1$.wav"), panel("b.wav", cutoff_hz=4000.0), format="svg", kind=kind, scale=scale))
    assert any("b.wav" in text for text in told)
    assert any("a_$1$.wav" in text for text in told) or kind == "difference"
    assert "frequency (kHz)" in told


@pytest.mark.parametrize(("format", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_equal_files_give_equal_pictures(format, start):
    first, second = (written(panel("a.wav", cutoff_hz=4000.0), format=format) for _ in range(2))
    assert first == second
    assert first.startswith(start)
