"""Audio into files and pipes, block by block: whole or not at all, and never louder or longer than it was given."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, Union

import numpy as np
import soundfile

from musr_cli.audio import id3, wav
from musr_cli.audio.files import AtomicFile, failure
from musr_cli.audio.formats import CONTAINERS, PIPE, Place, bits_of, is_float, refuse_impossible, stored_order
from musr_cli.audio.libsndfile import ForwardFile, Samples
from musr_cli.errors import MusrError

Clip = Literal["warn", "rescale", "none"]
_Target = Union[AtomicFile, "_Stream"]

# written by ourselves, everything else by libsndfile
_WAVS = ("WAV", "RF64")
# of no samples, libsndfile would make files that nothing can read; they get one of silence
_NEVER_EMPTY = ("OPUS", "MP3")
_COPY_BYTES = 1 << 20
_COPY_FRAMES = 1 << 16


class AudioWriter:
    """Writes one file, or a stream ("-"); a context manager.

    A file has a temporary name in its folder until everything is written, and is removed where anything fails. A WAV
    becomes RF64 above 4 GiB. A stream is WAV of unknown length, sent as it is made; other formats are sent once they
    are complete.

    Integer formats cannot hold samples beyond full scale (±1), and players clip those of lossy ones. `clip` says what
    becomes of them: "warn" and "none" cut at full scale (lossy formats get them as they are) and count them in
    `clipped`, for the caller to warn or not; "rescale" lowers the whole file by `gain_db`, for the caller to announce.

    Attributes:
        frames: samples per channel written so far.
        peak: largest magnitude given so far.
        clipped: samples beyond full scale so far; 0 for float formats, which hold them, and after a rescale.
        gain_db: applied to the whole file, known at the end; 0.0 unless it had to be rescaled.
    """

    def __init__(
        self,
        path: Place,
        sample_rate: int,
        channels: int,
        container: str,
        subtype: str,
        *,
        tags: Mapping[str, str] | None = None,
        clip: Clip = "warn",
        make_parents: bool = False,
    ) -> None:
        """Open the temporary file.

        Args:
            path: of the file, or "-" for standard output.
            sample_rate: in Hz.
            channels: how many.
            container: a name of `formats.CONTAINERS`.
            subtype: libsndfile's name of the samples, as `formats.subtype_for` has it.
            tags: by the names of `AudioInfo.tags`; those that the container has no place for are left out.
            clip: "warn", "rescale" or "none".
            make_parents: whether missing folders are made (for mirrored trees); else they are an error.

        Raises:
            MusrError: a rate or a number of channels that the container does not take, or a place that cannot be
                written to.
        """
        refuse_impossible(path, container, sample_rate, channels)
        self.frames, self.peak, self.clipped, self.gain_db = 0, 0.0, 0, 0.0
        self._name = "standard output" if path == PIPE else str(path)
        self._channels, self._limited = channels, not is_float(subtype)
        self._held: BinaryIO | None = None
        self._undo = contextlib.ExitStack()
        with self._failing_safely():
            self._target = _open_target(path, container, make_parents)
            self._undo.callback(self._target.discard)
            form = _Form(self._name, container, subtype, sample_rate, channels, tags or {})
            self._encoder = _open_encoder(self._target, form)
            self._undo.callback(self._encoder.abandon)
            if clip == "rescale" and self._limited:
                held = tempfile.TemporaryFile(dir=self._target.folder)  # noqa: SIM115 - closed by the stack
                self._held = self._undo.enter_context(held)

    def write(self, block: Samples) -> None:
        """Append [C, n], channels in the order of WAV.

        Raises:
            MusrError: the disk is full, whoever read the stream is gone, or a sample is not finite.
        """
        magnitude = np.abs(block)
        peak = float(magnitude.max(initial=0.0))
        with self._failing_safely():
            if not math.isfinite(peak):
                raise MusrError(f"{self._name}: not written: the result is not finite; please report it")
            if self._held:
                # float64, whatever comes: the gain is applied to what was given
                self._held.write(np.ascontiguousarray(block.T, np.float64).tobytes())
            else:
                self._encoder.write(block)
        self.frames += block.shape[-1]
        self.peak = max(self.peak, peak)
        if self._limited and peak > 1:
            self.clipped += int(np.count_nonzero(magnitude > 1))

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        with self._failing_safely(), self._undo:
            if kind is None:
                if self._held:
                    self._write_held(self._held)
                self._encoder.close()
                self._target.commit()

    def _write_held(self, held: BinaryIO) -> None:
        gain = 1 / max(self.peak, 1.0)
        if gain < 1:
            self.gain_db, self.clipped = 20 * math.log10(gain), 0
        held.seek(0)
        while data := held.read(_COPY_FRAMES * self._channels * 8):
            self._encoder.write(gain * np.frombuffer(data).reshape(-1, self._channels).T)

    @contextlib.contextmanager
    def _failing_safely(self) -> Iterator[None]:
        """Whatever goes wrong removes the temporary file, and is told in one line."""
        try:
            yield
        except BaseException as error:
            self._undo.close()
            if isinstance(error, OSError):
                raise failure(self._name, "written", error) from error
            raise


@dataclass(frozen=True)
class _Form:
    """What is written, in the words of `AudioWriter`."""

    name: str
    container: str
    subtype: str
    sample_rate: int
    channels: int
    tags: Mapping[str, str]


class _Stream:
    """Standard output, a named pipe or a device; formats that go back to their header wait in a temporary file.

    Attributes:
        folder: for temporary files: the system's.
        file: to write to.
    """

    folder: Path | None = None

    def __init__(self, stream: BinaryIO, *, direct: bool) -> None:
        self._stream = stream
        self.file: BinaryIO = stream if direct else tempfile.TemporaryFile()  # noqa: SIM115 - closed by `discard`

    def commit(self) -> None:
        if self.file is not self._stream:
            self.file.seek(0)
            shutil.copyfileobj(self.file, self._stream, _COPY_BYTES)
        self._stream.flush()

    def discard(self) -> None:
        for file in (self.file, self._stream):
            # what is left in the buffer has nowhere to go
            with contextlib.suppress(OSError):
                file.close()


def _open_target(path: Place, container: str, make_parents: bool) -> _Target:
    direct = container in _WAVS
    if path == PIPE:
        if sys.stdout.isatty():
            raise MusrError("standard output: this is a terminal; pipe or redirect it, or name a file")
        # a handle of our own: the interpreter flushes its own at the end, and complains where nobody reads
        return _Stream(os.fdopen(os.dup(sys.stdout.fileno()), "wb"), direct=direct)
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        # replacing /dev/null by a file would be a bad surprise
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return _Stream(path.open("wb"), direct=direct)
    return AtomicFile(path, make_parents=make_parents)


class _Encoder(Protocol):
    """What turns samples into the bytes of a format."""

    def write(self, block: Samples) -> None:
        """Append [C, n]."""

    def close(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of the file as it is; harmless after `close`."""


def _open_encoder(target: _Target, form: _Form) -> _Encoder:
    if form.container not in _WAVS:
        return _LibsndfileEncoder(target.file, form)
    layout = wav.WavFormat.linear(form.subtype, form.sample_rate, form.channels)
    if isinstance(target, _Stream):
        return _WavStreamEncoder(target.file, layout)
    return _WavFileEncoder(target.file, layout, form.tags, rf64=form.container == "RF64")


class _WavStreamEncoder:
    """WAV that nobody can go back in."""

    def __init__(self, file: BinaryIO, form: wav.WavFormat) -> None:
        self._file, self._form = file, form
        self._file.write(wav.stream_header(form))

    def write(self, block: Samples) -> None:
        self._file.write(wav.encode(block, self._form.subtype))
        self._file.flush()

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class _WavFileEncoder:
    """WAV whose header gets its sizes at the end."""

    def __init__(self, file: BinaryIO, form: wav.WavFormat, tags: Mapping[str, str], *, rf64: bool) -> None:
        self._file, self._form, self._tags, self._rf64, self._frames = file, form, tags, rf64, 0
        self._write_header()

    def write(self, block: Samples) -> None:
        self._file.write(wav.encode(block, self._form.subtype))
        self._frames += block.shape[-1]

    def close(self) -> None:
        # chunks have even sizes
        self._file.write(bytes(self._frames * self._form.frame_bytes % 2))
        self._file.seek(0)
        self._write_header()

    def abandon(self) -> None:
        pass

    def _write_header(self) -> None:
        self._file.write(wav.file_header(self._form, self._frames, self._tags, rf64=self._rf64))


class _LibsndfileEncoder:
    """Everything else. Integers are rounded here: libsndfile would cut them off."""

    def __init__(self, file: BinaryIO, form: _Form) -> None:
        self._file, self._holds, self._bits = file, CONTAINERS[form.container], bits_of(form.subtype)
        self._form, self._is_empty = form, True
        self._order = stored_order(form.container, form.channels)
        quality = {} if self._holds.quality is None else {"compression_level": self._holds.quality}
        front = id3.encode_tag(form.tags) if form.container == "MP3" else b""
        file.write(front)
        try:
            self._sound = ForwardFile(
                _Behind(file, len(front)), "w", samplerate=form.sample_rate, channels=form.channels,
                format=self._holds.major, subtype=form.subtype, **quality,
            )  # fmt: skip
        except (soundfile.SoundFileError, ValueError) as error:
            library = f"libsndfile {soundfile.__libsndfile_version__}"
            what = f"{form.name}: {library} cannot write {form.container} {form.subtype}; choose another --format"
            raise MusrError(what) from error
        for key, text in form.tags.items() if not front else ():
            # not every container has a place for every tag
            with contextlib.suppress(soundfile.SoundFileError):
                setattr(self._sound, key, text)

    def write(self, block: Samples) -> None:
        block = block if self._order is None else block[list(self._order)]
        if self._bits:
            self._sound.write_frames(wav.quantise(block.T, self._bits) << (32 - self._bits))
        else:
            self._sound.write_frames(block.T)
        self._is_empty &= not block.shape[-1]
        if self._holds.max_bytes is not None and self._file.tell() > self._holds.max_bytes:
            raise MusrError(f"{self._form.name}: {self._holds.name} ends at 4 GiB; choose --format w64, flac or wav")

    def close(self) -> None:
        if self._is_empty and self._form.container in _NEVER_EMPTY:
            self.write(np.zeros((self._form.channels, 1), np.float32))
        self._sound.close()
        if self._is_empty and self._form.container == "FLAC":
            self._file.write(_empty_flac(self._form))

    def abandon(self) -> None:
        self._sound.abandon()


class _Behind:
    """A file as it is seen by who must not touch its first bytes."""

    def __init__(self, file: BinaryIO, front_bytes: int) -> None:
        self._file, self._front_bytes = file, front_bytes

    def read(self, size: int, /) -> bytes:
        return self._file.read(size)

    def write(self, data: bytes, /) -> int:
        return self._file.write(data)

    def seek(self, offset: int, whence: int, /) -> int:
        if whence == os.SEEK_SET:
            offset += self._front_bytes
        return self._file.seek(offset, whence) - self._front_bytes

    def tell(self) -> int:
        return self._file.tell() - self._front_bytes


def _empty_flac(form: _Form) -> bytes:
    """A FLAC of no samples (RFC 9639, section 8.2): libsndfile writes nothing before the first one."""
    block_sizes = (4096).to_bytes(2, "big") * 2
    bits = bits_of(form.subtype) or 16
    stream = form.sample_rate << 44 | (form.channels - 1) << 41 | (bits - 1) << 36
    # the last metadata block: sizes of blocks and (unknown) frames, the stream, no MD5
    return b"fLaC" + bytes((0x80, 0, 0, 34)) + block_sizes + bytes(6) + stream.to_bytes(8, "big") + bytes(16)
