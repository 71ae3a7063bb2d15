"""libsndfile as this project uses it: strictly forwards, with files of ours, and with a Ctrl-C that is not lost."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32] | NDArray[np.float64]
T = TypeVar("T")

# libvorbis takes a whole block onto its stack
_WRITE_FRAMES = 8192


class Seekable(Protocol):
    """The part of a binary file that libsndfile asks for."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""

    def write(self, data: bytes, /) -> int:
        """Bytes that were written."""

    def seek(self, offset: int, whence: int, /) -> int:
        """The new position."""

    def tell(self) -> int:
        """The position."""


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc] # it has no types
    """A sound file that is read or written once, from start to end.

    soundfile seeks to where it already is after every block, which makes libmpg123 go on with an empty bit reservoir,
    and FLAC and Vorbis search for the place; it does not where a file says that it cannot seek.
    """

    _callbacks: CallbackFile | None = None

    def __init__(self, place: str | Seekable, mode: str = "r", **form: Any) -> None:
        """Open a path or a file object; `form` as `soundfile.SoundFile` takes it."""
        self._callbacks = None if isinstance(place, str) else CallbackFile(place)
        try:
            with self._careful():
                super().__init__(place if self._callbacks is None else self._callbacks, mode, **form)
        except BaseException:
            # opened, but its header could not be written
            self.abandon()
            raise

    def seekable(self) -> bool:
        """Never."""
        return False

    def read_into(self, buffer: Samples) -> Samples:
        """Fill `buffer` [n, C] and return the part that was filled: all of it until the end is near, then less."""
        with self._careful():
            filled: Samples = self.read(out=buffer)
        return filled

    def write_frames(self, frames: Samples | NDArray[np.int32]) -> None:
        """Write [n, C]."""
        for first in range(0, len(frames), _WRITE_FRAMES):
            with self._careful():
                self.write(np.ascontiguousarray(frames[first : first + _WRITE_FRAMES]))

    def close(self) -> None:
        """Write what is left, and close. May be called again."""
        if not self.closed:
            with self._careful():
                super().close()

    def abandon(self) -> None:
        """Close without a word about what can no longer be written."""
        with contextlib.suppress(soundfile.SoundFileError, OSError):
            self.close()

    @contextlib.contextmanager
    def _careful(self) -> Iterator[None]:
        """Raise what went wrong with the file rather than what libsndfile made of it."""
        try:
            with interrupts_held():
                yield
        except (soundfile.SoundFileError, AssertionError):
            self._raise_first()
            raise
        self._raise_first()

    def _raise_first(self) -> None:
        if self._callbacks and self._callbacks.error:
            raise self._callbacks.error


class CallbackFile:
    """A binary file for libsndfile's callbacks, which must not raise: cffi would print a traceback and go on.

    The first error is kept in `error`, and everything after it looks like the end of the file, or a full disk.
    """

    def __init__(self, file: Seekable) -> None:
        self.error: Exception | None = None
        self._file = file

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer mean the end, or an error."""
        return self._kept(self._file.read, size) or b""

    def write(self, data: bytes) -> int:
        """Bytes that were written; 0 means an error."""
        return self._kept(self._file.write, data) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position."""
        return self._kept(self._file.seek, offset, whence) or 0

    def tell(self) -> int:
        """The position."""
        return self._kept(self._file.tell) or 0

    def _kept(self, operation: Callable[..., T], *arguments: object) -> T | None:
        try:
            return None if self.error else operation(*arguments)
        except Exception as error:
            self.error = error
            return None


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold a Ctrl-C back until the block is left: inside a callback of libsndfile, cffi would swallow it."""
    if threading.current_thread() is not threading.main_thread():
        # signals are delivered to the main thread only
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        # None: a handler that was not installed from Python, and cannot be put back
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        if held:
            signal.raise_signal(signal.SIGINT)
