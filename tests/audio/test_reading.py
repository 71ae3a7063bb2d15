"""Reading: every container whole, in blocks, with its tags; and every way in which a file can be bad."""

from __future__ import annotations

import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musr_cli.audio import wav
from musr_cli.audio.formats import CONTAINERS, suffix_of
from musr_cli.audio.reading import open_source
from musr_cli.errors import MusrError
from tests.audio.conftest import RunPython, read_audio, write_audio

TAGS = {"title": "Étude", "artist": "C. D.", "album": "Vol. 2", "comment": "a: b", "date": "1890", "genre": "piano"}

# W64 and AU have no tags in libsndfile, AIFF only these
HELD_TAGS = {"W64": (), "AU": (), "AIFF": ("title", "artist", "comment")}


@pytest.mark.parametrize("container", CONTAINERS)
class TestEveryContainer:
    def test_it_says_what_it_is(self, container: str, noise: Any, tmp_path: Path) -> None:
        path = write_audio(tmp_path / f"a{suffix_of(container)}", noise(5000), container, depth="same", tags=TAGS)
        with open_source(path) as source:
            info = source.info
        assert (info.container, info.sample_rate, info.channels, info.frames) == (container, 48000, 2, 5000)
        assert info.path == path
        assert info.duration_s == 5000 / 48000
        held = HELD_TAGS.get(container, tuple(TAGS))
        assert {key: info.tags[key] for key in info.tags if key in TAGS} == {key: TAGS[key] for key in held}

    @pytest.mark.parametrize("frames", [1, 777, 1500, 100_000])
    def test_blocks_of_any_size_are_the_whole(self, container: str, frames: int, noise: Any, tmp_path: Path) -> None:
        path = write_audio(tmp_path / f"a{suffix_of(container)}", noise(1500), container, depth="same")
        with soundfile.SoundFile(path) as sound:
            whole = sound.read(dtype="float32", always_2d=True).T
        with open_source(path) as source:
            blocks = list(source.blocks(frames))
            again = list(source.reread().blocks(frames))
        assert all(0 < block.shape[1] <= frames and block.flags.c_contiguous for block in blocks)
        np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)
        np.testing.assert_array_equal(np.concatenate(again, axis=1), whole)

    def test_one_sample_is_enough(self, container: str, noise: Any, tmp_path: Path) -> None:
        path = write_audio(tmp_path / f"a{suffix_of(container)}", noise(1), container, depth="same")
        assert read_audio(path).shape == (2, 1)

    def test_no_sample_is_no_error(self, container: str, tmp_path: Path) -> None:
        silence = np.zeros((2, 0), np.float32)
        path = write_audio(tmp_path / f"a{suffix_of(container)}", silence, container, depth="same")
        # MP3 and Opus cannot be empty
        frames = 1 if container in ("MP3", "OPUS") else 0
        assert read_audio(path).shape == (2, frames)
        with open_source(path) as source:
            assert source.info.frames == frames


@pytest.mark.parametrize("container", ["MP3", "OGG", "OPUS"])
def test_blocks_of_lossy_formats_join_without_a_seam_at_low_rates(container: str, tmp_path: Path, music: Any) -> None:
    # a seek between blocks would empty the bit reservoir
    path = tmp_path / f"a{suffix_of(container)}"
    form = CONTAINERS[container]
    soundfile.write(path, music(16000, 3.0).T, 16000, form.codec, format=form.major, compression_level=0.98)
    np.testing.assert_array_equal(read_audio(path, 500), read_audio(path, 1 << 20))


def test_channels_keep_their_order(tmp_path: Path) -> None:
    x = np.repeat(np.arange(1, 9)[:, None] / 16, 50, axis=1).astype(np.float32)
    for container in ("WAV", "FLAC", "AIFF", "CAF", "W64", "AU"):
        np.testing.assert_array_equal(read_audio(write_audio(tmp_path / "a", x, container)), x)


@pytest.mark.parametrize("container", ["OGG", "OPUS"])
@pytest.mark.parametrize("channels", range(1, 9))
def test_speakers_keep_their_place_in_ogg_too(container: str, channels: int, tmp_path: Path) -> None:
    # a tone of its own for every channel, as lossy formats would take the same one for a joint signal
    tones_hz = 300 * np.arange(1, channels + 1)[:, None]
    x = (0.2 * np.sin(2 * np.pi * tones_hz * np.arange(12_000) / 48_000)).astype(np.float32)
    if channels > 5:
        # the low-frequency channel of Opus holds nothing higher
        x[3] = 0.2 * np.sin(2 * np.pi * 60 * np.arange(12_000) / 48_000)
    path = write_audio(tmp_path / "a", x, container, depth="same")
    y = read_audio(path)
    heard = np.abs(y[:, 2000:-2000] @ x[:, 2000:-2000].T)
    np.testing.assert_array_equal(heard.argmax(axis=1), range(channels))
    if channels > 2:
        # and the middle of the three in front is the centre, as the specifications have it
        stored = soundfile.read(path, always_2d=True)[0].T
        centre = 1 if channels in (3, 5, 6, 7, 8) else 2
        assert np.abs(stored[centre, 2000:-2000] @ x[2, 2000:-2000]) > 0.5 * heard[2, 2]


@pytest.mark.parametrize(("subtype", "dtype"), [("PCM_24", "f4"), ("PCM_32", "f8"), ("FLOAT", "f4"), ("DOUBLE", "f8")])
def test_blocks_are_as_fine_as_the_file(subtype: str, dtype: str, tmp_path: Path, noise: Any) -> None:
    x = noise(1000).astype(dtype)
    soundfile.write(tmp_path / "a.aiff", x.T, 8000, subtype)
    with open_source(tmp_path / "a.aiff") as source:
        assert source.dtype == dtype
        assert {block.dtype.str[1:] for block in source.blocks(300)} == {dtype}


def test_what_follows_the_audio_of_a_w64_is_not_played(tmp_path: Path, noise: Any) -> None:
    path = write_audio(tmp_path / "a.w64", noise(1000), "W64")
    with path.open("ab") as file:
        file.write(
            b"junk\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a" + (24 + 80).to_bytes(8, "little") + b"\x40" * 80
        )
    assert read_audio(path).shape == (2, 1000)


def test_a_flac_without_length_is_measured(tmp_path: Path, noise: Any) -> None:
    path = write_audio(tmp_path / "a.flac", noise(10_000), "FLAC")
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.info.frames == 10_000
    assert read_audio(path).shape == (2, 10_000)


def test_many_channels_get_smaller_blocks_not_more_memory(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", np.zeros((1024, 8400), np.float32))
    with open_source(path) as source:
        assert max(block.size for block in source.blocks()) <= 1 << 23


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak_bytes(frames: int) -> int:
        path = write_audio(tmp_path / f"{frames}.flac", np.zeros((2, frames), np.float32), "FLAC")
        tracemalloc.start()
        with open_source(path) as source:
            for _ in source.blocks():
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(2_000_000) < 1.1 * peak_bytes(200_000)


class TestBadFiles:
    def refused(self, path: Path) -> str:
        with pytest.raises(MusrError) as error:
            read_audio(path)
        message = str(error.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        return message

    def test_missing(self, tmp_path: Path) -> None:
        assert "there is no such file" in self.refused(tmp_path / "none.wav")

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").touch()
        assert "the file is empty (0 bytes)" in self.refused(tmp_path / "a.wav")

    def test_folder(self, tmp_path: Path) -> None:
        assert "this is a folder" in self.refused(tmp_path)

    @pytest.mark.parametrize("name", ["a.wav", "a.au", "a.mp3", "a.raw", "a.gsm"])
    @pytest.mark.parametrize(
        "data", [b"hello world\n" * 99, bytes(5000), b"RIFF\x10\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"caff"]
    )
    def test_not_audio(self, name: str, data: bytes, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(data)
        message = self.refused(tmp_path / name)
        assert "convert it first" in message or "copy it again" in message

    def test_a_wav_named_raw_is_an_error_of_one_line(self, tmp_path: Path, noise: Any) -> None:
        assert "headerless" not in self.refused(write_audio(tmp_path / "a.raw", noise(10)))

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is readable to root")
    def test_unreadable(self, tmp_path: Path, noise: Any) -> None:
        path = write_audio(tmp_path / "a.wav", noise(10))
        path.chmod(0)
        assert "permission denied" in self.refused(path)

    def test_a_link_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").symlink_to(tmp_path / "a.wav")
        assert "symbolic links lead round in a circle" in self.refused(tmp_path / "a.wav")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
    def test_not_finite(self, value: float, subtype: str, tmp_path: Path) -> None:
        x = np.zeros((30_000, 2))
        x[12_000, 1] = x[13_000, 0] = value
        soundfile.write(tmp_path / "a.wav", x, 8000, subtype)
        assert "a sample at 1.500 s is not a number" in self.refused(tmp_path / "a.wav")

    def test_huge_but_finite_is_passed_on(self, tmp_path: Path) -> None:
        x = np.full((1000, 2), 3e38, np.float32)
        soundfile.write(tmp_path / "a.wav", x, 8000, "FLOAT")
        np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), x.T)

    @pytest.mark.parametrize("rate", [1, 999, 800_000, 2_000_000_000])
    def test_a_rate_that_is_no_rate(self, rate: int, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", np.zeros(10), rate)
        assert f"claims a rate of {rate} Hz" in self.refused(tmp_path / "a.wav")

    def test_damage_in_the_middle_is_named_with_its_place(self, tmp_path: Path, noise: Any) -> None:
        path = write_audio(tmp_path / "a.flac", noise(480_000), "FLAC")
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
        path.write_bytes(data)
        assert "damaged after " in self.refused(path)


# what a child process does with its standard input
COUNT = """
import sys
from musr_cli.audio.reading import open_source
from musr_cli.errors import MusrError
try:
    with open_source("-") as source:
        total = sum(block.shape[1] for block in source.blocks())
        info = source.info
        print(info.container, info.subtype, info.frames, total, source.can_reread, dict(info.tags))
except MusrError as error:
    print("refused:", error)
"""


class TestPipes:
    def count(self, data: bytes, run_python: RunPython) -> str:
        result = run_python(COUNT, input=data)
        assert result.stderr == b""
        return result.stdout.decode().strip()

    @pytest.mark.parametrize("container", CONTAINERS)
    def test_any_format_comes_through_a_pipe(
        self, container: str, noise: Any, tmp_path: Path, run_python: RunPython
    ) -> None:
        path = write_audio(tmp_path / "a", noise(70_000), container, depth="same", tags={"title": "T"})
        told = self.count(path.read_bytes(), run_python).split()
        assert (told[0], told[2], told[3]) == ("WAV" if container == "RF64" else container, "70000", "70000")
        assert told[4] == str(container not in ("WAV", "RF64"))
        assert ("'T'" in told[-1]) == (container not in ("W64", "AU"))

    def test_a_stream_of_unknown_length_is_read_to_its_end(self, noise: Any, run_python: RunPython) -> None:
        x = noise(70_001)
        for subtype in ("PCM_16", "PCM_24", "FLOAT"):
            form = wav.WavFormat.linear(subtype, 44100, 2)
            told = self.count(wav.stream_header(form) + wav.encode(x, subtype), run_python)
            assert told == f"WAV {subtype} None 70001 False {{}}"

    def test_a_stream_that_ends_early_is_refused(self, noise: Any, tmp_path: Path, run_python: RunPython) -> None:
        data = write_audio(tmp_path / "a.wav", noise(48_000)).read_bytes()
        told = self.count(data[: len(data) // 4], run_python)
        assert told.startswith("refused: standard input: truncated or damaged: 0.250 s of 1.000 s")

    @pytest.mark.parametrize("data", [b"", b"RIFF", b"hello", b"RIFF\0\0\0\0WAVEJUNK\xff\xff\xff\xff" + bytes(1000)])
    def test_what_is_not_audio_is_refused(self, data: bytes, run_python: RunPython) -> None:
        assert self.count(data, run_python).startswith("refused: standard input: ")

    def test_nothing_is_left_in_the_temporary_folder(
        self, noise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_python: RunPython
    ) -> None:
        spool = tmp_path / "spool"
        spool.mkdir()
        monkeypatch.setenv("TMPDIR", str(spool))
        monkeypatch.setenv("TEMP", str(spool))
        for container in ("FLAC", "WAV"):
            data = write_audio(tmp_path / "a", noise(1000), container).read_bytes()
            assert self.count(data, run_python).split()[3] == "1000"
            self.count(data[:-500], run_python)
        assert list(spool.iterdir()) == []

    @pytest.mark.skipif(os.name == "nt", reason="there are no named pipes of this kind")
    @pytest.mark.parametrize("container", ["WAV", "FLAC"])
    def test_a_named_pipe_is_read_like_standard_input(
        self, container: str, noise: Any, tmp_path: Path, run_python: RunPython
    ) -> None:
        data = write_audio(tmp_path / "a", noise(70_000), container).read_bytes()
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        code = COUNT.replace('"-"', "__import__('pathlib').Path(sys.argv[1])")
        # opening waits for the other side
        feeder = threading.Thread(target=fifo.write_bytes, args=(data,))
        feeder.start()
        result = run_python(code, fifo)
        feeder.join()
        assert result.stderr == b""
        assert result.stdout.split()[3] == b"70000"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.integers(0, 3000), channels=st.integers(1, 8), block=st.integers(1, 4000),
    container=st.sampled_from(("WAV", "FLAC", "AIFF", "CAF", "W64", "AU", "RF64")), depth=st.sampled_from(("16", "24")),
)  # fmt: skip
def test_any_length_comes_back_sample_for_sample(
    frames: int, channels: int, block: int, container: str, depth: str, tmp_path: Path
) -> None:
    scale = 2 ** (int(depth) - 1)
    x = np.random.default_rng(frames).integers(-scale, scale, (channels, frames)) / scale
    path = write_audio(tmp_path / "a", x.astype(np.float32), container, depth=depth)
    np.testing.assert_array_equal(read_audio(path, block), x)
