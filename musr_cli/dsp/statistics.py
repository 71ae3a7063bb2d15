"""Level, clipping and silence of a stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SILENCE_DBFS = -72.0
"""Peaks below this count as silence: about 8 steps of 16 bits, less than any tape or room has."""

CLIP_RUN = 3
"""So many full-scale samples in a row are a clipped peak; fewer can be chance."""

_WINDOW_S = 0.01


class Statistics:
    """Gathers, in one pass and bounded memory, what can be said without a spectrum.

    Args:
        sample_rate: in Hz.
        channels: how many.
        bits: of integer samples; None for floats and codecs.

    Attributes:
        frames: samples per channel so far.
        peak: largest magnitude, 1 being full scale.
        clipped_runs: runs of at least `CLIP_RUN` full-scale samples, all channels together.
    """

    def __init__(self, sample_rate: int, channels: int, bits: int | None = None) -> None:
        self.frames, self.peak, self.clipped_runs = 0, 0.0, 0
        self._channels = channels
        self._full_scale = 1.0 - 2.0 ** (1 - bits) if bits else 1.0
        self._squares = 0.0
        self._sums = np.zeros(channels)
        self._window = max(1, round(_WINDOW_S * sample_rate))
        self._window_s = self._window / sample_rate
        self._loud: list[NDArray[np.bool_]] = []
        self._rest: NDArray[np.floating] = np.zeros((channels, 0))
        self._last_full = np.zeros((channels, CLIP_RUN), np.bool_)

    def push(self, block: NDArray[np.floating]) -> None:
        """Take the next block [C, n]."""
        if not block.shape[-1]:
            return
        self.frames += block.shape[-1]
        magnitude = np.abs(block)
        self.peak = max(self.peak, float(magnitude.max(initial=0.0)))
        self._squares += float(np.sum(np.square(block, dtype=np.float64)))
        self._sums += np.sum(block, axis=-1, dtype=np.float64)
        self._count_clipped(magnitude >= self._full_scale)
        self._find_silence(magnitude)

    @property
    def rms(self) -> float:
        """Root mean square over all channels; a full-scale sine has 0.707."""
        return float(np.sqrt(self._squares / max(1, self.frames * self._channels)))

    @property
    def offset(self) -> float:
        """Largest mean of a channel (DC), with its sign."""
        means = self._sums / max(1, self.frames)
        return float(means[np.argmax(np.abs(means))])

    def silence_s(self) -> tuple[float, float, float]:
        """Seconds of silence at the start, at the end, and in total, to within 10 ms."""
        loud = np.concatenate([np.zeros(0, np.bool_), *self._loud])
        if self._rest.shape[-1]:
            loud = np.append(loud, _is_loud(self._rest))
        places = np.flatnonzero(loud)
        # of nothing but silence, all is silent at the start, at the end and in total
        first, last = (places[0], len(loud) - 1 - places[-1]) if len(places) else (len(loud), len(loud))
        start, end, total = (self._window_s * int(count) for count in (first, last, len(loud) - len(places)))
        return start, end, total

    def _count_clipped(self, full: NDArray[np.bool_]) -> None:
        # CLIP_RUN samples of the past are enough to see every run once, where it becomes long enough
        full = np.concatenate([self._last_full, full], axis=-1)
        windows = np.lib.stride_tricks.sliding_window_view(full, CLIP_RUN + 1, axis=-1)
        self.clipped_runs += int(np.count_nonzero(windows[..., 1:].all(axis=-1) & ~windows[..., 0]))
        self._last_full = full[:, -CLIP_RUN:]

    def _find_silence(self, magnitude: NDArray[np.floating]) -> None:
        magnitude = np.concatenate([self._rest, magnitude], axis=-1)
        count = magnitude.shape[-1] // self._window
        whole = magnitude[:, : count * self._window].reshape(self._channels, count, self._window)
        self._loud.append(_is_loud(whole).astype(np.bool_))
        self._rest = magnitude[:, count * self._window :]


def _is_loud(magnitude: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether [C, …, n] is no silence, over channels and time."""
    return np.asarray(magnitude.max(axis=(0, -1)) > 10 ** (SILENCE_DBFS / 20))
