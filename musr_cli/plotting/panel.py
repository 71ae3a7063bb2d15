"""What a picture shows of one file, gathered in one pass over it in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.reading import AudioSource, open_source
from musr_cli.dsp.band_edge import BandEdge, EdgeDetector
from musr_cli.dsp.spectrum import LongTermSpectrum
from musr_cli.errors import MusrError
from musr_cli.plotting.spectrogram import Spectrogram, half_window

RESOLUTION_HZ = 43.0
"""Of the long-term spectrum: a line that the eye can follow, not every partial."""

FLOOR = 1e-20


@dataclass(frozen=True)
class Excerpt:
    """The part of every file that is shown, from `start_s` on; `seconds` None means up to the end."""

    start_s: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True)
class Panel:
    """One file.

    Attributes:
        path: the file.
        sample_rate: in Hz.
        channels: number of channels.
        start_s: time of the first column, in seconds.
        seconds: length shown.
        columns_db: spectrogram [bins, columns], dB below a full-scale sine; bins from 0 Hz to the Nyquist frequency.
        density_db: long-term spectrum [F], dB below full scale² per Hz, at equal distances from 0 Hz to the Nyquist
            frequency.
        edge: band edge of what is shown.
    """

    path: Path
    sample_rate: int
    channels: int
    start_s: float
    seconds: float
    columns_db: NDArray[np.float64]
    density_db: NDArray[np.float64]
    edge: BandEdge


def read_panel(path: Path, excerpt: Excerpt = Excerpt()) -> Panel:
    """Look at a file.

    Raises:
        MusrError: the file cannot be read, or holds nothing in the excerpt.
    """
    with open_source(path) as source:
        rate, channels = source.info.sample_rate, source.info.channels
        first, last = _range(source, excerpt)
        # frames at the ends of an excerpt see the real neighbours: a cut would look like a click
        lead = min(first, half_window(rate))
        picture, detector = Spectrogram(rate, last - first, lead), EdgeDetector(rate)
        spectrum = LongTermSpectrum(rate, resolution_hz=RESOLUTION_HZ)
        for block in _cut(source, first - lead, last + half_window(rate)):
            for observer in (picture, detector, spectrum):
                observer.push(block)
    picture.finish()
    return Panel(
        path=path,
        sample_rate=rate,
        channels=channels,
        start_s=first / rate,
        seconds=(last - first) / rate,
        columns_db=picture.columns_db,
        density_db=10 * np.log10(np.maximum(spectrum.mean(), FLOOR)),
        edge=detector.result(),
    )


def _range(source: AudioSource, excerpt: Excerpt) -> tuple[int, int]:
    """First sample to show, and the one after the last."""
    info = source.info
    frames = info.frames or 0
    first = round(excerpt.start_s * info.sample_rate)
    last = frames if excerpt.seconds is None else min(frames, first + round(excerpt.seconds * info.sample_rate))
    if not frames:
        raise MusrError(f"{info.path}: holds no samples, nothing to draw")
    if first >= last:
        raise MusrError(
            f"{info.path}: ends at {frames / info.sample_rate:.2f} s, before what was asked for; try --start 0"
        )
    return first, last


def _cut(source: AudioSource, first: int, last: int) -> Iterator[NDArray[Any]]:
    """Blocks of samples `first` … `last`."""
    position = 0
    for block in source.blocks():
        if position >= last:
            return
        part = block[:, max(first - position, 0) : last - position]
        position += block.shape[-1]
        if part.shape[-1]:
            yield part
