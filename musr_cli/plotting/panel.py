"""What a picture shows of one file, gathered in one pass over it in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.reading import AudioSource, open_source
from musr_cli.audio.resampling import StreamResampler
from musr_cli.dsp.band_edge import BandEdge, EdgeDetector
from musr_cli.dsp.spectrum import LongTermSpectrum
from musr_cli.errors import MusrError
from musr_cli.plotting.edges import EdgeTrack, PartEdge
from musr_cli.plotting.spectrogram import PhaseDerivatives, Spectrogram, half_window

FLOOR = 1e-20


@dataclass(frozen=True)
class Excerpt:
    """The part of every file that is shown, from `start_s` on; `seconds` None means up to the end."""

    start_s: float = 0.0
    seconds: float | None = None


class Cut(NamedTuple):
    """The samples `first` … `last` of a file brought to `sample_rate` Hz, shown as if `first` were at `start_s`."""

    sample_rate: int
    first: int
    last: int
    start_s: float


class Phase(NamedTuple):
    """Derivatives of the phase of a file, [bins, columns], as `PhaseDerivatives` has them."""

    delay_ms: NDArray[np.float64]
    deviation_hz: NDArray[np.float64]
    frames_per_column: int


MapHoles = Callable[[Iterable[NDArray[Any]], int, int, BandEdge], NDArray[np.float64]]
"""(blocks [C, n]; their rate in Hz; number of samples; band edge) → how far cells are below what is expected, in dB."""


@dataclass(frozen=True)
class Panel:
    """One file.

    Attributes:
        path: the file.
        sample_rate: in Hz, that of the picture.
        own_rate: in Hz, that of the file.
        channels: number of channels.
        start_s: time of the first column, in seconds.
        seconds: length shown.
        columns_db: spectrogram [bins, columns], dB below a full-scale sine; bins from 0 Hz to the Nyquist frequency.
        density_db: long-term spectrum [F], dB below full scale² per Hz, at equal distances from 0 Hz to the Nyquist
            frequency.
        edge: band edge of what is shown.
        parts: band edges of its parts, where they were asked for.
        phase: derivatives of its phase, where they were asked for.
        holes_db: how far it is below what is expected, 0 dB where nothing lacks, where that was asked for: [bins,
            columns], bins at equal distances from 0 Hz to the Nyquist frequency.
    """

    path: Path
    sample_rate: int
    own_rate: int
    channels: int
    start_s: float
    seconds: float
    columns_db: NDArray[np.float64]
    density_db: NDArray[np.float64]
    edge: BandEdge
    parts: tuple[PartEdge, ...] = ()
    phase: Phase | None = None
    holes_db: NDArray[np.float64] | None = None


class _Observer(Protocol):
    def push(self, block: NDArray[Any], /) -> None: ...


def read_panel(
    path: Path, where: Excerpt | Cut = Excerpt(), *, with_parts: bool = False, with_phase: bool = False
) -> Panel:
    """Look at a file.

    Raises:
        MusrError: the file cannot be read, or holds nothing in the excerpt.
    """
    with open_source(path) as source:
        cut = where if isinstance(where, Cut) else _cut_of(source, where)
        rate, samples = cut.sample_rate, cut.last - cut.first
        # frames at the ends of an excerpt see the real neighbours: a cut would look like a click
        lead = min(cut.first, half_window(rate))
        picture = (PhaseDerivatives if with_phase else Spectrogram)(rate, samples, lead)
        detector, spectrum = EdgeDetector(rate), LongTermSpectrum(rate)
        track = EdgeTrack(rate, cut.first, cut.last, lead)
        observers: list[_Observer] = [picture, detector, spectrum, *([track] if with_parts else [])]
        for block in between(blocks_at(source, rate), cut.first - lead, cut.last + half_window(rate)):
            for observer in observers:
                observer.push(block)
    picture.finish()
    return Panel(
        path=path,
        sample_rate=rate,
        own_rate=source.info.sample_rate,
        channels=source.info.channels,
        start_s=cut.start_s,
        seconds=samples / rate,
        columns_db=picture.columns_db,
        density_db=10 * np.log10(np.maximum(spectrum.mean(), FLOOR)),
        edge=detector.result(),
        parts=track.parts() if with_parts else (),
        phase=_phase(picture) if isinstance(picture, PhaseDerivatives) else None,
    )


def add_holes(panel: Panel, map_holes: MapHoles) -> Panel:
    """The same panel with its holes, which need a second pass: they are looked for below the edge that was found.

    Raises:
        MusrError: the file cannot be read any more, or nothing knows its holes.
    """
    rate, samples = panel.sample_rate, round(panel.seconds * panel.sample_rate)
    first = round(panel.start_s * rate)
    with open_source(panel.path) as source:
        blocks = between(blocks_at(source, rate), first, first + samples)
        return replace(panel, holes_db=map_holes(blocks, rate, samples, panel.edge))


def blocks_at(source: AudioSource, sample_rate: int) -> Iterator[NDArray[Any]]:
    """All of a source at another rate, ceil(samples · rate / own rate) samples of it."""
    own = source.info
    if own.sample_rate == sample_rate:
        yield from source.blocks()
        return
    resampler = StreamResampler(own.sample_rate, sample_rate, own.channels, source.dtype)
    for block in source.blocks():
        yield resampler.push(block)
    yield resampler.finish()


def between(blocks: Iterable[NDArray[Any]], first: int, last: int) -> Iterator[NDArray[Any]]:
    """What blocks [C, n] hold of the samples `first` … `last`, none of it empty."""
    position = 0
    for block in blocks:
        if position >= last:
            return
        part = block[:, max(first - position, 0) : last - position]
        position += block.shape[-1]
        if part.shape[-1]:
            yield part


def refuse_nothing(path: Path, seconds: float, start_s: float) -> None:
    """Refuse a file of this length from which nothing is left to show.

    Raises:
        MusrError: it is empty, or ends before `start_s`.
    """
    if not seconds:
        raise MusrError(f"{path}: holds no samples, nothing to draw")
    if start_s >= seconds:
        raise MusrError(f"{path}: ends at {seconds:.2f} s, before what was asked for; try --start 0")


def _cut_of(source: AudioSource, excerpt: Excerpt) -> Cut:
    info = source.info
    frames = info.frames or 0
    first = round(excerpt.start_s * info.sample_rate)
    last = frames if excerpt.seconds is None else min(frames, first + round(excerpt.seconds * info.sample_rate))
    refuse_nothing(Path(info.name), frames / info.sample_rate, first / info.sample_rate)
    return Cut(info.sample_rate, first, max(last, first + 1), first / info.sample_rate)


def _phase(picture: PhaseDerivatives) -> Phase:
    return Phase(picture.delay_ms, picture.deviation_hz, picture.frames_per_column)
