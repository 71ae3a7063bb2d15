from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli import degrade
from musr_cli.app import app

RATE = 44_100
EXAMPLE = Path(__file__).parents[2] / "examples/exploration-44k.flac"


def musr(*args: str | Path):
    return CliRunner().invoke(app, ["inspect", *map(str, args)])


def report(path: Path) -> dict:
    result = musr(path, "--json")
    assert result.exit_code == 0, result.stderr
    (told,) = json.loads(result.stdout)["files"]
    return told


@pytest.fixture
def song(tmp_path, music):
    path = tmp_path / "song.flac"
    x = np.concatenate([np.zeros((2, RATE // 2), np.float32), music(RATE, 2.0)], axis=-1)
    soundfile.write(path, x.T, RATE)
    return path


def test_everything_about_a_file(song):
    told = report(song)
    assert (told["container"], told["subtype"], told["bits"]) == ("FLAC", "PCM_16", 16)
    assert (told["sample_rate"], told["channels"], told["samples"], told["duration_s"]) == (RATE, 2, 110250, 2.5)
    assert told["peak_dbfs"] == pytest.approx(20 * np.log10(0.5), abs=0.01)
    assert told["rms_dbfs"] < told["peak_dbfs"]
    assert -40 < told["loudness_lufs"] < -6
    assert told["leading_silence_s"] == pytest.approx(0.5, abs=0.02)
    assert told["clipped_runs"] == 0


def test_a_lost_band_is_found_and_what_would_bring_it_back(tmp_path, music):
    how = degrade.Degradation("elliptic", 6000.0, 8)
    x = degrade.apply(music(RATE, 3.0), RATE, how)
    soundfile.write(tmp_path / "low.wav", x.T, RATE)
    told = report(tmp_path / "low.wav")
    edge = told["band_edge"]
    assert edge["cutoff_hz"] == pytest.approx(degrade.edge(how, RATE), rel=0.03)
    assert not edge["full_band"]
    assert told["restorations"][0]["sample_rate"] == RATE
    assert told["restorations"][0]["from_hz"] == pytest.approx(edge["cutoff_hz"])
    assert "linear" in told["restorations"][0]["models"]


def test_an_edge_that_moves_is_told(tmp_path, music):
    rate = 22_050
    ways = (degrade.Degradation("stft", hz) for hz in (8000.0, 4000.0))
    parts = [degrade.apply(music(rate, 20.0, seed=seed), rate, how) for seed, how in enumerate(ways)]
    soundfile.write(tmp_path / "moves.flac", np.concatenate(parts, axis=-1).T, rate)
    low_hz, high_hz = report(tmp_path / "moves.flac")["moves_between_hz"]
    assert (low_hz, high_hz) == (pytest.approx(4000, rel=0.1), pytest.approx(8000, rel=0.1))
    assert "in different parts" in musr(tmp_path / "moves.flac").stdout


def test_a_low_rate_leaves_room_above(tmp_path, music):
    soundfile.write(tmp_path / "low.wav", music(22050, 2.0).T, 22050)
    first = report(tmp_path / "low.wav")["restorations"][0]
    assert first["sample_rate"] == 44100
    assert first["from_hz"] < 11025


def test_clipping_is_counted(tmp_path):
    x = np.clip(2 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE), -1, 32767 / 32768)
    soundfile.write(tmp_path / "loud.wav", x, RATE)
    assert report(tmp_path / "loud.wav")["clipped_runs"] == 200


def test_hiss_is_told_with_its_level(tmp_path, music):
    low = degrade.apply(music(RATE, 4.0), RATE, degrade.Degradation("elliptic", 6000.0, 8))
    x = low + 0.002 * np.random.default_rng(0).standard_normal(low.shape)
    soundfile.write(tmp_path / "hiss.wav", x.T, RATE)
    told = report(tmp_path / "hiss.wav")
    from_hz, to_hz = told["hiss_between_hz"]
    assert from_hz <= 8000
    assert told["hiss_dbfs"] == pytest.approx(20 * np.log10(0.002) + 10 * np.log10((to_hz - from_hz) / RATE * 2), abs=1)
    assert re.search(r"hiss +-\d\d dBFS between", musr(tmp_path / "hiss.wav").stdout)


def test_music_has_no_hiss(song):
    assert report(song)["hiss_dbfs"] is None
    assert re.search(r"hiss +none found", musr(song).stdout)


@pytest.fixture
def found(monkeypatch):
    """Makes the survey find what it is told to."""
    from musr_cli.engine import survey

    def pretend(empty: float, sharp: float) -> None:
        monkeypatch.setattr(survey, "survey", lambda *_: survey.Survey(empty, sharp))

    return pretend


def test_holes_are_told_with_a_bitrate(song, found):
    found(0.31, 0.1)
    holes = report(song)["holes"]
    assert holes == {"empty": 0.31, "sharp": 0.1, "like_mp3_kbps": holes["like_mp3_kbps"]}
    told = f"holes     31% of the band is empty, like MP3 at about {holes['like_mp3_kbps']} kbit/s"
    assert told in musr(song).stdout


def test_pauses_of_music_are_no_holes(song, found):
    found(0.31, 0.001)
    assert report(song)["holes"] is None
    assert re.search(r"holes +none found", musr(song).stdout)


def test_a_model_that_knows_nothing_of_holes_finds_none(song, found):
    found(0.31, 0.1)
    result = musr(song, "--json", "--model", "linear")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["files"][0]["holes"] is None


def test_an_unknown_model_is_one_line(song):
    result = musr(song, "--model", "restor")
    assert result.exit_code != 0
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "restore" in result.stderr


def test_an_mp3_has_holes(tmp_path):
    x, rate = soundfile.read(EXAMPLE, dtype="float32", always_2d=True)
    coded = degrade.apply(x.T, rate, degrade.Degradation("mp3", bitrate_kbps=48.0))
    soundfile.write(tmp_path / "coded.flac", coded.T, rate)
    holes = report(tmp_path / "coded.flac")["holes"]
    assert holes["empty"] > holes["sharp"] > 0.03
    assert 32 <= holes["like_mp3_kbps"] <= 72
    assert report(EXAMPLE)["holes"] is None


@pytest.mark.parametrize("samples", [0, 1])
def test_next_to_nothing_can_be_looked_at(tmp_path, samples):
    soundfile.write(tmp_path / "short.wav", np.zeros(samples), RATE)
    told = report(tmp_path / "short.wav")
    assert told["samples"] == samples
    assert told["peak_dbfs"] is None
    assert told["band_edge"]["full_band"]
    assert musr(tmp_path / "short.wav").exit_code == 0


def test_people_get_lines_on_stdout(song):
    result = musr(song)
    assert (result.exit_code, result.stderr) == (0, "")
    for word in ("song.flac", "FLAC PCM_16, 44100 Hz", "peak -6.0 dBFS", "clipping  none", "band ", "restore "):
        assert word in result.stdout


def test_one_bad_file_does_not_hide_the_others(tmp_path, song):
    (tmp_path / "bad.wav").write_bytes(b"not audio at all")
    result = musr(tmp_path / "bad.wav", song)
    assert result.exit_code == 3
    assert "song.flac" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "bad.wav" in result.stderr


@pytest.mark.parametrize("name", ["missing.wav", "."])
def test_what_cannot_be_read_is_one_line(tmp_path, name):
    result = musr(tmp_path / name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_a_pipe_can_be_looked_at(run_musr, tmp_path, music):
    soundfile.write(tmp_path / "song.wav", music(16000, 1.0).T, 16000)
    result = run_musr("inspect", "-", "--json", input=(tmp_path / "song.wav").read_bytes())
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["files"][0]["sample_rate"] == 16000


def on_terminal(*args: str | Path, columns: int = 90, err: bool = False, **environment: str) -> tuple[str, str]:
    """What the real command shows on a terminal behind its stdout (or its stderr), and what comes through the other."""
    import pty

    near, far = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "musr_cli", "inspect", "--no-progress", *map(str, args)],
        stdout=subprocess.PIPE if err else far,
        stderr=far if err else subprocess.PIPE,
        env={**kept, "TERM": "xterm-256color", "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8", **environment},
    )
    os.close(far)
    shown = b""
    # the far end hangs up with an error on Linux, with nothing on others
    with contextlib.suppress(OSError):
        while part := os.read(near, 65_536):
            shown += part
    os.close(near)
    out, told = process.communicate(timeout=240)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n"), (out or told or b"").decode()


@pytest.fixture
def narrow(tmp_path, music):
    path = tmp_path / "narrow.wav"
    soundfile.write(path, music(RATE, 1.5, edge_hz=8000.0).T, RATE)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_terminal_shows_the_spectrum_with_its_edge(narrow):
    shown, told = on_terminal(narrow)
    assert told == ""
    assert "\x1b[" in shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("  spectrum"))
    assert re.search(r"band edge [78]\.\d kHz", lines[first])
    drawing = lines[first + 1 :]
    assert len(drawing) == 8
    assert max(map(len, drawing)) <= 90
    assert "█" in drawing[0]
    assert drawing[-2].index("▲") == pytest.approx(12 + 8000 / 22050 * 78, abs=2)
    assert drawing[-1].split()[:3] == ["kHz", "0", "2"]
    assert lines[0].endswith("narrow.wav")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_no_color_and_ascii_are_respected(narrow):
    shown, _ = on_terminal(narrow, columns=60, NO_COLOR="1", PYTHONIOENCODING="ascii:backslashreplace")
    assert not re.search(r"\x1b\[[0-9;]*[34]\d", shown)
    _, drawing = shown.split("  spectrum", 1)
    assert drawing.isascii()
    assert "||" in drawing
    assert "^" in drawing


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_who_wants_data_or_silence_gets_no_drawing(narrow, option):
    shown, _ = on_terminal(narrow, option)
    assert "narrow.wav" in shown
    assert "█" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_nothing_is_drawn_into_a_pipe_even_beside_a_terminal(narrow):
    shown, piped = on_terminal(narrow, err=True, FORCE_COLOR="1")
    assert "narrow.wav" in piped
    assert "\x1b" not in piped
    assert "█" not in piped + shown
    assert "spectrum" not in piped + shown
