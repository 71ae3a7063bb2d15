from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli.app import app

RATE = 16_000
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
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(tmp_path, files, monkeypatch, args, told, exit_code):
    monkeypatch.chdir(tmp_path)
    soundfile.write("empty.wav", np.zeros((0, 1)), RATE)
    result = musr(*args)
    assert (result.exit_code, result.stderr.count("\n")) == (exit_code, 1)
    assert told in result.stderr
    assert not Path("out.png").exists()


def test_without_matplotlib_the_way_out_is_named(tmp_path, files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backend_bases", None)
    result = musr(files[0], "-o", tmp_path / "out.png")
    assert result.exit_code == 4
    assert "pip install 'musr[plot]'" in result.stderr


def test_the_real_command_draws_silence_and_one_sample(tmp_path, run_musr):
    soundfile.write(tmp_path / "silence.wav", np.zeros((RATE, 2)), RATE)
    soundfile.write(tmp_path / "one.wav", np.ones((1, 1)), 44_100)
    result = run_musr("plot", tmp_path / "silence.wav", tmp_path / "one.wav", "-o", tmp_path / "out.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)
