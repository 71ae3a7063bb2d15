"""Clips for training: decoded once into a cache on disk, which crops are read from."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.reading import open_source
from musr_cli.audio.resampling import StreamResampler
from musr_cli.dsp.band_edge import EdgeDetector
from musr_cli.dsp.reach import EXPONENT, reach_hz
from musr_cli.dsp.spectrum import LongTermSpectrum
from musr_cli.errors import MusrError

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus"}
CACHE_LIMIT_BYTES = 40 * 2**30
CHANNELS = 2
"""Mono clips are stored twice: crops choose left, right or the middle."""

_SAMPLE = np.dtype("<f4")
FRAME_BYTES = CHANNELS * _SAMPLE.itemsize

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A decoded file inside the cache.

    Attributes:
        file: path relative to the data folder, with forward slashes.
        start: first sample in the cache.
        samples: length at the cache's rate.
        bandwidth_hz: where its spectrum ends; nothing is learnt above.
    """

    file: str
    start: int
    samples: int
    bandwidth_hz: float


@dataclass(frozen=True)
class ClipCache:
    """All clips of a data folder at one rate, float32 on disk, mapped into memory.

    Not int16: the uppermost octave of a piano lies 70 dB below its lowest. Rounding it there changes the LSD of Zhang
    et al. by 0.2 (measured), which is a quarter of what their networks leave.

    Attributes:
        path: the sample file, [total, 2] float32.
        sample_rate: in Hz.
        clips: what lies where.
    """

    path: Path
    sample_rate: int
    clips: tuple[Clip, ...]

    @cached_property
    def samples(self) -> Array:
        """[total, 2] float32, mapped."""
        return np.memmap(self.path, dtype=_SAMPLE, mode="r").reshape(-1, CHANNELS)

    def crop(self, clip: Clip, start: int, samples: int) -> Array:
        """[2, samples] float32 from `clip`, zeros beyond its end."""
        part = self.samples[clip.start + start : clip.start + min(start + samples, clip.samples)]
        x = np.zeros((CHANNELS, samples), np.float32)
        x[:, : len(part)] = part.T
        return x

    def select(self, keep: Callable[[str], bool]) -> tuple[Clip, ...]:
        """The clips whose file name `keep` accepts."""
        return tuple(clip for clip in self.clips if keep(clip.file))


def matches(file: str, patterns: Sequence[str]) -> bool:
    """Whether the path or its last part matches one of the patterns."""
    return any(fnmatch(file, pattern) or fnmatch(Path(file).name, pattern) for pattern in patterns)


def open_cache(
    data: Path, sample_rate: int, cache_dir: Path, exclude: Sequence[str] = (), note: Callable[[str], None] = print
) -> ClipCache:
    """The cache of `data` at `sample_rate`, decoded now if files changed since it was made.

    A `manifest.csv` in or beside the folder (columns file, bandwidth_hz) says where spectra end; without one it is
    detected: at the band edge, or where an encoder begins to leave parts out.

    Raises:
        MusrError: no audio in `data`, or more than the cache may hold.
    """
    files = [file for file in _audio_files(data) if not matches(file, exclude)]
    if not files:
        raise MusrError(f"{data}: no audio files there; give --data a folder of {', '.join(sorted(SUFFIXES))} files")
    key = _key(data, files, sample_rate)
    index = cache_dir / f"{key}.json"
    if not index.is_file():
        note(f"decoding {len(files)} files of {data} to {sample_rate} Hz, once")
        cache_dir.mkdir(parents=True, exist_ok=True)
        _write_index(index, _decode(data, files, sample_rate, cache_dir / f"{key}.f32", note))
        _evict(cache_dir, keep=index)
    index.touch()
    clips = tuple(Clip(**values) for values in json.loads(index.read_text(encoding="utf-8")))
    return ClipCache(index.with_suffix(".f32"), sample_rate, clips)


def _audio_files(data: Path) -> list[str]:
    found = (path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path.relative_to(data).as_posix() for path in found)


def _key(data: Path, files: Iterable[str], sample_rate: int) -> str:
    stats = ((data / file).stat() for file in files)
    state = [str(data.resolve()), sample_rate, *((s.st_size, s.st_mtime_ns) for s in stats)]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


def _decode(
    data: Path, files: Sequence[str], sample_rate: int, target: Path, note: Callable[[str], None]
) -> list[Clip]:
    bandwidths = _manifest_bandwidths(data)
    clips: list[Clip] = []
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            for file in files:
                start = stream.tell() // FRAME_BYTES
                if start * FRAME_BYTES > CACHE_LIMIT_BYTES:
                    raise MusrError(f"{data}: more than {CACHE_LIMIT_BYTES >> 30} GiB decoded; train on part of it")
                try:
                    bandwidth_hz = _decode_one(data / file, sample_rate, stream.write, bandwidths.get(file))
                except MusrError as error:
                    note(f"left out: {error}")
                    stream.seek(start * FRAME_BYTES)
                    stream.truncate()
                    continue
                samples = stream.tell() // FRAME_BYTES - start
                clips.append(Clip(file, start, samples, bandwidth_hz))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return clips


def _decode_one(path: Path, sample_rate: int, write: Callable[[bytes], object], known_hz: float | None) -> float:
    """Decode one file through `write`; returns where its spectrum ends, in Hz, measured only where nobody knows."""
    with open_source(path) as source:
        info = source.info
        detector, spectrum = EdgeDetector(info.sample_rate), LongTermSpectrum(info.sample_rate, (EXPONENT,))
        resampler = StreamResampler(info.sample_rate, sample_rate, CHANNELS, np.dtype(np.float32))
        for block in source.blocks():
            if known_hz is None:
                detector.push(block)
                spectrum.push(block)
            pair = np.ascontiguousarray(block[[0, min(1, len(block) - 1)]], dtype=np.float32)
            write(interleave(resampler.push(pair)))
        write(interleave(resampler.finish()))
    return known_hz or min(detector.result().cutoff_hz, reach_hz(spectrum), sample_rate / 2)


def interleave(x: NDArray[np.floating]) -> bytes:
    """[2, n] → as they lie in the cache."""
    return np.asarray(x.T, _SAMPLE).tobytes()


def _manifest_bandwidths(data: Path) -> dict[str, float]:
    """bandwidth_hz by file, from a manifest whose paths are relative to its own folder."""
    for folder in (data, data.parent):
        manifest = folder / "manifest.csv"
        if manifest.is_file():
            with manifest.open(newline="", encoding="utf-8") as stream:
                rows = [row for row in csv.DictReader(stream) if row.get("bandwidth_hz")]
            found = ((folder / row["file"], float(row["bandwidth_hz"])) for row in rows)
            return {path.relative_to(data).as_posix(): hz for path, hz in found if path.is_relative_to(data)}
    return {}


def _write_index(index: Path, clips: Sequence[Clip]) -> None:
    part = index.with_suffix(f".{os.getpid()}.json.part")
    part.write_text(json.dumps([asdict(clip) for clip in clips]), encoding="utf-8")
    part.replace(index)


def _evict(cache_dir: Path, keep: Path) -> None:
    """Delete the caches used longest ago until all together fit the limit."""
    indices = sorted(cache_dir.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for index in [keep, *(path for path in indices if path != keep)]:
        samples = index.with_suffix(".f32")
        total += samples.stat().st_size if samples.exists() else 0
        if total > CACHE_LIMIT_BYTES and index != keep:
            samples.unlink(missing_ok=True)
            index.unlink()
