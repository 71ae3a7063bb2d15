from __future__ import annotations

import numpy as np
import pytest

from musr_cli.plotting.terminal import TerminalSpectrum, column_levels, draw_spectra

NYQUIST_HZ = 22_050.0
GUTTER = 12


def falling(edge_hz: float, nyquist_hz: float = NYQUIST_HZ, label: str = "spectrum", marked: bool = True):
    """A spectrum that falls by 3 dB per kHz, and by 100 dB at its edge."""
    hz = np.linspace(0, nyquist_hz, 2049)
    density_db = -40 - 3 * hz / 1000 - 100.0 * (hz > edge_hz)
    return TerminalSpectrum(label, 10 ** (density_db / 10), nyquist_hz, edge_hz if marked else None)


def drawn(*spectra: TerminalSpectrum, width: int = 80, **how) -> list[str]:
    return ["".join(text for text, _ in line) for line in draw_spectra(spectra, width, **how)]


def test_one_spectrum_is_a_diagram_with_levels_frequencies_and_its_edge():
    heading, *rows, axis, frequencies = drawn(falling(10_000.0))
    assert heading.split() == ["spectrum", "band", "edge", "10.0", "kHz"]
    assert len(rows) == 6
    assert rows[0].startswith("       0 dB ")
    assert rows[3].startswith("     −45    ")
    assert axis.startswith("     −90    ┴")
    assert frequencies.split() == ["kHz", "0", "5", "10", "15", "20"]
    edge = GUTTER + int(10_000 / NYQUIST_HZ * 68)
    assert axis.index("▲") == edge
    assert {row[edge] for row in rows} <= set("┊▁▂▃▄▅▆▇█")
    assert rows[0][edge] == "┊"
    assert all(row[edge + 1 :].strip() == "" for row in rows)
    assert rows[-1][GUTTER:edge] == "█" * (edge - GUTTER)


def test_columns_are_as_high_as_their_levels():
    rows = drawn(falling(NYQUIST_HZ, marked=False), rows=9)[1:-2]
    filled = [sum(" ▁▂▃▄▅▆▇█".index(row[GUTTER + column]) for row in rows) for column in range(68)]
    assert filled[0] == 72
    # 66 dB of 90, in steps of 10 / 8 dB
    assert filled[-1] == pytest.approx(72 - 66 / 1.25, abs=1)
    assert np.all(np.diff(filled) <= 0)


def test_several_spectra_share_their_axes():
    spectra = [falling(20_000.0, label="reference"), falling(11_025.0, 11_025.0, "input", False)]
    louder = TerminalSpectrum("estimate", spectra[0].density * 1000, NYQUIST_HZ)
    lines = drawn(*spectra, louder)
    assert len(lines) == 3 * (1 + 3) + 2
    assert [lines[index].split()[0] for index in (0, 4, 8)] == ["reference", "input", "estimate"]
    assert "█" not in lines[1]  # 30 dB below the loudest, the top row is empty
    assert "█" in lines[9]
    assert set(lines[7][GUTTER + 36 :]) <= {" "}
    assert lines[-2].count("▲") == 1
    styles = {text.strip(): style for line in draw_spectra([*spectra, louder], 80) for text, style in line}
    assert len({styles[label] for label in ("reference", "input", "estimate")}) == 3


@pytest.mark.parametrize("width", [1, 32, 60, 80, 81, 100, 250])
@pytest.mark.parametrize("nyquist_hz", [500.0, 4000.0, 22_050.0, 96_000.0])
def test_it_fits_any_width_and_rate(width, nyquist_hz):
    lines = drawn(falling(nyquist_hz / 2, nyquist_hz), width=width)
    assert max(map(len, lines)) <= max(min(width, 112), 32)
    labels = [float(text) for text in lines[-1].split()[1:]]
    assert labels[0] == 0
    assert len(labels) >= 2
    assert np.diff(labels) == pytest.approx(labels[1])
    assert 1000 * labels[-1] <= nyquist_hz


def test_without_blocks_all_is_ascii():
    lines = drawn(falling(10_000.0), blocks=False)
    assert all(line.isascii() for line in lines)
    assert "^" in lines[-2]
    assert "!" in lines[1]


def test_silence_is_empty():
    lines = drawn(TerminalSpectrum("spectrum", np.zeros(129), 4000.0))
    assert all(not line[GUTTER:].strip() for line in lines[1:7])


def test_columns_hold_the_mean_power_and_nothing_beyond_the_end():
    density = np.ones(101)
    density[50] = 1000.0
    levels_db = column_levels(TerminalSpectrum("", density, 1000.0), 20, 2000.0)
    assert np.all(np.isnan(levels_db[10:]))
    assert levels_db[:10].max() == pytest.approx(10 * np.log10(0.05 * 1000 + 0.95), abs=0.3)
    assert np.sort(levels_db[:10])[:8] == pytest.approx(0, abs=1e-9)


def test_an_edge_at_the_end_needs_no_mark():
    assert "▲" not in "".join(drawn(falling(NYQUIST_HZ)))
