"""The autoencoders of Miron & Davies 2018 by command: their edges, their phases, and files of any shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from musr_cli.app import app
from tests.conftest import make_music

FORMS = [f"{transform}-{form}" for transform in ("stft", "cqt") for form in ("bottleneck", "stride2")]


def enhance(source: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["enhance", str(source), str(source.with_name("out.wav")), *options])


def write(folder: Path, rate: int, seconds: float, channels: int = 2, edge_hz: float = 3400.0) -> Path:
    soundfile.write(folder / "in.wav", make_music(rate, seconds, edge_hz=edge_hz)[:channels].T, rate)
    return folder / "in.wav"


def above(path: Path, hz: float) -> float:
    """Energy above a frequency."""
    x, rate = soundfile.read(path, always_2d=True)
    spectrum = np.fft.rfft(x, axis=0)[round(hz * len(x) / rate) :]
    return float(np.sum(np.abs(spectrum) ** 2))


@pytest.mark.parametrize("model", FORMS)
@pytest.mark.parametrize("edge_hz", [3351, 3649, 7351, 7649])
def test_each_has_two_edges_give_or_take_150_hz(tmp_path: Path, model: str, edge_hz: int) -> None:
    source = write(tmp_path, 44100, 0.2)
    assert enhance(source, "--model", model, "--cutoff", str(edge_hz)).exit_code == 0


@pytest.mark.parametrize("model", FORMS)
@pytest.mark.parametrize("edge_hz", [3300, 5000, 7300])
def test_other_edges_are_those_of_any(tmp_path: Path, model: str, edge_hz: int) -> None:
    result = enhance(write(tmp_path, 44100, 0.2), "--model", model, "--cutoff", str(edge_hz))
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1
    assert "an edge of 3500 Hz" in result.stderr
    assert "stft-any" in result.stderr
    assert "cqt-any" in result.stderr


@pytest.mark.parametrize("model", ["stft-any", "cqt-any"])
@pytest.mark.parametrize(("edge_hz", "exit_code"), [(1700, 4), (1900, 0), (5000, 0), (12100, 0), (12400, 4)])
def test_any_edge_is_one_of_2_to_12_khz(tmp_path: Path, model: str, edge_hz: int, exit_code: int) -> None:
    source = write(tmp_path, 44100, 0.2, edge_hz=0.97 * edge_hz)
    assert enhance(source, "--model", model, "--cutoff", str(edge_hz)).exit_code == exit_code


@pytest.mark.parametrize("model", ["stft-bottleneck", "cqt-bottleneck"])
@pytest.mark.parametrize(
    ("rate", "channels", "seconds"), [(44100, 1, 0.5), (48000, 2, 0.5), (96000, 2, 0.5), (44100, 2, 0.01)]
)
def test_mono_48_khz_and_short_files(tmp_path: Path, model: str, rate: int, channels: int, seconds: float) -> None:
    source = write(tmp_path, rate, seconds, channels)
    assert enhance(source, "--model", model, "--cutoff", "3500", "--bit-depth", "float").exit_code == 0
    out = tmp_path / "out.wav"
    given, made = soundfile.info(source), soundfile.info(out)
    assert (made.frames, made.samplerate, made.channels) == (given.frames, rate, channels)
    if seconds > 0.1:
        assert above(out, 4000) > 2 * above(source, 4000)


@pytest.mark.parametrize("phase", ["flip", "flip-conjugate", "griffin-lim", "vocoder"])
def test_phases_that_need_bins_of_one_width_are_refused(tmp_path: Path, phase: str) -> None:
    result = enhance(write(tmp_path, 44100, 0.2), "--model", "cqt-bottleneck", "--cutoff", "3500", "--phase", phase)
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1
    assert "use band-limited" in result.stderr


@pytest.mark.parametrize(("model", "phase"), [("cqt-bottleneck", "random"), ("stft-bottleneck", "flip")])
def test_other_phases_work(tmp_path: Path, model: str, phase: str) -> None:
    source = write(tmp_path, 44100, 0.3)
    assert enhance(source, "--model", model, "--cutoff", "3500", "--phase", phase).exit_code == 0
    assert above(tmp_path / "out.wav", 4000) > 2 * above(source, 4000)


def test_an_edge_above_nyquist_is_refused(tmp_path: Path) -> None:
    result = enhance(write(tmp_path, 44100, 0.2), "--model", "cqt-any", "--cutoff", "23000")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
