"""The sound of a listening test: the same excerpt of all versions of a recording, of one rate and loudness."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from musr_cli.audio.reading import open_source
from musr_cli.audio.resampling import resample
from musr_cli.degrade import Degradation, apply
from musr_cli.dsp.loudness import integrated_lufs
from musr_cli.errors import MusrError, UsageError
from musr_cli.metrics.comparison import fit_files
from musr_cli.metrics.pairing import Pair
from musr_cli.pages.excerpts import Signal, as_flac, loudest_start, matching_gains

TARGET_LUFS = -23.0
"""Loudness of every version of every clip (EBU R 128): leaves room for nearly any peak."""

FADE_S = 0.02

SHORTEST_S = 1.0
"""Nobody can judge less."""

HIGHEST_RATE_HZ = 48_000
"""Rates above are lowered to it: not every browser and device plays them as they are."""

ANCHOR_FAMILY, ANCHOR_ORDER = "chebyshev1", 10
"""Filter of anchors; both ways, it keeps within the ±0.1 dB, and far below the −25 dB at 4 kHz and −50 dB at 4.5 kHz,
that ITU-R BS.1534-3 allows an anchor of 3.5 kHz."""


@dataclass(frozen=True)
class Cut:
    """The same part of all versions of a recording.

    Attributes:
        name: of the recording.
        sample_rate: in Hz.
        versions: samples [C, T] by condition.
        notes: what it took to make the files comparable, a sentence each.
    """

    name: str
    sample_rate: int
    versions: Mapping[str, Signal]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    """Samples [C, T] of a version that begin at sample `start` of the recording that all are fitted to."""

    start: int
    samples: Signal


def cut_versions(
    name: str, files: Mapping[str, Path], seconds: float, base: str | None = None, expected: str | None = None
) -> Cut:
    """Read all versions of a recording, and keep the loudest part.

    Args:
        name: of the recording.
        files: two or more, by condition.
        seconds: length of the part; the whole where a recording is shorter.
        base: the condition that the others are fitted to (default: the one of the highest rate).
        expected: a condition whose lower rate is not worth a note.

    Raises:
        MusrError: a file that cannot be read or does not fit the others, or less than a second in common.
    """
    base = base or max(files, key=lambda condition: _rate_of(files[condition]))
    pieces: dict[str, _Piece] = {}
    notes: list[str] = []
    window = slice(0, 0)
    for condition, path in files.items():
        if condition == base:
            continue
        fitted = fit_files(Pair(name, files[base], path))
        rate = fitted.sample_rate
        if not pieces:
            begin = fitted.start + loudest_start(fitted.ref, rate, seconds)
            window = slice(begin, begin + round(seconds * rate))
            pieces[base] = _piece(fitted.ref, fitted.start, window)
        pieces[condition] = _piece(fitted.est, fitted.start, window)
        notes += [note for note in fitted.notes if _matters(note, condition == expected)]
    return Cut(name, rate, _in_common({condition: pieces[condition] for condition in files}, name, rate), tuple(notes))


def with_anchors(cut: Cut, source: str, anchors: Mapping[str, float]) -> Cut:
    """The cut with low-passed copies of one version: cutoffs in Hz by the names of the new conditions.

    Raises:
        UsageError: a cutoff above all that the recording can hold.
    """
    too_high = [cutoff_hz for cutoff_hz in anchors.values() if cutoff_hz >= cut.sample_rate / 2]
    if too_high:
        raise UsageError(f"--anchor {too_high[0]:g}: {cut.name} ends at {cut.sample_rate / 2:g} Hz; choose a lower one")
    x = np.asarray(cut.versions[source], np.float32)
    made = {
        name: apply(x, cut.sample_rate, Degradation(ANCHOR_FAMILY, cutoff_hz, ANCHOR_ORDER))
        for name, cutoff_hz in anchors.items()
    }
    return replace(cut, versions={**cut.versions, **made})


def to_rate(cut: Cut, sample_rate: int) -> Cut:
    """The cut at another rate in Hz."""
    versions = {name: resample(x, cut.sample_rate, sample_rate) for name, x in cut.versions.items()}
    return replace(cut, sample_rate=sample_rate, versions=versions)


def level(cut: Cut) -> Cut:
    """The cut with short fades at both ends, all versions at `TARGET_LUFS`, or lower where a peak needs it."""
    versions = [_faded(x, cut.sample_rate) for x in cut.versions.values()]
    scale = _target_gain(versions[0], cut.sample_rate)
    # the first decides, so it is brought to the target before the others are matched with it
    versions[0] = scale * versions[0]
    gains = matching_gains(versions, cut.sample_rate)
    levelled = [gain * x for gain, x in zip(gains, versions, strict=True)]
    return replace(cut, versions=dict(zip(cut.versions, levelled, strict=True)))


def encode(cut: Cut) -> dict[str, str]:
    """Each version as a FLAC file in base64, by condition."""
    return {name: as_flac(x, cut.sample_rate) for name, x in cut.versions.items()}


def _rate_of(path: Path) -> int:
    with open_source(path) as source:
        return source.info.sample_rate


def _matters(note: str, is_low_rate: bool) -> bool:
    """Ends do not: the excerpt lies between them. Nor does a rate that is low on purpose."""
    return "trimmed" not in note and not (is_low_rate and "resampled" in note)


def _piece(x: Signal, start: int, window: slice) -> _Piece:
    """What [C, T], beginning at `start`, has of the window."""
    first = max(window.start, start)
    return _Piece(first, x[:, first - start : max(window.stop - start, 0)].copy())


def _in_common(pieces: Mapping[str, _Piece], name: str, sample_rate: int) -> dict[str, Signal]:
    first = max(piece.start for piece in pieces.values())
    last = min(piece.start + piece.samples.shape[-1] for piece in pieces.values())
    if last - first < SHORTEST_S * sample_rate:
        seconds = max(last - first, 0) / sample_rate
        raise MusrError(
            f"{name}: only {seconds:.2f} s, which nobody can judge; give recordings of {SHORTEST_S:g} s and more"
        )
    return {key: piece.samples[:, first - piece.start : last - piece.start] for key, piece in pieces.items()}


def _faded(x: Signal, sample_rate: int) -> Signal:
    ramp = np.sin(np.linspace(0, np.pi / 2, max(round(FADE_S * sample_rate), 1))) ** 2
    y = np.array(x, np.float64)
    y[:, : len(ramp)] *= ramp
    y[:, -len(ramp) :] *= ramp[::-1]
    return y


def _target_gain(x: Signal, sample_rate: int) -> float:
    lufs = integrated_lufs(x, sample_rate)
    return float(10 ** ((TARGET_LUFS - lufs) / 20)) if math.isfinite(lufs) else 1.0
