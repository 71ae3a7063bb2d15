"""The clips of a data folder, with what its manifest.csv says of them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile as sf
import torch
from numpy.typing import NDArray

T = TypeVar("T")
AnyClip = TypeVar("AnyClip", bound="Clip")

AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus"}


@dataclass(frozen=True)
class Clip:
    """One piece of music.

    Attributes:
        path: where it lies.
        file: path relative to the folder that the manifest describes.
        source: the project that it comes from; the file itself where no manifest says.
        tier: of the manifest; empty without one.
        bandwidth_hz: where its spectrum ends, in Hz; None where nobody says.
    """

    path: Path
    file: str
    source: str
    tier: str = ""
    bandwidth_hz: float | None = None

    def read(self, seconds: float | None = None) -> tuple[NDArray[np.float32], int]:
        """The first `seconds` as [C, T] float32, and their rate in Hz."""
        with sf.SoundFile(self.path) as stream:
            frames = -1 if seconds is None else round(seconds * stream.samplerate)
            audio = stream.read(frames, dtype="float32", always_2d=True)
            return np.ascontiguousarray(audio.T), int(stream.samplerate)


def find_clips(folder: Path) -> list[Clip]:
    """All clips in `folder`, sorted by path; a manifest.csv in it or beside it adds what it knows."""
    known = {}
    for root in (folder.parent, folder):
        if (root / "manifest.csv").is_file():
            with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
                known |= {(root / row["file"]).resolve(): row for row in csv.DictReader(stream)}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO)
    return [_clip(path, known.get(path.resolve(), {})) for path in paths]


def for_each(clips: Sequence[AnyClip], work: Callable[[AnyClip], T], jobs: int) -> Iterator[T]:
    """`work` of every clip, in order, in processes of one thread each; tells on stderr how far it is."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for done, result in enumerate(pool.map(work, clips), start=1):
            print(f"{done}/{len(clips)} {clips[done - 1].file}", file=sys.stderr)
            yield result


def _clip(path: Path, row: dict[str, str]) -> Clip:
    bandwidth = row.get("bandwidth_hz")
    return Clip(
        path,
        row.get("file", path.name),
        row.get("source", path.name),
        row.get("tier", ""),
        float(bandwidth) if bandwidth else None,
    )
