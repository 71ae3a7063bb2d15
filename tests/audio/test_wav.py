"""Our own WAV: exact, the same to libsndfile, and never thrown by what a header says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.audio import wav
from musr_cli.audio.wav import WavFormat, decode, encode, file_header, quantise, read_header, stream_header

INTEGERS = (("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 32))
TAGS = {"title": "Nocturne № 2", "artist": "F. C.", "comment": "odd", "license": "CC0"}


@pytest.mark.parametrize(("subtype", "bits"), INTEGERS)
def test_integers_come_back_bit_for_bit(subtype: str, bits: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    rng = np.random.default_rng(0)
    edges = np.array([low, low + 1, -1, 0, 1, high - 1, high])
    x = np.concatenate([edges, rng.integers(low, high, 3001, endpoint=True)]).reshape(2, -1)
    form = WavFormat.linear(subtype, 44100, 2)
    samples = decode(encode(x / 2.0 ** (bits - 1), subtype), form)
    np.testing.assert_array_equal(samples * 2.0 ** (bits - 1), x)
    # and through the float type that the reader gives
    assert encode(samples, subtype) == encode(x / 2.0 ** (bits - 1), subtype)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_come_back_bit_for_bit(subtype: str, noise: Any) -> None:
    x = noise(999, level=3.0).astype("f4" if subtype == "FLOAT" else "f8")
    y = decode(encode(x, subtype), WavFormat.linear(subtype, 44100, 2))
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_beyond_full_scale_saturates_and_never_wraps(bits: int, dtype: str) -> None:
    x = np.array([-9.0, -1.0, 1.0, 9.0, 3e38], dtype)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    np.testing.assert_array_equal(quantise(x, bits), [low, low, high, high, high])


def test_rounding_has_no_bias() -> None:
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000)
    error = quantise(x, 8) / 128 - x
    # cutting off, as libsndfile does, would be half a step low
    assert abs(error.mean()) < 0.01 / 128
    assert np.abs(error).max() <= 0.5 / 128


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize("rf64", [False, True])
def test_libsndfile_reads_the_same(subtype: str, channels: int, rf64: bool, tmp_path: Path, noise: Any) -> None:
    x = noise(101, channels)
    form = WavFormat.linear(subtype, 22050, channels)
    data = encode(x, subtype)
    path = tmp_path / "a.wav"
    path.write_bytes(file_header(form, 101, TAGS, rf64=rf64) + data + bytes(len(data) % 2))
    with soundfile.SoundFile(path) as sound:
        assert (sound.format, sound.subtype) == ("RF64" if rf64 else "WAVEX" if channels > 2 else "WAV", subtype)
        assert (sound.frames, sound.channels, sound.samplerate) == (101, channels, 22050)
        assert sound.copy_metadata() == {key: text for key, text in TAGS.items() if key != "license"}
        np.testing.assert_array_equal(sound.read(always_2d=True).T, decode(data, form).astype(np.float64))


def test_the_header_has_one_length_whatever_the_frames() -> None:
    form = WavFormat.linear("FLOAT", 48000, 2)
    lengths = {len(file_header(form, frames, TAGS, rf64=rf64)) for frames in (0, 7, 2**40) for rf64 in (False, True)}
    assert len(lengths) == 1


def test_rf64_begins_where_riff_ends() -> None:
    form = WavFormat.linear("PCM_U8", 48000, 1)
    # the size does not count its own 8 bytes; with the pad byte it is even, and the largest field is not
    room = wav.RIFF_MAX_BYTES - 1 - (len(file_header(form, 0, {})) - 8)
    assert file_header(form, room, {})[:4] == b"RIFF"
    assert file_header(form, room + 1, {})[:4] == b"RF64"
    long = read_header(io.BytesIO(file_header(form, 5 * 2**30, {})))
    assert long is not None
    assert long.data_bytes == 5 * 2**30


def test_our_own_header_is_read_back() -> None:
    form = WavFormat.linear("PCM_24", 96000, 3)
    data = file_header(form, 1000, TAGS)
    header = read_header(io.BytesIO(data))
    assert header is not None
    assert (header.format, header.data_bytes, header.offset) == (form, 9000, len(data))
    assert header.tags == {key: text for key, text in TAGS.items() if key != "license"}


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000, 0x7FFFEFFE, 0x80000000])
def test_sizes_that_programs_write_into_pipes_stand_for_unknown(size: int) -> None:
    data = bytearray(stream_header(WavFormat.linear("PCM_16", 44100, 2)))
    assert read_header(io.BytesIO(data)).data_bytes is None  # type: ignore[union-attr]
    data[-4:] = size.to_bytes(4, "little")
    assert read_header(io.BytesIO(data)).data_bytes is None  # type: ignore[union-attr]
    data[-4:] = (3 * 10**9).to_bytes(4, "little")
    assert read_header(io.BytesIO(data)).data_bytes == 3 * 10**9  # type: ignore[union-attr]


def test_formats_that_are_not_linear_are_left_to_libsndfile(tmp_path: Path, noise: Any) -> None:
    soundfile.write(tmp_path / "a.wav", noise(500).T, 8000, subtype="MS_ADPCM")
    soundfile.write(tmp_path / "b.wav", noise(500).T, 8000, subtype="PCM_16", endian="BIG")
    for name in ("a.wav", "b.wav"):
        with (tmp_path / name).open("rb") as file:
            header = read_header(file)
        assert header is not None
        assert header.format.subtype == ""


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 120), st.booleans())
def test_no_header_is_too_strange(noise_bytes: bytes, place: int, cut: bool) -> None:
    data = file_header(WavFormat.linear("FLOAT", 44100, 3), 10, TAGS)
    data = data[:place] + noise_bytes + (b"" if cut else data[place + len(noise_bytes) :])
    header = read_header(io.BytesIO(data))
    assert header is None or header.offset <= len(data)
