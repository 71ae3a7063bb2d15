"""The rim around libsndfile: errors of the file come out as they are, and a Ctrl-C is late but not lost."""

from __future__ import annotations

import errno
import io
import signal
import threading
from typing import Any

import numpy as np
import pytest
import soundfile

from musr_cli.audio.libsndfile import CallbackFile, ForwardFile, interrupts_held


class FullDisk(io.BytesIO):
    """Takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize(
    ("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None), ("CAF", "FLOAT")]
)
@pytest.mark.parametrize("room", [0, 100, 5000, 12_000])
def test_a_full_disk_is_an_error_of_the_disk(container: str, subtype: str, room: int, noise: Any) -> None:
    def write() -> None:
        form = {"samplerate": 44100, "channels": 2, "format": container, "subtype": subtype}
        sound = ForwardFile(FullDisk(room), "w", **form)
        try:
            sound.write_frames(noise(30_000).T)
        finally:
            sound.close()

    with pytest.raises(OSError, match="No space left") as error:
        write()
    assert error.value.errno == errno.ENOSPC


def test_nothing_is_printed_for_an_error_in_a_callback(noise: Any, capfd: pytest.CaptureFixture[str]) -> None:
    test_a_full_disk_is_an_error_of_the_disk("FLAC", "PCM_16", 5000, noise)
    assert capfd.readouterr().err == ""


def test_after_an_error_nothing_more_is_tried() -> None:
    class Broken(io.BytesIO):
        tries = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.tries += 1
            raise OSError(errno.EIO, "broken")

    broken = Broken()
    file = CallbackFile(broken)
    assert file.read(10) == file.read(10) == b""
    assert broken.tries == 1
    assert isinstance(file.error, OSError)


def test_an_error_while_reading_is_the_error(noise: Any) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 20_000:
                raise OSError(errno.EIO, "broken")
            return super().read(size)

    data = io.BytesIO()
    soundfile.write(data, noise(50_000).T, 44100, format="FLAC")
    sound = ForwardFile(Broken(data.getvalue()))
    buffer = np.empty((50_000, 2), np.float32)
    with pytest.raises(OSError, match="broken"):
        sound.read_into(buffer)
    with pytest.raises(OSError, match="broken"):
        sound.close()


class TestInterrupts:
    def test_one_inside_is_raised_at_the_end(self) -> None:
        reached: list[str] = []

        def work() -> None:
            with interrupts_held():
                signal.raise_signal(signal.SIGINT)
                reached.append("end of the block")

        with pytest.raises(KeyboardInterrupt):
            work()
        assert reached == ["end of the block"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_one_during_a_callback_is_not_swallowed(self, noise: Any, capfd: pytest.CaptureFixture[str]) -> None:
        class Interrupting(io.BytesIO):
            def write(self, data: Any, /) -> int:
                signal.raise_signal(signal.SIGINT)
                return super().write(data)

        file = Interrupting()
        with pytest.raises(KeyboardInterrupt):
            ForwardFile(file, "w", samplerate=44100, channels=2, format="W64", subtype="FLOAT")
        assert capfd.readouterr().err == ""

    def test_a_handler_of_the_program_is_kept(self) -> None:
        heard: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
        try:
            with interrupts_held():
                signal.raise_signal(signal.SIGINT)
                assert heard == []
            assert heard == [signal.SIGINT]
        finally:
            signal.signal(signal.SIGINT, before)

    def test_other_threads_are_left_alone(self) -> None:
        errors: list[BaseException] = []

        def work() -> None:
            try:
                with interrupts_held():
                    pass
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert errors == []
