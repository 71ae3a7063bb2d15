from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from musr_cli.app import app
from tests.conftest import Music, RunMusr

FAST = ("--model", "linear", "--ratio", "2", "--no-progress")


def enhance(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["enhance", *map(str, args)], prog_name="musr")


@pytest.fixture
def low(tmp_path: Path, music: Music) -> Path:
    """Stereo music at 8 kHz, 24 bits, with a title."""
    path = tmp_path / "low.flac"
    with soundfile.SoundFile(path, "w", 8000, 2, "PCM_24") as file:
        file.title = "Träumerei"
        file.write(music(8000, 1.25).T)
    return path


def test_a_file_becomes_a_file_with_rate_length_depth_and_tags(low: Path) -> None:
    out = low.with_name("new folder") / "high.flac"
    result = enhance(low, out, *FAST)
    assert (result.exit_code, result.stdout) == (0, "")
    with soundfile.SoundFile(out) as file:
        assert (file.samplerate, file.channels, file.frames, file.subtype) == (16000, 2, 20000, "PCM_24")
        assert file.title == "Träumerei"
    assert result.stderr.count("\n") == 1
    assert "8000" in result.stderr
    assert "16000" in result.stderr


def test_quiet_says_nothing(low: Path) -> None:
    result = enhance(low, low.with_name("out.wav"), *FAST, "-q")
    assert (result.exit_code, result.output) == (0, "")


def test_verbose_says_more(low: Path) -> None:
    plain = enhance(low, low.with_name("a.wav"), *FAST)
    assert len(enhance(low, low.with_name("b.wav"), *FAST, "-v").stderr) > len(plain.stderr)


@pytest.mark.parametrize(
    ("name", "options", "subtype"),
    [
        ("a.wav", (), "PCM_24"),
        ("a.wav", ("--bit-depth", "16"), "PCM_16"),
        ("a.wav", ("--bit-depth", "float"), "FLOAT"),
        ("a.aiff", ("--bit-depth", "32"), "PCM_32"),
        ("a.bin", ("--format", "flac"), "PCM_24"),
        ("a.ogg", (), "VORBIS"),
        ("a.mp3", (), "MPEG_LAYER_III"),
    ],
)
def test_formats_and_depths(low: Path, name: str, options: tuple[str, ...], subtype: str) -> None:
    out = low.with_name(name)
    assert enhance(low, out, *FAST, *options).exit_code == 0
    assert soundfile.info(out).subtype == subtype


def test_rate_names_the_output_rate(low: Path) -> None:
    out = low.with_name("out.wav")
    assert enhance(low, out, "--model", "linear", "--rate", "44100").exit_code == 0
    info = soundfile.info(out)
    assert (info.samplerate, info.frames) == (44100, -(-10000 * 441 // 80))


def test_the_same_command_gives_the_same_samples(low: Path) -> None:
    outputs = [low.with_name(name) for name in ("a.wav", "b.wav")]
    for out in outputs:
        assert enhance(low, out, "--model", "sbr", "--ratio", "2", "--bit-depth", "float").exit_code == 0
    first, second = (soundfile.read(out)[0] for out in outputs)
    assert np.array_equal(first, second)


def test_pipes_carry_the_same_audio_as_files(low: Path, run_musr: RunMusr) -> None:
    out = low.with_name("file.wav")
    assert enhance(low, out, *FAST, "--cutoff", "4000").exit_code == 0
    piped_in = io.BytesIO()
    samples, rate = soundfile.read(low, dtype="int32")
    soundfile.write(piped_in, samples, rate, "PCM_24", format="WAV")
    result = run_musr("enhance", "-", "-", *FAST, "--cutoff", "4000", input=piped_in.getvalue())
    assert result.returncode == 0, result.stderr
    piped, piped_rate = soundfile.read(io.BytesIO(result.stdout))
    expected, expected_rate = soundfile.read(out)
    assert piped_rate == expected_rate
    assert np.array_equal(piped, expected)


def test_dry_run_tells_and_writes_nothing(low: Path) -> None:
    result = enhance(low, low.with_name("out") / "high.wav", *FAST, "--dry-run")
    assert result.exit_code == 0
    assert "16000" in result.stderr
    assert sorted(low.parent.iterdir()) == [low]


def test_json_is_the_outcome_on_stdout(low: Path) -> None:
    out = low.with_name("out.wav")
    result = enhance(low, out, *FAST, "--json")
    [file] = json.loads(result.stdout)["files"]
    assert (file["source"], file["output"], file["status"]) == (str(low), str(out), "done")
    assert file["audio_s"] == pytest.approx(1.25, abs=0.01)
    assert file["details"]["model"] == "linear"


def test_a_full_band_file_is_left_untouched_and_said_so(tmp_path: Path, music: Music) -> None:
    source, out = tmp_path / "full.wav", tmp_path / "out.wav"
    soundfile.write(source, music(48000, 2.0).T, 48000, "PCM_16")
    result = enhance(source, out, "--model", "sbr", "--rate", "48000")
    assert result.exit_code == 0
    assert "full.wav: left untouched" in result.stderr
    assert np.array_equal(soundfile.read(source, dtype="int16")[0], soundfile.read(out, dtype="int16")[0])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--ratio", "2", "--rate", "16000"), "--ratio and --rate"),
        (("--ratio", "2", "--overwrite", "--skip-existing"), "--overwrite and --skip-existing"),
        (("--ratio", "0.5"), "ratio"),
        (("--ratio", "nan"), "--ratio"),
        (("--ratio", "2", "--cutoff", "low"), "--cutoff low"),
        (("--ratio", "2", "--cutoff", "-5"), "--cutoff -5"),
        (("--ratio", "2", "--jobs", "0"), "jobs"),
        (("--ratio", "2", "--chunk-s", "0"), "chunk-s"),
        (("--ratio", "2", "--precision", "fp8"), "fp32"),
        (("--ratio", "2", "--format", "wma"), "--format wma"),
        (("--ratio", "2", "--phase", "filp"), "flip"),
        (("--ratio", "2", "--device", "gpu"), "gpu"),
    ],
)
def test_contradictory_options_are_refused_in_one_line(low: Path, options: tuple[str, ...], told: str) -> None:
    result = enhance(low, low.with_name("out.wav"), "--model", "linear", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not low.with_name("out.wav").exists()


def test_json_and_audio_do_not_share_stdout(low: Path) -> None:
    result = enhance(low, "-", *FAST, "--json")
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_help_names_every_phase() -> None:
    from musr_cli.dsp.phases import NATIVE, PHASES

    told = " ".join(CliRunner().invoke(app, ["enhance", "-h"]).stdout.replace("│", " ").split())
    for name in (NATIVE, *PHASES):
        assert name in told
