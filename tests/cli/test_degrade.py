from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli import degrade
from musr_cli.app import app

RATE = 16_000


def musr(*args: str | Path):
    return CliRunner().invoke(app, ["degrade", *map(str, args)])


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith("error: ")


@pytest.fixture
def song(tmp_path, music):
    path = tmp_path / "song.wav"
    soundfile.write(path, music(RATE, 1.0).T, RATE, subtype="PCM_24")
    return path


def test_the_edge_is_told_and_stdout_stays_clean(tmp_path, song):
    out = tmp_path / "out.wav"
    result = musr(song, out, "--family", "butterworth", "--order", "8", "--cutoff", "3000")
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    edge_hz = degrade.edge(degrade.Degradation("butterworth", 3000.0, 8), RATE)
    assert f"edge at {edge_hz:.0f} Hz" in result.stderr
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 2, RATE, "PCM_24")


def test_it_is_the_degradation_that_training_applies(tmp_path, song):
    assert musr(song, tmp_path / "out.wav", "--seed", "5", "--bit-depth", "float").exit_code == 0
    x = soundfile.read(song, dtype="float32")[0].T
    expected = degrade.apply(x, RATE, degrade.sample(5, RATE))
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.wav", dtype="float32")[0].T, expected)


def test_the_seed_decides(tmp_path, song):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert musr(song, tmp_path / f"{name}.wav", "--seed", seed).exit_code == 0
    a, b, c = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_json_holds_the_parameters(tmp_path, song):
    result = musr(song, tmp_path / "out.wav", "--seed", "3", "--json", "-q")
    (told,) = json.loads(result.stdout)["files"]
    drawn = degrade.sample(3, RATE)
    assert degrade.Degradation.from_dict(told["lowpass"]) == drawn
    assert told["edge_hz"] == pytest.approx(degrade.edge(drawn, RATE), abs=0.1)
    assert (told["seed"], told["status"], told["codec"]) == (3, "done", None)
    assert result.stderr == ""


def test_a_lower_rate_and_a_codec(tmp_path, song):
    result = musr(song, tmp_path / "low.flac", "--rate", "8000", "--codec", "mp3", "--bitrate", "24")
    assert result.exit_code == 0, result.stderr
    info = soundfile.info(tmp_path / "low.flac")
    assert (info.samplerate, info.frames, info.format) == (8000, 8000, "FLAC")


def test_a_folder_is_mirrored_and_one_bad_file_does_not_stop_the_rest(tmp_path, song):
    tree = tmp_path / "in"
    (tree / "live").mkdir(parents=True)
    (tree / "a.wav").write_bytes(song.read_bytes())
    (tree / "live" / "b.wav").write_bytes(song.read_bytes())
    (tree / "live" / "broken.wav").write_bytes(b"not audio")
    result = musr(tree, tmp_path / "out", "--json", "--seed", "9")
    assert result.exit_code == 3
    told = {Path(entry["source"]).name: entry for entry in json.loads(result.stdout)["files"]}
    assert {name: entry["status"] for name, entry in told.items()} == {
        "a.wav": "done", "b.wav": "done", "broken.wav": "failed",
    }  # fmt: skip
    assert told["a.wav"]["seed"] != told["b.wav"]["seed"]
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == ["a.wav", "live/b.wav"]


@pytest.mark.parametrize(
    ("options", "code", "way_out"),
    [
        (["--family", "besel"], 2, "did you mean 'bessel'"),
        (["--cutoff", "9000"], 2, "from 20 to below 8000 Hz"),
        (["--family", "stft", "--order", "6"], 2, "neither order"),
        (["--rate", "44100"], 2, "at most the input's 16000 Hz"),
        (["--codec", "mp4"], 2, "did you mean 'mp3'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(tmp_path, song, options, code, way_out):
    result = musr(song, tmp_path / "out.wav", *options)
    assert result.exit_code == code
    assert one_line(result.stderr), result.stderr
    assert way_out in result.stderr
    assert "song.wav" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav"]


def test_what_exists_stays_unless_it_is_to_be_replaced(tmp_path, song):
    out = tmp_path / "out.wav"
    out.write_bytes(b"precious")
    assert musr(song, out).exit_code == 1
    assert out.read_bytes() == b"precious"
    assert musr(song, out, "--overwrite").exit_code == 0
    assert soundfile.info(out).frames == RATE
    assert musr(song, song, "--overwrite").exit_code == 1


def test_a_missing_input_is_one_line(tmp_path):
    result = musr(tmp_path / "none.wav", tmp_path / "out.wav")
    assert (result.exit_code, one_line(result.stderr)) == (1, True)


def test_the_command_works_on_pipes(run_musr, song):
    result = run_musr("degrade", "-", "-", "--cutoff", "3000", input=song.read_bytes())
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"RIFF")
    assert b"edge at" in result.stderr


def test_peaks_that_do_not_fit_are_told(tmp_path):
    square = np.where(np.arange(RATE) % 160 < 80, 0.999, -0.999)
    soundfile.write(tmp_path / "square.wav", square, RATE)
    result = musr(tmp_path / "square.wav", tmp_path / "out.wav", "--family", "elliptic", "--cutoff", "1000")
    assert "above full scale" in result.stderr
