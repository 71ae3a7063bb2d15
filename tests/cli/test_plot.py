from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli.app import app
from musr_cli.commands.plot import FrequencyScale, Kind
from musr_cli.plotting.figure import KINDS
from musr_cli.plotting.scales import SCALES

RATE = 16_000
SVG = "{http://www.w3.org/2000/svg}"
TITLES = {
    Kind.SPECTROGRAM: "Spectrograms and long-term spectra",
    Kind.DIFFERENCE: "Difference of levels",
    Kind.SPECTRUM: "Long-term spectra",
    Kind.EDGE: "Band edges over time",
    Kind.PHASE: "group delay",
    Kind.HOLES: "Holes: what lacks where sound is expected",
}
PNG = b"\x89PNG\r\n\x1a\n"


def musr(*args: str | Path):
    return CliRunner().invoke(app, ["plot", *map(str, args)])


@pytest.fixture
def files(tmp_path, music):
    paths = []
    for name, rate in (("full.wav", RATE), ("low $x$ _1.flac", 8000)):
        paths.append(tmp_path / name)
        soundfile.write(paths[-1], music(rate, 1.0).T, rate)
    return paths


def test_a_picture_is_written_and_said(tmp_path, files):
    out = tmp_path / "out.png"
    result = musr(*files, "-o", out)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert out.read_bytes().startswith(PNG)
    assert "out.png" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full.wav", "low $x$ _1.flac", "out.png"]


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_name_chooses_the_format(tmp_path, files, suffix, start):
    out = tmp_path / f"out{suffix}"
    assert musr(files[0], "-o", out).exit_code == 0
    assert out.read_bytes().startswith(start)


def test_existing_pictures_are_kept_without_overwrite(tmp_path, files):
    out = tmp_path / "out.png"
    out.write_text("mine")
    result = musr(files[0], "-o", out)
    assert (result.exit_code, out.read_text()) == (1, "mine")
    assert "--overwrite" in result.stderr
    assert musr(files[0], "-o", out, "--overwrite", "-q").exit_code == 0
    assert out.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("args", "told", "exit_code"),
    [
        (["missing.wav", "-o", "out.png"], "missing.wav", 1),
        (["empty.wav", "-o", "out.png"], "empty.wav: holds no samples", 1),
        (["full.wav", "-o", "out.wav"], "out.wav: pictures are written as .png", 2),
        (["full.wav", "-o", "there/is/none.png"], "no folder", 1),
        (["full.wav", "-o", "out.png", "--start", "5"], "full.wav: ends at 1.00 s", 1),
        (["full.wav"] * 13 + ["-o", "out.png"], "13 files", 2),
        (["full.wav"], "--out", 2),
        (["full.wav", "-o", "out.png", "--seconds", "inf"], "--seconds inf", 2),
        (["full.wav", "-o", "out.png", "--max-hz", "nan"], "--max-hz", 2),
        (["full.wav", "-o", "out.png", "--kind", "difference"], "full.wav: --kind difference compares", 2),
        (["full.wav", "empty.wav", "-o", "out.png", "--kind", "difference"], "empty.wav: holds no samples", 1),
        (["full.wav", "-o", "out.png", "--kind", "waterfall"], "'spectrogram', 'difference', 'spectrum', 'edge'", 2),
        (["full.wav", "-o", "out.png", "--kind", "holes", "--model", "linear"], "'linear' knows nothing of holes", 4),
        (["full.wav", "-o", "out.png", "--scale", "bark"], "'linear', 'log', 'mel'", 2),
        (["nan.wav", "-o", "out.png", "--kind", "phase"], "nan.wav: a sample at 0.500 s is not a number", 1),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(tmp_path, files, monkeypatch, args, told, exit_code):
    monkeypatch.chdir(tmp_path)
    soundfile.write("empty.wav", np.zeros((0, 1)), RATE)
    soundfile.write("nan.wav", np.where(np.arange(RATE) == RATE // 2, np.nan, 0.0), RATE, subtype="FLOAT")
    result = musr(*args)
    assert (result.exit_code, result.stderr.count("\n")) == (exit_code, 1)
    assert told in result.stderr
    assert not Path("out.png").exists()


def test_without_matplotlib_the_way_out_is_named(tmp_path, files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backend_bases", None)
    result = musr(files[0], "-o", tmp_path / "out.png")
    assert result.exit_code == 4
    assert "pip install 'musr[plot]'" in result.stderr


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_a_picture_whose_text_can_be_read(tmp_path, files, kind):
    out = tmp_path / "out.svg"
    result = musr(*files, "-o", out, "--kind", kind.value, "--scale", "mel", "--start", "0.1", "--seconds", "0.5")
    assert result.exit_code == 0, result.stderr
    text = " ".join("".join(element.itertext()) for element in ElementTree.parse(out).iter(f"{SVG}text"))
    for told in ("full.wav", "low $x$ _1.flac", "frequency (kHz)", TITLES[kind]):
        assert told in text


def test_what_was_done_for_a_difference_is_said(tmp_path, music):
    x = music(RATE, 2.0)
    soundfile.write(tmp_path / "a.wav", x.T, RATE)
    soundfile.write(tmp_path / "b.wav", np.pad(x, ((0, 0), (160, 0))).T, RATE)
    result = musr(tmp_path / "a.wav", tmp_path / "b.wav", "-o", tmp_path / "out.png", "--kind", "difference")
    assert result.exit_code == 0, result.stderr
    assert "b.wav is 10.0 ms late: aligned" in result.stderr


def test_phases_of_a_long_file_come_with_advice(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(20 * RATE), RATE)
    result = musr(tmp_path / "long.wav", "-o", tmp_path / "out.png", "--kind", "phase")
    assert result.exit_code == 0, result.stderr
    assert "frames share a column" in result.stderr
    assert "--seconds" in result.stderr


def test_equal_files_give_equal_bytes(tmp_path, files):
    for name in ("first.svg", "second.svg"):
        assert musr(files[0], "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_kinds_and_scales_are_those_that_can_be_drawn():
    assert [kind.value for kind in Kind] == list(KINDS)
    assert [scale.value for scale in FrequencyScale] == list(SCALES)


@pytest.mark.parametrize("kind", list(Kind))
def test_silence_and_one_sample_can_be_drawn(tmp_path, kind):
    soundfile.write(tmp_path / "silence.wav", np.zeros((RATE, 2)), RATE)
    soundfile.write(tmp_path / "one.wav", np.ones((1, 1)), 44_100)
    how = ("--kind", kind.value, "--scale", "log")
    result = musr(tmp_path / "silence.wav", tmp_path / "one.wav", "-o", tmp_path / "out.png", *how)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)


def test_the_real_command_draws(files, tmp_path, run_musr):
    result = run_musr("plot", *files, "-o", tmp_path / "out.png", "--kind", "difference", "--scale", "log")
    assert (result.returncode, result.stdout) == (0, b""), result.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)
