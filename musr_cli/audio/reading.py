"""Audio from files and pipes, in blocks, however long it is.

A file is refused rather than read in part: truncated, damaged and non-finite samples are errors of one line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import stat
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from musr_cli.audio import id3, integrity, mp3, wav
from musr_cli.audio.files import failure
from musr_cli.audio.formats import CONTAINERS, PIPE, AudioInfo, Place, needs_float64, stored_order
from musr_cli.audio.libsndfile import ForwardFile, Samples
from musr_cli.errors import MusrError

# 1.5 s at 44.1 kHz: long enough that the work per block does not matter
BLOCK_FRAMES = 65_536
# a damaged header may claim 1024 channels: 32 MB is as much as a block gets
_BLOCK_SAMPLES = 1 << 23

# what libsndfile says where it cannot know the length
_UNKNOWN_FRAMES = 2**62

# rates of anything that one would call audio; outside, a header is damaged
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 1_000, 768_000

# How much less than its length a whole file may hold. An Ogg that was cut out of another ends up to a block early;
# libmpg123 passes over damaged frames, and whether all are there was checked when they were counted.
_SLACK_FRAMES = {"OGG": 8192, "OPUS": 8192, "MP3": sys.maxsize}

_COPY_BYTES = 1 << 20
_CONVERT = "give wav, flac, ogg, opus, mp3, aiff, w64, rf64, au or caf, or convert it first, for example with ffmpeg"
_REPAIR = "copy it again from where it came, or repair it first"


class AudioSource(ABC):
    """Audio that can be read from start to end in blocks; a context manager.

    Attributes:
        info: rate, channels, length and tags.
        can_reread: whether `blocks` can be asked for more than once: yes for files, no for a stream.
    """

    can_reread: bool = True

    def __init__(self, info: AudioInfo) -> None:
        if not _LOWEST_RATE_HZ <= info.sample_rate <= _HIGHEST_RATE_HZ:
            raise MusrError(
                f"{info.name}: its header claims a rate of {info.sample_rate} Hz, which is damage; {_REPAIR}"
            )
        self.info = info

    @abstractmethod
    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Samples]:
        """Read from the start.

        Args:
            frames: samples per channel of a block; the last may be shorter, and all are where channels are very many.

        Yields:
            [C, n], n > 0, channels in the order of WAV: float64 where float32 would lose bits (PCM_32, DOUBLE), else
            float32; integers span −1 … 1.

        Raises:
            MusrError: damaged, shorter than it claims, or not finite.
        """

    def reread(self) -> AudioSource:
        """The same audio, for another pass from the start.

        Raises:
            MusrError: a stream, which passes once.
        """
        if not self.can_reread:
            raise MusrError(f"{self.info.name}: a stream passes once; write it to a file first")
        return self

    @property
    def dtype(self) -> np.dtype[np.float32] | np.dtype[np.float64]:
        """Of the blocks."""
        return np.dtype(np.float64) if needs_float64(self.info.subtype) else np.dtype(np.float32)

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Give back what the source holds."""

    def __enter__(self) -> AudioSource:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()


def open_source(path: Place) -> AudioSource:
    """Open a file, or standard input ("-").

    Linear WAV is taken from a pipe as it comes; anything else that a pipe brings waits in a temporary file.

    Raises:
        MusrError: missing, unreadable, empty, not audio, or shorter than its header claims.
    """
    if path == PIPE:
        if sys.stdin.isatty():
            raise MusrError("standard input: this is a terminal; pipe audio into it, or name a file")
        return _open_stream(sys.stdin.buffer, PIPE)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise MusrError(f"{path}: this is a folder, not an audio file")
        if stat.S_ISREG(mode):
            return _FileSource(path, path)
        with contextlib.ExitStack() as stack:
            source = _open_stream(stack.enter_context(path.open("rb")), path)
            if not source.can_reread:
                # it reads on from there, and closes it
                stack.pop_all()
            return source
    except OSError as error:
        raise failure(path, "read", error) from error


class _FileSource(AudioSource):
    """A file on disk, read by libsndfile; `place` is where messages say that it comes from."""

    def __init__(self, path: Path, place: Place) -> None:
        self._path = path
        self._name = _name(place)
        self._container, self._correction = self._inspect()
        with self._opened() as sound:
            info = _describe(sound, place, self._container)
        super().__init__(self._without_trailer(info) if self._container == "W64" else info)
        if self.info.frames is None:
            # a FLAC that came out of a pipe: a look through it costs a second per 20 minutes
            self.info = dataclasses.replace(self.info, frames=sum(block.shape[-1] for block in self.blocks()))

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Samples]:
        """See `AudioSource.blocks`."""
        info, position = self.info, 0
        buffer: Samples = np.empty((_block_frames(frames, info), info.channels), self.dtype)
        order = np.argsort(stored_order(info.container, info.channels) or range(info.channels))
        with self._opened() as sound:
            # no further than the end: a tag behind it would be a decoder's error
            while len(read := self._read(sound, buffer[: _left(info, position)], position)):
                block: Samples = read.T[order]
                _refuse_not_finite(block, position, info)
                yield block
                position += len(read)
        _refuse_short(position, info)

    def _inspect(self) -> tuple[str, mp3.Count | None]:
        """Container, and for an MP3 the count of its frames where libmpg123 needs it."""
        with self._path.open("rb") as file:
            head = file.read(integrity.HEAD_BYTES)
            if not head:
                raise MusrError(f"{self._name}: the file is empty (0 bytes); {_REPAIR}")
            lead = id3.tag_size(head)
            file.seek(lead)
            container = integrity.sniff(file.read(integrity.HEAD_BYTES))
            if container == "MP3" or (container is None and (lead or self._path.suffix.lower() == ".mp3")):
                return "MP3", self._count(lead)
            if container is None:
                raise MusrError(f"{self._name}: not audio in a format that can be read; {_CONVERT}")
            problem = integrity.shortfall(file, container)
        if problem:
            raise MusrError(f"{self._name}: truncated: {problem}; {_REPAIR}")
        return container, None

    def _count(self, lead: int) -> mp3.Count | None:
        count = mp3.count_frames(self._path, lead)
        if count is None:
            raise MusrError(f"{self._name}: there are no MP3 frames in it; {_CONVERT}")
        if count.truncated and count.tag:
            raise MusrError(
                f"{self._name}: truncated: {count.frames} of the {count.tag.frames} frames that it claims; {_REPAIR}"
            )
        return count if count.misleading else None

    def _without_trailer(self, info: AudioInfo) -> AudioInfo:
        """libsndfile takes for audio what follows it in a W64."""
        with self._path.open("rb") as file:
            claimed = integrity.claimed_bytes(file)
        if claimed is None or info.frames is None or info.subtype not in wav.WIDTHS:
            return info
        return dataclasses.replace(info, frames=min(info.frames, claimed // (wav.WIDTHS[info.subtype] * info.channels)))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[ForwardFile]:
        with contextlib.ExitStack() as stack:
            try:
                sound = stack.enter_context(ForwardFile(self._place(stack)))
            except (soundfile.SoundFileError, TypeError) as error:
                # TypeError: a name that ends with .raw, which soundfile takes for a promise
                raise MusrError(f"{self._name}: not audio that can be read ({_reason(error)}); {_CONVERT}") from error
            # libsndfile goes by the name of a file that is too short to tell
            if sound.format not in (CONTAINERS[self._container].major, "WAVEX"):
                raise MusrError(f"{self._name}: not audio that can be read (too short); {_CONVERT}")
            yield sound

    def _place(self, stack: contextlib.ExitStack) -> str | mp3.CorrectedFile:
        if self._correction is None:
            return str(self._path)
        return mp3.CorrectedFile(stack.enter_context(self._path.open("rb")), self._correction)

    def _read(self, sound: ForwardFile, buffer: Samples, position: int) -> Samples:
        try:
            return sound.read_into(buffer) if len(buffer) else buffer
        except (soundfile.SoundFileError, OSError) as error:
            place_s = position / self.info.sample_rate
            raise MusrError(f"{self._name}: damaged after {place_s:.3f} s ({_reason(error)}); {_REPAIR}") from error


class _SpooledSource(_FileSource):
    """What came through a pipe, in a temporary file that goes with the source."""

    def close(self) -> None:
        """Remove the temporary file."""
        self._path.unlink(missing_ok=True)


class _StreamSource(AudioSource):
    """Linear WAV as it comes down a pipe."""

    can_reread = False

    def __init__(self, stream: BinaryIO, header: wav.WavHeader, place: Place) -> None:
        self._stream, self._form, self._passed = stream, header.format, False
        form = header.format
        # who writes 0 into a pipe does not know either
        frames = header.data_bytes // form.frame_bytes if header.data_bytes else None
        super().__init__(AudioInfo(place, form.sample_rate, form.channels, frames, "WAV", form.subtype, header.tags))

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Samples]:
        """See `AudioSource.blocks`; once only."""
        if self._passed:
            self.reread()
        self._passed = True
        info, form, position = self.info, self._form, 0
        most = _block_frames(frames, info)
        while data := self._stream.read(form.frame_bytes * min(most, _left(info, position))):
            whole = len(data) // form.frame_bytes
            block = wav.decode(data[: whole * form.frame_bytes], form)
            _refuse_not_finite(block, position, info)
            if whole:
                yield block
            position += whole
        _refuse_short(position, info)

    def close(self) -> None:
        """Close a named pipe; standard input stays open."""
        if self.info.path != PIPE:
            self._stream.close()


class _Tee:
    """A stream of which everything read is also written to a file."""

    def __init__(self, stream: BinaryIO, copy: BinaryIO) -> None:
        self._stream, self._copy = stream, copy

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._copy.write(data)
        return data


def _open_stream(stream: BinaryIO, place: Place) -> AudioSource:
    # a file with a name, not an anonymous one: libsndfile opens it once for every pass
    handle, name = tempfile.mkstemp(prefix="musr-", suffix=".spool")
    spool = Path(name)
    try:
        with os.fdopen(handle, "wb") as copy:
            header = wav.read_header(_Tee(stream, copy))
            if not (header and header.format.subtype):
                shutil.copyfileobj(stream, copy, _COPY_BYTES)
        if header and header.format.subtype:
            spool.unlink()
            return _StreamSource(stream, header, place)
        return _SpooledSource(spool, place)
    except BaseException as error:
        spool.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise failure(_name(place), f"kept in {spool.parent}", error) from error
        raise


def _describe(sound: ForwardFile, place: Place, container: str) -> AudioInfo:
    frames = None if sound.frames >= _UNKNOWN_FRAMES else sound.frames
    tags = {key: text for key, text in sound.copy_metadata().items() if text}
    return AudioInfo(place, sound.samplerate, sound.channels, frames, container, sound.subtype, tags)


def _name(place: Place) -> str:
    return "standard input" if place == PIPE else str(place)


def _block_frames(frames: int, info: AudioInfo) -> int:
    return max(1, min(frames, _BLOCK_SAMPLES // info.channels))


def _left(info: AudioInfo, position: int) -> int:
    return sys.maxsize if info.frames is None else info.frames - position


def _refuse_not_finite(block: Samples, position: int, info: AudioInfo) -> None:
    # a sum is quicker than a look at every sample, and finite where all of them are, overflow aside
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(block.sum()) or np.isfinite(block).all():
            return
    place_s = (position + int(np.argmin(np.isfinite(block).all(axis=0)))) / info.sample_rate
    raise MusrError(f"{info.name}: a sample at {place_s:.3f} s is not a number (NaN or infinite); export it again")


def _refuse_short(position: int, info: AudioInfo) -> None:
    if info.frames is not None and position + _SLACK_FRAMES.get(info.container, 0) < info.frames:
        held_s, claimed_s = position / info.sample_rate, info.frames / info.sample_rate
        raise MusrError(
            f"{info.name}: truncated or damaged: {held_s:.3f} s of {claimed_s:.3f} s can be read; {_REPAIR}"
        )


def _reason(error: Exception) -> str:
    """What libsndfile says, as a part of a sentence."""
    if isinstance(error, TypeError):
        return "audio without a header"
    reason = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return str(reason).strip().removeprefix("Error : ").rstrip(".").replace("\n", " ")
