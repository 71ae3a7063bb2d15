"""Several files on one grid of time and frequency, so that pictures of them can be subtracted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.reading import open_source
from musr_cli.errors import MusrError
from musr_cli.plotting.panel import Cut, Excerpt, between, blocks_at, refuse_nothing

PROBE_S = 60.0
"""This much of the start of the excerpt tells how late a file is: 21 MB of stereo at 44.1 kHz."""

SLIGHT_S = 0.1
"""Differences in length that go without saying."""

FindDelay = Callable[[NDArray[Any], NDArray[Any], int], int]
"""Of a reference [C, T] and an estimate at one rate in Hz: by how many samples the estimate is late."""


@dataclass(frozen=True)
class Alignment:
    """How files fit onto the first.

    Attributes:
        cuts: of each file, the same time of the same music at one rate.
        notes: what had to be done, a sentence each.
    """

    cuts: tuple[Cut, ...]
    notes: tuple[str, ...]


def align(paths: Sequence[Path], excerpt: Excerpt, find_delay: FindDelay, max_delay_s: float) -> Alignment:
    """Bring files to the highest of their rates, evened out for delays up to `max_delay_s` and cut to the shortest.

    Raises:
        MusrError: a file that cannot be read, or that holds nothing in the excerpt.
    """
    rates, lengths_s = zip(*(_measured(path) for path in paths), strict=True)
    for path, seconds in zip(paths, lengths_s, strict=True):
        refuse_nothing(path, seconds, excerpt.start_s)
    rate, notes = max(rates), list[str]()
    reference = _probe(paths[0], excerpt, rate)
    delays = [0]
    for path in paths[1:]:
        found = find_delay(reference, _probe(path, excerpt, rate), rate)
        delays.append(_mendable(path, found, found / rate, max_delay_s, notes))
    ends = [math.ceil(seconds * rate) - delay for seconds, delay in zip(lengths_s, delays, strict=True)]
    first = max(round(excerpt.start_s * rate), -min(delays))
    last = min(ends) if excerpt.seconds is None else min(*ends, first + max(round(excerpt.seconds * rate), 1))
    if first >= last:
        raise MusrError(f"{paths[0]}: has no part in common with the others; try --start 0")
    if excerpt.seconds is None and max(ends) - min(ends) > SLIGHT_S * rate:
        notes.append(f"{paths[ends.index(min(ends))]} is the shortest: all are shown up to its end")
    return Alignment(tuple(Cut(rate, first + delay, last + delay, first / rate) for delay in delays), tuple(notes))


def _measured(path: Path) -> tuple[int, float]:
    """Rate in Hz and length in seconds."""
    with open_source(path) as source:
        return source.info.sample_rate, source.info.duration_s or 0.0


def _probe(path: Path, excerpt: Excerpt, rate: int) -> NDArray[np.float32]:
    first = round(excerpt.start_s * rate)
    seconds = min(excerpt.seconds or PROBE_S, PROBE_S)
    with open_source(path) as source:
        blocks = between(blocks_at(source, rate), first, first + max(round(seconds * rate), 1))
        nothing = np.zeros((source.info.channels, 0), np.float32)
        return np.concatenate([nothing, *(block.astype(np.float32) for block in blocks)], axis=1)


def _mendable(path: Path, delay: int, delay_s: float, max_delay_s: float, notes: list[str]) -> int:
    """The delay to even out, in samples."""
    told = f"{path} is {1000 * abs(delay_s):.1f} ms {'late' if delay > 0 else 'early'}"
    if abs(delay_s) > max_delay_s:
        notes.append(f"{told}, more than the {1000 * max_delay_s:.0f} ms that are evened out: left as it is")
        return 0
    if delay:
        notes.append(f"{told}: aligned")
    return delay
