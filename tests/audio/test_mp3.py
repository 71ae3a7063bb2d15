"""The length of MP3s: with and without tag, joined, cut, with junk around; against what the encoder was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musr_cli.audio.mp3 import CorrectedFile, Frame, count_frames
from musr_cli.errors import MusrError
from tests.audio.conftest import read_audio

FRAME = 1152
FRAMES = 60
# what a decoder is behind; where no LAME tag says more, libmpg123 leaves out this much
DECODER_DELAY = 529


@pytest.fixture
def vbr(tmp_path: Path, noise: Any) -> bytes:
    """A loud start and a near silent rest: the size of the first frame says nothing about the others."""
    x = noise(FRAMES * FRAME)
    x[:, 8 * FRAME :] *= 1e-4
    path = tmp_path / "vbr.mp3"
    with soundfile.SoundFile(
        path, "w", 44100, 2, "MPEG_LAYER_III", compression_level=0.3, bitrate_mode="VARIABLE"
    ) as sound:
        sound.write(x.T)
    return path.read_bytes()


def frame_at(data: bytes, position: int) -> Frame:
    frame = Frame.parse(int.from_bytes(data[position : position + 4], "big"))
    assert frame is not None
    return frame


def without_tag(data: bytes) -> bytes:
    return data[frame_at(data, 0).size :]


def read(data: bytes, tmp_path: Path) -> np.ndarray:
    path = tmp_path / "read.mp3"
    path.write_bytes(data)
    return read_audio(path)


def test_a_whole_file_is_left_to_libmpg123(vbr: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(vbr)
    count = count_frames(tmp_path / "a.mp3", 0)
    assert count is not None
    assert count.tag is not None
    assert count.frames == count.tag.frames
    assert not count.misleading
    assert read(vbr, tmp_path).shape == (2, FRAMES * FRAME)


def test_without_a_tag_nothing_is_lost(vbr: bytes, tmp_path: Path) -> None:
    bare = without_tag(vbr)
    path = tmp_path / "bare.mp3"
    path.write_bytes(bare)
    # what would be lost without a count
    assert soundfile.info(path).frames < 0.5 * FRAMES * FRAME
    count = count_frames(path, 0)
    assert count is not None
    assert read(bare, tmp_path).shape[1] == count.frames * FRAME - DECODER_DELAY
    assert count.frames * FRAME > FRAMES * FRAME


def test_two_files_joined_are_both_read(vbr: bytes, tmp_path: Path) -> None:
    assert read(vbr + vbr, tmp_path).shape[1] > 2 * FRAMES * FRAME - FRAME


def test_the_start_is_the_same_with_a_tag_put_in(vbr: bytes, tmp_path: Path) -> None:
    plain = read(vbr, tmp_path)[:, : 4 * FRAME]
    corrected = read(without_tag(vbr), tmp_path)
    # the LAME tag that is gone said how much silence the encoder put in front
    delays = range(4 * FRAME)
    delay = min(delays, key=lambda d: float(np.abs(corrected[:, d : d + 2000] - plain[:, :2000]).sum()))
    np.testing.assert_allclose(corrected[:, delay : delay + 2000], plain[:, :2000], atol=1e-4)


@pytest.mark.parametrize("junk", [b"\0" * 700, b"\xff\xfb junk " * 90, b"\xff" * 500])
def test_junk_in_front_is_passed_over(junk: bytes, vbr: bytes, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(junk + vbr, tmp_path), read(vbr, tmp_path))


@pytest.mark.parametrize("tag", [b"TAG" + bytes(125), b"APETAGEX" + bytes(5000), b"\xff" * 500])
def test_tags_behind_the_music_are_no_music(
    tag: bytes, vbr: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    np.testing.assert_array_equal(read(vbr + tag, tmp_path), read(vbr, tmp_path))
    # libmpg123 would complain there of a size that is off
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_cut_file_is_refused(part: float, vbr: bytes, tmp_path: Path) -> None:
    with pytest.raises(MusrError, match=r"read\.mp3: truncated: \d+ of the 61 frames"):
        read(vbr[: int(part * len(vbr))], tmp_path)


def test_what_is_no_mp3_is_refused(tmp_path: Path) -> None:
    for data in (b"\xff\xfb\x90", b"ID3\x04\0\0\0\0\0\x05" + bytes(200), b"\xff\xfa" * 9000):
        with pytest.raises(MusrError, match=r"read\.mp3: there are no MP3 frames in it"):
            read(data, tmp_path)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (11025, 2), (16000, 1), (24000, 2), (32000, 1), (48000, 2)])
def test_all_versions_and_modes_are_counted(rate: int, channels: int, tmp_path: Path, noise: Any) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(3 * rate // 2, channels).T, rate)
    count = count_frames(path, 0)
    assert count is not None
    assert count.tag is not None
    assert count.frames == count.tag.frames
    bare = without_tag(path.read_bytes())
    assert read(bare, tmp_path).shape[1] >= 3 * rate // 2


def test_a_corrected_file_reads_alike_in_any_pieces(vbr: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(bytes(100) + without_tag(vbr))
    count = count_frames(path, 0)
    assert count is not None
    with path.open("rb") as file:
        corrected = CorrectedFile(file, count)
        whole = corrected.read(10**6)
        assert len(whole) == corrected.seek(0, 2)
        assert whole.endswith(without_tag(vbr)) and whole[36:40] == b"Xing"
        rng = np.random.default_rng(0)
        for _ in range(300):
            start, size = (int(n) for n in rng.integers(0, 3000, 2))
            assert corrected.seek(start, 0) == corrected.tell() == start
            assert corrected.read(size) == whole[start : start + size]
            assert corrected.seek(-1, 1) == start + len(whole[start : start + size]) - 1
