"""Headers that claim more than there is: found in every container, before anything is read or allocated."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musr_cli.audio.formats import CONTAINERS, suffix_of
from musr_cli.audio.integrity import HEAD_BYTES, shortfall, sniff
from musr_cli.audio.reading import open_source
from musr_cli.errors import MusrError
from tests.audio.conftest import read_audio, write_audio

LINEAR = [name for name, container in CONTAINERS.items() if "PCM_16" in container.subtypes.values()]


def file_of(container: str, noise: Any, tmp_path: Path, **more: Any) -> Path:
    depth = "16" if container in LINEAR else "same"
    return write_audio(tmp_path / f"a{suffix_of(container)}", noise(20_000), container, depth=depth, **more)


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_is_known_by_its_first_bytes(container: str, noise: Any, tmp_path: Path) -> None:
    head = file_of(container, noise, tmp_path).read_bytes()[:HEAD_BYTES]
    assert sniff(head) == container


@pytest.mark.parametrize("head", [b"", b"\xff", b"hello", b"RIFF\0\0\0\0AVI ", b"\0" * 40, b"%PDF-1.7", b"MThd"])
def test_other_files_are_not_audio(head: bytes) -> None:
    assert sniff(head) is None


def test_libsndfile_writes_what_is_sniffed_too(noise: Any, tmp_path: Path) -> None:
    for major, container in (("WAVEX", "WAV"), ("RF64", "RF64"), ("AU", "AU"), ("W64", "W64")):
        for endian in ("FILE", "BIG") if major == "AU" else ("FILE",):
            path = tmp_path / "a"
            soundfile.write(path, noise(100).T, 8000, "PCM_16", endian, major)
            with path.open("rb") as file:
                assert sniff(file.read(HEAD_BYTES)) == container
                assert shortfall(file, container) is None


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("left", [0.3, 0.7, 0.999])
def test_a_truncated_file_is_refused(container: str, left: float, noise: Any, tmp_path: Path) -> None:
    path = file_of(container, noise, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data))])
    with pytest.raises(MusrError, match=rf"^{path}: (truncated|damaged).*; copy it again") as refused:
        read_audio(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("container", LINEAR)
def test_one_missing_byte_counts(container: str, noise: Any, tmp_path: Path) -> None:
    path = file_of(container, noise, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(MusrError, match=r"truncated|damaged"):
        read_audio(path)


@pytest.mark.parametrize("container", LINEAR)
def test_a_whole_file_with_something_behind_it_is_read(container: str, noise: Any, tmp_path: Path) -> None:
    path = file_of(container, noise, tmp_path)
    with path.open("ab") as file:
        file.write(b"TAG" + bytes(125))
    assert read_audio(path).shape == (2, 20_000)


TWENTY_GB = 20 * 10**9


@pytest.mark.parametrize(
    ("container", "old", "new"),
    [
        ("RF64", struct.pack("<Q", 80_000), struct.pack("<Q", TWENTY_GB)),
        ("W64", struct.pack("<Q", 80_024), struct.pack("<Q", TWENTY_GB)),
        ("CAF", struct.pack(">Q", 80_004), struct.pack(">Q", TWENTY_GB)),
        ("WAV", struct.pack("<I", 80_000), struct.pack("<I", 4_000_000_000)),
        ("AIFF", struct.pack(">I", 80_008), struct.pack(">I", 2_000_000_000)),
        ("AU", struct.pack(">I", 80_000), struct.pack(">I", 4_000_000_000)),
    ],
)
def test_twenty_gigabytes_in_a_small_file_are_refused_at_once(
    container: str, old: bytes, new: bytes, noise: Any, tmp_path: Path
) -> None:
    path = file_of(container, noise, tmp_path)
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    with pytest.raises(MusrError, match=rf"truncated: its header claims {'20 GB' if len(new) == 8 else '[24] GB'}"):
        open_source(path)


def test_a_flac_of_more_than_it_can_hold_is_refused_at_once(noise: Any, tmp_path: Path) -> None:
    path = file_of("FLAC", noise, tmp_path)
    data = bytearray(path.read_bytes())
    data[21:26] = (int.from_bytes(data[21:26], "big") | 0xFFFFFFFFF).to_bytes(5, "big")
    path.write_bytes(data)
    with pytest.raises(MusrError, match="claims 68719476735 samples"):
        open_source(path)


def test_silence_is_believed_however_small_its_flac(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", np.zeros((1, 2_000_000), np.float32), "FLAC")
    assert path.stat().st_size < 20_000
    assert read_audio(path, 1 << 20).shape == (1, 2_000_000)


@pytest.mark.parametrize("container", ["OGG", "OPUS"])
def test_joined_oggs_are_refused_rather_than_read_in_part(container: str, noise: Any, tmp_path: Path) -> None:
    path = file_of(container, noise, tmp_path)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(MusrError, match="made of 2 streams"):
        open_source(path)


@pytest.mark.parametrize("container", ["OGG", "OPUS"])
def test_an_ogg_that_ends_at_a_page_is_not_taken_for_whole(container: str, noise: Any, tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.ogg", noise(200_000), container, depth="same")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"OggS")])
    with pytest.raises(MusrError, match="ends before the page that is marked as its last"):
        open_source(path)


def test_an_unclosed_wav_is_not_taken_for_an_empty_one(noise: Any, tmp_path: Path) -> None:
    path = file_of("WAV", noise, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"data" + struct.pack("<I", 80_000), b"data" + bytes(4)))
    with pytest.raises(MusrError, match=r"claims no audio, but 80 kB follow; a pipe"):
        open_source(path)


def test_an_empty_wav_with_chunks_behind_is_empty(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", np.zeros((2, 0), np.float32))
    with path.open("ab") as file:
        file.write(b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert read_audio(path).shape == (2, 0)


def test_an_id3_tag_in_front_of_a_flac_is_passed_over(noise: Any, tmp_path: Path) -> None:
    path = file_of("FLAC", noise, tmp_path)
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x7f" + bytes(127) + path.read_bytes())
    assert read_audio(path).shape == (2, 20_000)


def test_endless_chunks_have_an_end() -> None:
    chunks = b"FORM\0\0\0\0AIFF" + b"JUNK\0\0\0\0" * 50_000
    assert shortfall(io.BytesIO(chunks), "AIFF") is None
