"""Codecs give music back in time and at its length, whoever encodes it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.commands import degrade as command
from musr_cli.degrade import Degradation
from musr_cli.degrade.codecs import CODECS, round_trip
from musr_cli.errors import MusrError, UnavailableError

AV_CODECS = ("aac", "wma")
EXAMPLE = Path(__file__).parents[2] / "examples" / "exploration-44k.flac"

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def piece() -> Samples:
    """Five seconds [2, T] at 44.1 kHz."""
    x, _ = soundfile.read(EXAMPLE, frames=5 * 44100, start=44100, dtype="float32", always_2d=True)
    return np.ascontiguousarray(x.T)


def at(x: Samples, sample_rate: int) -> Samples:
    return np.asarray(resample(x, 44100, sample_rate), np.float32)


def delay(x: Samples, y: Samples) -> int:
    """Samples by which `y` is late."""
    length = 2 * x.shape[-1]
    spectrum = np.fft.rfft(y, length) * np.conj(np.fft.rfft(x, length))
    late = int(np.argmax(np.fft.irfft(spectrum, length).sum(axis=0)))
    return late if late < x.shape[-1] else late - length


def snr_db(x: Samples, y: Samples, sample_rate: int, below_hz: float) -> float:
    bins = int(below_hz * x.shape[-1] / sample_rate)
    given, error = (np.sum(np.abs(np.fft.rfft(z)[:, :bins]) ** 2) for z in (x, y - x))
    return float(10 * np.log10(given / error))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("bitrate_kbps", [24.0, 192.0])
def test_music_comes_back_in_time(name: str, sample_rate: int, bitrate_kbps: float, piece: Samples) -> None:
    x = at(piece, sample_rate)[:, :-1]
    y = round_trip(x, sample_rate, name, bitrate_kbps)
    assert (y.shape, y.dtype) == (x.shape, np.float32)
    assert delay(x, y) == 0


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
def test_much_bitrate_leaves_little_noise(name: str, sample_rate: int, piece: Samples) -> None:
    x = at(piece, sample_rate)
    assert snr_db(x, round_trip(x, sample_rate, name, 192.0), sample_rate, 4000.0) > 15


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("samples", [0, 1, 2, 577, 1023, 2049, 65537])
@pytest.mark.parametrize("sample_rate", [22050, 44100])
def test_every_length_comes_back(name: str, samples: int, sample_rate: int, piece: Samples) -> None:
    x = piece[:, :samples]
    y = round_trip(x, sample_rate, name, 128.0)
    assert y.shape == x.shape
    if samples > 2000:
        assert delay(x, y) == 0
        # the start and the end are there as well
        for part in (slice(0, 1000), slice(-1000, None)):
            assert np.sum((y[:, part] - x[:, part]) ** 2) < 0.5 * np.sum(x[:, part] ** 2)


@pytest.mark.parametrize("name", CODECS)
def test_one_channel_is_coded_as_the_middle(name: str, piece: Samples) -> None:
    middle = piece[:1, : 2 * 44100]
    alone = round_trip(middle, 44100, name, 96.0)
    left, right = round_trip(np.concatenate([middle, middle]), 44100, name, 96.0)
    assert alone.shape == middle.shape
    np.testing.assert_array_equal(alone[0], left)
    # AAC fills what it left out with noise of its own on either side
    assert np.sum((left - right) ** 2) < 0.01 * np.sum(left**2)


@pytest.mark.parametrize("name", CODECS)
def test_less_bitrate_leaves_less(name: str, piece: Samples) -> None:
    few, many = (snr_db(piece, round_trip(piece, 44100, name, kbps), 44100, 16000.0) for kbps in (64.0, 192.0))
    assert few < many


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_has_an_edge(name: str) -> None:
    assert 4000 < degrade.edge(Degradation(name, bitrate_kbps=64.0), 44100) <= 22050


@pytest.mark.parametrize("name", AV_CODECS)
def test_without_pyav_one_line_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UnavailableError, match=r"needs PyAV: pip install 'musr\[av\]'") as caught:
        round_trip(np.zeros((1, 100), np.float32), 44100, name, 96.0)
    assert "\n" not in str(caught.value)


def test_what_an_encoder_refuses_is_told_in_one_line() -> None:
    # WMA has no frame that holds full-scale noise at this bitrate
    x = np.random.default_rng(0).normal(0, 1, (2, 44100)).astype(np.float32)
    with pytest.raises(MusrError, match="higher bitrate") as caught:
        round_trip(x, 44100, "wma", 24.0)
    assert "\n" not in str(caught.value)


def test_help_names_every_codec() -> None:
    (option,) = command.Codec.__metadata__
    named = option.help.rstrip(".").replace(" or ", ", ").split(", ")
    assert sorted(named) == sorted(CODECS)
