"""Writing: bit for bit, whole or not at all, with announced changes of level only."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musr_cli.audio import formats, wav, writing
from musr_cli.audio.formats import CONTAINERS, suffix_of
from musr_cli.audio.reading import open_source
from musr_cli.audio.writing import AudioWriter
from musr_cli.errors import MusrError
from tests.audio.conftest import RunPython, read_audio, write_audio

INTEGERS = [(name, subtype) for name, c in CONTAINERS.items() for subtype in c.subtypes.values() if "PCM" in subtype]
LOSSY = [name for name, container in CONTAINERS.items() if container.codec]
posix = pytest.mark.skipif(os.name == "nt", reason="no such signals, pipes or limits on Windows")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("container", "subtype"), INTEGERS)
def test_untouched_integers_come_through_bit_for_bit(container: str, subtype: str, tmp_path: Path) -> None:
    bits = formats.bits_of(subtype)
    assert bits is not None
    rng = np.random.default_rng(0)
    # left-justified in 32 bits: what libsndfile takes and gives without any rounding of ours
    integers = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (5000, 2)).astype(np.int64) << (32 - bits)
    source = tmp_path / f"in{suffix_of(container)}"
    soundfile.write(source, integers.astype(np.int32), 48000, subtype, format=CONTAINERS[container].major)
    output = tmp_path / f"out{suffix_of(container)}"
    with (
        open_source(source) as reader,
        AudioWriter(output, 48000, 2, container, formats.subtype_for(container, "same", reader.info.subtype)) as writer,
    ):
        for block in reader.blocks(999):
            writer.write(block)
    assert writer.clipped == 0
    assert soundfile.info(output).subtype == subtype
    np.testing.assert_array_equal(soundfile.read(output, dtype="int32")[0], integers)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "CAF", "W64", "AU", "RF64"])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_are_never_cut_nor_lowered(container: str, subtype: str, noise: Any, tmp_path: Path) -> None:
    x = noise(500, level=5.0).astype("f4" if subtype == "FLOAT" else "f8")
    for clip in ("warn", "rescale", "none"):
        path = tmp_path / "a"
        with AudioWriter(path, 48000, 2, container, subtype, clip=clip) as writer:
            writer.write(x)
        assert (writer.clipped, writer.gain_db, writer.peak) == (0, 0.0, np.abs(x).max())
        np.testing.assert_array_equal(read_audio(path), x)


class TestClipping:
    def write(self, clip: Any, x: Any, tmp_path: Path, container: str = "WAV", subtype: str = "PCM_16") -> Any:
        path = tmp_path / f"a{suffix_of(container)}"
        with AudioWriter(path, 48000, len(x), container, subtype, clip=clip) as writer:
            for block in np.array_split(x, 7, axis=1):
                writer.write(block)
        return writer, read_audio(path)

    @pytest.mark.parametrize("clip", ["warn", "none"])
    def test_peaks_are_cut_and_counted(self, clip: str, tmp_path: Path) -> None:
        x = np.array([[0.5, 1.5, -2.0, 1.0, -1.0, 0.25, 0, 0]], np.float32)
        writer, y = self.write(clip, x, tmp_path)
        assert (writer.clipped, writer.peak, writer.gain_db, writer.frames) == (2, 2.0, 0.0, 8)
        np.testing.assert_allclose(y, np.clip(x, -1, 1), atol=1 / 32767)

    @pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS")])
    def test_rescaling_keeps_the_shape_and_says_by_how_much(
        self, container: str, subtype: str, noise: Any, tmp_path: Path
    ) -> None:
        x = noise(20_000, level=0.8)
        writer, y = self.write("rescale", x, tmp_path, container, subtype)
        assert writer.clipped == 0
        assert writer.gain_db == pytest.approx(-20 * np.log10(np.abs(x).max()))
        if container != "OGG":
            np.testing.assert_allclose(y, x * 10 ** (writer.gain_db / 20), atol=1 / 32767)

    def test_rescaling_leaves_alone_what_fits(self, noise: Any, tmp_path: Path) -> None:
        x = np.round(noise(3000) * 32768) / 32768
        writer, y = self.write("rescale", x, tmp_path)
        assert writer.gain_db == 0.0
        np.testing.assert_array_equal(y, x)

    def test_a_full_scale_square_is_not_called_clipped(self, tmp_path: Path) -> None:
        writer, y = self.write("warn", np.repeat([[1.0, -1.0]], 100, axis=0).reshape(1, -1), tmp_path)
        assert writer.clipped == 0
        assert (y.min(), y.max()) == (-1.0, 32767 / 32768)

    @pytest.mark.parametrize("container", LOSSY)
    def test_lossy_formats_get_their_peaks(self, container: str, tmp_path: Path) -> None:
        x = 1.4 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000)[None].astype(np.float32)
        writer, _ = self.write("warn", x, tmp_path, container, formats.subtype_for(container, "same"))
        assert writer.clipped == np.count_nonzero(np.abs(x) > 1)

    def test_there_is_no_trace_of_the_first_pass(self, noise: Any, tmp_path: Path) -> None:
        self.write("rescale", noise(3000, level=2), tmp_path)
        assert names_in(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("container", LOSSY)
def test_lossy_files_keep_length_place_and_the_new_band(container: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # pink, up to 20 kHz: what a restored recording is like
    spectrum = np.fft.rfft(rng.standard_normal((2, 96_000)))
    frequencies_hz = np.fft.rfftfreq(96_000, 1 / 48_000)
    shaped = spectrum / np.sqrt(np.maximum(frequencies_hz, 20)) * (frequencies_hz < 20_000)
    x = np.fft.irfft(shaped).astype(np.float32)
    x *= 0.3 / np.abs(x).max()
    y = read_audio(write_audio(tmp_path / "a", x, container, depth="same"))
    assert y.shape == x.shape
    # Opus takes out what is below hearing
    low = (frequencies_hz > 100) & (frequencies_hz < 2000)
    error = np.fft.rfft(y - x)[:, low]
    assert 10 * np.log10(np.sum(np.abs(np.fft.rfft(x)[:, low]) ** 2) / np.sum(np.abs(error) ** 2)) > 15
    high = (frequencies_hz > 17_000) & (frequencies_hz < 19_000)
    kept_db = 10 * np.log10(np.sum(np.abs(np.fft.rfft(y)[:, high]) ** 2) / np.sum(np.abs(np.fft.rfft(x)[:, high]) ** 2))
    assert abs(kept_db) < 3


def test_the_same_audio_makes_the_same_wav(noise: Any, tmp_path: Path) -> None:
    files = [write_audio(tmp_path / name, noise(500), depth="float").read_bytes() for name in ("a.wav", "b.wav")]
    assert files[0] == files[1]


class TestLargeFiles:
    def test_a_wav_becomes_rf64_where_32_bits_end(
        self, noise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        x = np.round(noise(5000) * 32768) / 32768
        for limit, form in ((20_500, "WAV"), (20_000, "RF64")):
            monkeypatch.setattr(wav, "RIFF_MAX_BYTES", limit)
            path = write_audio(tmp_path / "a.wav", x, tags={"title": "long"})
            monkeypatch.undo()
            assert soundfile.info(path).format == form
            np.testing.assert_array_equal(read_audio(path), x)
            with open_source(path) as source:
                assert source.info.tags == {"title": "long"}

    @pytest.mark.parametrize("container", ["AIFF", "AU"])
    def test_a_container_that_ends_at_4_gib_refuses_more(
        self, container: str, noise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small = {**CONTAINERS, container: dataclasses.replace(CONTAINERS[container], max_bytes=30_000)}
        monkeypatch.setattr(writing, "CONTAINERS", small)
        write_audio(tmp_path / "a", noise(5000), container)
        with pytest.raises(MusrError, match=f"b: {container} ends at 4 GiB; choose --format w64"):
            write_audio(tmp_path / "b", noise(50_000), container)
        assert names_in(tmp_path) == ["a"]


class TestFailures:
    @pytest.mark.parametrize("container", CONTAINERS)
    @pytest.mark.parametrize("clip", ["warn", "rescale"])
    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_nothing_is_left_of_a_file_that_failed(
        self, container: str, clip: Any, error: type[BaseException], noise: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "a"
        path.write_bytes(b"old")
        subtype = formats.subtype_for(container, "same")
        with pytest.raises(error), AudioWriter(path, 48000, 2, container, subtype, clip=clip) as writer:
            writer.write(noise(30_000))
            raise error
        assert path.read_bytes() == b"old"
        assert names_in(tmp_path) == ["a"]

    @pytest.mark.parametrize("container", CONTAINERS)
    @pytest.mark.parametrize("room", [0, 3000, 20_000])
    def test_a_full_disk_is_one_line_and_leaves_nothing(
        self, container: str, room: int, noise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class FullDisk(io.FileIO):
            def write(self, data: Any, /) -> int:
                if self.tell() + len(data) > room:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(data)

        monkeypatch.setattr(Path, "open", lambda path, mode: FullDisk(path, mode))  # noqa: PLW0108 - to be a method
        with pytest.raises(MusrError, match=r"^.*a: cannot be written: the disk is full; free some space"):
            write_audio(tmp_path / "a", noise(60_000, level=0.3), container, depth="same")
        assert names_in(tmp_path) == []

    def test_a_disk_that_is_full_only_at_the_end(
        self, noise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(MusrError, match="the disk is full"):
            write_audio(tmp_path / "a", noise(100))
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_not_finite_is_never_written(self, value: float, noise: Any, tmp_path: Path) -> None:
        x = noise(1000)
        x[1, 500] = value
        with pytest.raises(MusrError, match="the result is not finite"):
            write_audio(tmp_path / "a", x, depth="float")
        assert names_in(tmp_path) == []

    def test_impossible_rates_are_refused_before_anything_is_made(self, noise: Any, tmp_path: Path) -> None:
        with pytest.raises(MusrError, match="OPUS takes 8000, 12000, 16000, 24000, 48000 Hz, not 44100"):
            write_audio(tmp_path / "a.opus", noise(10), "OPUS", rate=44100, depth="same")
        assert names_in(tmp_path) == []

    def test_a_format_that_libsndfile_lacks_is_one_line(self, noise: Any, tmp_path: Path) -> None:
        with pytest.raises(MusrError, match=r"libsndfile .* cannot write FLAC DOUBLE; choose another --format"):
            write_audio(tmp_path / "a", noise(10), "FLAC", depth="DOUBLE")
        assert names_in(tmp_path) == []

    @posix
    def test_a_limit_of_the_system_is_one_line(self, tmp_path: Path, run_python: RunPython) -> None:
        code = """
import resource, signal, sys, numpy as np
from pathlib import Path
from musr_cli.audio.writing import AudioWriter
from musr_cli.errors import MusrError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for container, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("CAF", "FLOAT"), ("OGG", "VORBIS")):
    try:
        with AudioWriter(Path(sys.argv[1]) / "a", 48000, 2, container, subtype) as writer:
            for seed in range(50):
                writer.write(np.random.default_rng(seed).uniform(-1, 1, (2, 48000)))
    except MusrError as error:
        print(error)
"""
        result = run_python(code, tmp_path)
        assert result.stderr == b""
        assert result.stdout.decode() == 4 * (
            f"{tmp_path}/a: cannot be written: the file system or a limit allows no file of this size; "
            "choose another folder\n"
        )
        assert names_in(tmp_path) == []


# writes for ever, saying so
ENDLESS = """
import sys, numpy as np
from pathlib import Path
from musr_cli.audio.writing import AudioWriter
container, subtype, place = sys.argv[1:]
with AudioWriter("-" if place == "-" else Path(place), 48000, 2, container, subtype) as writer:
    while True:
        writer.write(np.zeros((2, 48000), np.float32))
        print("wrote", file=sys.stderr, flush=True)
"""


@posix
class TestKilled:
    def start(self, container: str, subtype: str, place: Path | str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", ENDLESS, container, subtype, str(place)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stderr is not None
        if place != "-":
            assert child.stderr.readline() == b"wrote\n"
        return child

    @pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("OGG", "VORBIS"), ("FLAC", "PCM_24")])
    def test_ctrl_c_removes_the_temporary_file(self, container: str, subtype: str, tmp_path: Path) -> None:
        child = self.start(container, subtype, tmp_path / "a.wav")
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
        assert errors.strip().endswith(b"KeyboardInterrupt")
        assert b"callback" not in errors
        assert names_in(tmp_path) == []

    def test_a_kill_leaves_no_file_of_that_name(self, tmp_path: Path) -> None:
        child = self.start("WAV", "PCM_16", tmp_path / "a.wav")
        child.kill()
        child.communicate(timeout=30)
        (left,) = names_in(tmp_path)
        assert left.startswith(".a.wav.musr-")
        assert left.endswith(".part")

    @pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16")])
    def test_a_reader_that_goes_away_is_one_line(self, container: str, subtype: str, run_python: RunPython) -> None:
        child = self.start(container, subtype, "-")
        assert child.stdout is not None
        assert child.stdout.read(4) == b"RIFF"
        child.stdout.close()
        assert child.stderr is not None
        errors = child.stderr.read()
        child.stderr.close()
        child.wait(timeout=30)
        last = errors.strip().splitlines()[-1]
        assert last.endswith(b"MusrError: standard output: cannot be written: whoever was to read it is gone")
        # and nothing about it from the interpreter on its way out
        assert b"Exception ignored" not in errors


TO_STDOUT = """
import sys, numpy as np
from musr_cli.audio.writing import AudioWriter
x = np.round(np.random.default_rng(0).uniform(-1, 1, (2, 70000)) * 32000) / 32768
with AudioWriter("-", 48000, 2, sys.argv[1], sys.argv[2], tags={"title": "T"}) as writer:
    for block in np.array_split(x, 5, axis=1):
        writer.write(block)
"""


class TestStreams:
    @pytest.mark.parametrize(
        ("container", "subtype"),
        [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")],
    )
    def test_standard_output_gets_the_audio_and_nothing_else(
        self, container: str, subtype: str, tmp_path: Path, run_python: RunPython
    ) -> None:
        result = run_python(TO_STDOUT, container, subtype)
        assert result.stderr == b""
        (tmp_path / "a").write_bytes(result.stdout)
        y = read_audio(tmp_path / "a")
        assert y.shape == (2, 70_000)
        if container != "OGG":
            np.testing.assert_array_equal(
                y, np.round(np.random.default_rng(0).uniform(-1, 1, (2, 70_000)) * 32_000) / 32_768
            )

    def test_a_streamed_wav_says_that_its_length_is_not_known(self, run_python: RunPython) -> None:
        out = run_python(TO_STDOUT, "WAV", "PCM_16").stdout
        assert out[4:8] == out[40:44] == b"\xff\xff\xff\xff"
        assert len(out) == 44 + 4 * 70_000

    @posix
    @pytest.mark.parametrize("container", ["WAV", "FLAC"])
    def test_a_device_is_written_to_and_not_replaced(self, container: str, noise: Any) -> None:
        write_audio(Path(os.devnull), noise(1000), container)
        assert Path(os.devnull).is_char_device()

    @posix
    def test_a_named_pipe_is_written_to(self, noise: Any, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo.wav"
        os.mkfifo(fifo)
        with subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE) as cat:
            write_audio(fifo, noise(1000))
            out, _ = cat.communicate(timeout=30)
        assert len(out) == 44 + 4000
        assert names_in(tmp_path) == ["fifo.wav"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 2000), max_size=6), channels=st.integers(1, 8),
    kind=st.sampled_from(INTEGERS), clip=st.sampled_from(("warn", "rescale", "none")),
)  # fmt: skip
def test_any_blocks_make_the_same_file(
    sizes: list[int], channels: int, kind: tuple[str, str], clip: Any, tmp_path: Path
) -> None:
    container, subtype = kind
    x = np.random.default_rng(len(sizes)).uniform(-1, 1, (channels, sum(sizes))).astype(np.float32)
    for name, cuts in (("a", np.cumsum(sizes)), ("b", [])):
        with AudioWriter(tmp_path / name, 48000, channels, container, subtype, clip=clip) as writer:
            for block in np.split(x, cuts, axis=1):
                writer.write(block)
        assert writer.frames == sum(sizes)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
