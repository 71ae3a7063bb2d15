"""What must work and what must be refused by the whole command: one line, the right exit code, nothing partial."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from musr_cli.app import app
from musr_models.checkpoint import Card, build, save_checkpoint
from tests.conftest import Music, RunMusr

RATE = 8000


def enhance(*args: str | Path, model: str | Path = "linear") -> Result:
    return CliRunner().invoke(
        app, ["enhance", *map(str, args), "--model", str(model), "--ratio", "2"], prog_name="musr"
    )


def write(path: Path, x: NDArray[np.float32], rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, x.T, rate, subtype)
    return path


def refused(result: Result, exit_code: int, *told: str) -> None:
    """The form of every refusal."""
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for part in told:
        assert part in result.stderr


def nothing_but(folder: Path, *names: str) -> None:
    """No output, and no temporary file of one either."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


# --- what must work ---


@pytest.mark.parametrize("model", ["linear", "sbr"])
@pytest.mark.parametrize("samples", [0, 1, 2, 7])
def test_tiny_files(tmp_path: Path, samples: int, model: str) -> None:
    source = write(tmp_path / "in.wav", np.full((2, samples), 0.25, np.float32))
    assert enhance(source, tmp_path / "out.wav", model=model).exit_code == 0
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.frames, info.samplerate, info.channels) == (2 * samples, 2 * RATE, 2)


@pytest.mark.parametrize("model", ["linear", "sbr"])
def test_silence_stays_silent(tmp_path: Path, model: str) -> None:
    source = write(tmp_path / "in.wav", np.zeros((2, RATE), np.float32), subtype="FLOAT")
    assert enhance(source, tmp_path / "out.wav", model=model).exit_code == 0
    assert not np.any(soundfile.read(tmp_path / "out.wav")[0])


@pytest.mark.parametrize("model", ["linear", "sbr"])
def test_constants_stay_constant(tmp_path: Path, model: str) -> None:
    source = write(tmp_path / "in.wav", np.full((1, RATE), 0.5, np.float32), subtype="FLOAT")
    assert enhance(source, tmp_path / "out.wav", model=model).exit_code == 0
    inside = soundfile.read(tmp_path / "out.wav")[0][4000:-4000]
    assert np.allclose(inside, 0.5, atol=1e-3)


def test_a_full_scale_square_is_told_to_clip_or_kept_whole_as_float(tmp_path: Path) -> None:
    square = np.where(np.arange(RATE) // 20 % 2, 1.0, -1.0).astype(np.float32)[None]
    source = write(tmp_path / "in.wav", square)
    told = enhance(source, tmp_path / "clipped.wav", "--model", "sbr").stderr
    assert "clip" in told
    result = enhance(source, tmp_path / "whole.wav", "--bit-depth", "float", model="sbr")
    assert result.exit_code == 0
    assert "clip" not in result.stderr


def test_eight_bits_eight_channels_high_rates(tmp_path: Path, music: Music) -> None:
    eight_bit = write(tmp_path / "a.wav", music(RATE, 0.5), subtype="PCM_U8")
    assert enhance(eight_bit, tmp_path / "a out.wav").exit_code == 0
    assert soundfile.info(tmp_path / "a out.wav").subtype == "PCM_U8"
    # every channel at a level of its own, to see that the order is kept
    levels = np.linspace(0.1, 0.8, 8, dtype=np.float32)[:, None]
    surround = write(tmp_path / "b.wav", levels * music(RATE, 0.5, channels=1))
    assert enhance(surround, tmp_path / "b out.wav").exit_code == 0
    loudness = np.abs(soundfile.read(tmp_path / "b out.wav")[0]).mean(axis=0)
    assert np.all(np.diff(loudness) > 0)
    high = write(tmp_path / "c.wav", music(192000, 0.3, edge_hz=20000), rate=192000, subtype="PCM_24")
    command = ["enhance", str(high), str(tmp_path / "c out.wav"), "--model", "sbr", "--rate", "192000"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert soundfile.info(tmp_path / "c out.wav").samplerate == 192000


# --- what must be refused ---


def test_missing(tmp_path: Path) -> None:
    refused(enhance(tmp_path / "no.wav", tmp_path / "out.wav"), 1, "no.wav")
    nothing_but(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\x24\x00\x00\x00WAVE", b"not audio " * 500, b"\x00" * 5000, b"fLaC" + b"\xff" * 100]
)
def test_not_audio(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.wav").write_bytes(content)
    refused(enhance(tmp_path / "in.wav", tmp_path / "out.wav"), 1, "in.wav")
    nothing_but(tmp_path, "in.wav")


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_truncated(tmp_path: Path, suffix: str, music: Music) -> None:
    source = write(tmp_path / f"in.{suffix}", music(RATE, 2.0))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    refused(enhance(source, tmp_path / "out.wav"), 1, source.name)
    nothing_but(tmp_path, source.name)


def test_twenty_gigabytes_claimed(tmp_path: Path) -> None:
    claimed = 20 * 2**30
    header = struct.pack("<4sI4s4sIQQQI", b"RF64", 0xFFFFFFFF, b"WAVE", b"ds64", 28, claimed, claimed, claimed // 2, 0)
    header += struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16) + struct.pack(
        "<4sI", b"data", 0xFFFFFFFF
    )
    (tmp_path / "in.wav").write_bytes(header + b"\x00" * 4000)
    refused(enhance(tmp_path / "in.wav", tmp_path / "out.wav"), 1, "in.wav")
    nothing_but(tmp_path, "in.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_numbers(tmp_path: Path, value: float, music: Music) -> None:
    x = music(RATE, 1.0)
    x[1, -5] = value
    refused(enhance(write(tmp_path / "in.wav", x, subtype="FLOAT"), tmp_path / "out.wav"), 1, "in.wav")
    nothing_but(tmp_path, "in.wav")


def test_output_is_input_or_exists(tmp_path: Path, music: Music) -> None:
    source = write(tmp_path / "in.wav", music(RATE, 0.2))
    before = source.read_bytes()
    refused(enhance(source, source, "--overwrite"), 1, "in.wav", "is the input")
    other = write(tmp_path / "out.wav", music(RATE, 0.2))
    refused(enhance(source, other), 1, "out.wav", "--overwrite")
    assert source.read_bytes() == before
    assert enhance(source, other, "--overwrite").exit_code == 0
    assert soundfile.info(other).samplerate == 2 * RATE


def test_an_output_that_fails_leaves_the_old_one(tmp_path: Path, music: Music) -> None:
    x = music(RATE, 1.0)
    x[0, -1] = np.nan
    source, out = write(tmp_path / "in.wav", x, subtype="FLOAT"), write(tmp_path / "out.wav", music(RATE, 0.2))
    before = out.read_bytes()
    refused(enhance(source, out, "--overwrite"), 1, "in.wav")
    assert out.read_bytes() == before
    nothing_but(tmp_path, "in.wav", "out.wav")


@pytest.mark.parametrize("name", ["out.xyz", "out"])
def test_outputs_without_a_known_format(tmp_path: Path, name: str, music: Music) -> None:
    refused(enhance(write(tmp_path / "in.wav", music(RATE, 0.2)), tmp_path / name), 2, name, "--format")


def test_a_rate_that_the_format_lacks(tmp_path: Path, music: Music) -> None:
    source = write(tmp_path / "in.wav", music(44100, 0.2), rate=44100)
    refused(enhance(source, tmp_path / "out.mp3"), 1, "out.mp3", "88200")
    nothing_but(tmp_path, "in.wav")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_disk_that_is_full(tmp_path: Path, music: Music, run_musr: RunMusr) -> None:
    import resource

    source = write(tmp_path / "in.wav", music(RATE, 5.0))

    def allow_little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    args = ("enhance", source, tmp_path / "out.wav", "--model", "linear", "--ratio", "2")
    result = run_musr(*args, preexec_fn=allow_little)
    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 1
    assert b"out.wav" in result.stderr
    nothing_but(tmp_path, "in.wav")


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may all")
def test_places_without_permission(tmp_path: Path, music: Music) -> None:
    source = write(tmp_path / "in.wav", music(RATE, 0.2))
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused(enhance(source, locked / "out.wav"), 1, "locked")
    source.chmod(0)
    refused(enhance(source, tmp_path / "out.wav"), 1, "in.wav")


def test_a_device_that_is_not_there(tmp_path: Path, music: Music) -> None:
    import torch

    device = "mps" if torch.cuda.is_available() else "cuda"
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("everything is there")
    source = write(tmp_path / "in.wav", music(RATE, 0.2))
    refused(enhance(source, tmp_path / "out.wav", "--device", device), 4, device)


# --- models ---


@pytest.fixture
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Card:
    """An untrained network for ×2 to 16 kHz."""
    network = build("dnn", {"widths": (8,)})
    card = Card("tiny-x2", "dnn", "dnn", sample_rates=(16000,), ratio=2.0)
    return save_checkpoint(tmp_path_factory.mktemp("run"), network, card)


@pytest.fixture
def source(tmp_path: Path, music: Music) -> Path:
    return write(tmp_path / "in.wav", music(RATE, 0.5))


def test_a_checkpoint_runs_by_its_path(source: Path, checkpoint: Card) -> None:
    for path in (checkpoint.weights, checkpoint.weights.parent, checkpoint.weights.with_suffix(".toml")):
        assert enhance(source, source.with_name("out.wav"), "--overwrite", model=path).exit_code == 0


def test_unknown_models(source: Path) -> None:
    refused(enhance(source, source.with_name("out.wav"), model="splne"), 4, "did you mean 'spline'?")
    refused(enhance(source, source.with_name("out.wav"), model="./nowhere"), 4, "./nowhere")
    nothing_but(source.parent, "in.wav")


def test_a_ratio_without_a_variant(source: Path, checkpoint: Card) -> None:
    command = [
        "enhance",
        str(source),
        str(source.with_name("out.wav")),
        "--model",
        str(checkpoint.path),
        "--ratio",
        "3",
    ]
    refused(CliRunner().invoke(app, command), 4, "×2", "sbr")
    nothing_but(source.parent, "in.wav")


def test_damaged_and_foreign_checkpoints(source: Path, checkpoint: Card) -> None:
    out, weights, card = source.with_name("out.wav"), checkpoint.weights, checkpoint.weights.with_suffix(".toml")
    sound_weights, sound_card = weights.read_bytes(), card.read_text(encoding="utf-8")
    for content in (b"", sound_weights[: len(sound_weights) // 2], b"PK\x03\x04" + b"\x00" * 500):
        weights.write_bytes(content)
        refused(enhance(source, out, model=card), 4, weights.name)
    weights.unlink()
    refused(enhance(source, out, model=card), 4, weights.name)
    weights.write_bytes(sound_weights)
    card.write_text(sound_card.replace("format_version = 1", "format_version = 2"), encoding="utf-8")
    refused(enhance(source, out, model=card), 4, card.name, "format 2")
    (card.parent / "alone.safetensors").write_bytes(sound_weights)
    refused(enhance(source, out, model=card.parent / "alone.safetensors"), 4, "alone.safetensors")
    nothing_but(source.parent, "in.wav")
