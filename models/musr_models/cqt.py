"""The constant-Q transform: bands in equal steps of pitch, invertible, in slices.

Non-stationary Gabor frames (Velasco et al. 2011; Schörkhuber et al. 2014) with one rate for all bands, as Miron &
Davies 2018 use them. They transform whole tracks; this one transforms slices of 1.6 s on an absolute grid, so that
tracks of any length take the memory of a few slices. docs/autoencoders.md says how libraries fared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musr_models.transforms import Transform, cached_tensor

NARROWEST = 4.0
"""Bins of a slice's FFT that a band has at least: the lowest bands would fall between them."""

TAPER = 1 / 8
"""Share of a slice over which it is faded in, and out; between them it counts, and cross-fades with its neighbours."""


@dataclass(frozen=True)
class Cqt(Transform):
    """Constant-Q transform; bin 0 and the last one hold what lies below and above the bands.

    Slices begin at every multiple of half their length, the first half a slice before the signal; their frames follow
    one another: frame n of the spectrum is frame n mod `frames_per_slice` of its slice.

    Attributes:
        sample_rate: in Hz.
        lowest_hz: centre of the lowest band.
        per_octave: bands in an octave.
        hop: samples by which the signal goes on from frame to frame: half of what lies between the frames of a slice,
            since slices lie over each other. Twice 34 make 649 frames a second (Miron & Davies, 4.1.2: 647).
        frames_per_slice: frames in a slice; more than the widest band has bins.
    """

    sample_rate: int = 44100
    lowest_hz: float = 27.5
    per_octave: int = 48
    hop: int = 34
    frames_per_slice: int = 1020

    @property
    def bands(self) -> int:
        """Number of bands: 463 at 44.1 kHz."""
        return int(self.per_octave * math.log2(self.sample_rate / 2 / self.lowest_hz))

    @property
    def bins(self) -> int:
        """Number of rows of a spectrum."""
        return self.bands + 2

    @property
    def slice(self) -> int:
        """Samples of a slice."""
        return 2 * self.align

    @property
    def align(self) -> int:
        """Slices begin at its multiples."""
        return self.hop * self.frames_per_slice

    @property
    def reach(self) -> int:
        """A sample counts in slices that reach this far: where a slice is faded out, its neighbours count."""
        return self.slice - int(TAPER * self.slice)

    def frequencies(self, sample_rate: int) -> NDArray[np.float64]:
        """See `Transform.frequencies`."""
        del sample_rate
        inner = self.lowest_hz * 2 ** (np.arange(self.bands) / self.per_octave)
        return np.concatenate([[0.0], inner, [self.sample_rate / 2]])

    def frames(self, samples: int) -> int:
        """See `Transform.frames`."""
        return (-(-samples // self.align) + 1) * self.frames_per_slice

    def analyse(self, x: Tensor, first_bin: int = 0) -> Tensor:
        """See `Transform.analyse`; bins that are not wanted cost nothing."""
        slices = self.frames(x.shape[-1]) // self.frames_per_slice
        padded = F.pad(x, (self.align, slices * self.align - x.shape[-1]))
        faded = padded.unfold(-1, self.slice, self.align) * _fade(self, x.device)
        start, places = self._places(first_bin, x.device)
        parts = torch.fft.rfft(faded)[..., _source(self, x.device)[start:]] * _analysis(self, x.device)[start:]
        # slice by slice: most of a row is zeros, which take no more room than one slice has of them
        return torch.cat([self._frames(part, places, self.bins - first_bin) for part in parts.unbind(-2)], dim=-1)

    def _places(self, first_bin: int, device: torch.device) -> tuple[int, Tensor]:
        """How many weighted FFT bins belong to rows below `first_bin`, and where the others go."""
        start = sum(len(row.window) for row in _rows(self)[:first_bin])
        return start, _target(self, device)[start:] - first_bin * self.frames_per_slice

    def _frames(self, parts: Tensor, places: Tensor, bins: int) -> Tensor:
        """Weighted FFT bins of one slice [..., P], which belong to `places` [P], → [..., bins, frames_per_slice]."""
        rows = parts.new_zeros(*parts.shape[:-1], bins * self.frames_per_slice)
        rows[..., places] = parts
        frames: Tensor = torch.fft.ifft(rows.reshape(*parts.shape[:-1], bins, self.frames_per_slice))
        return frames

    def synthesise(self, spectrum: Tensor, samples: int) -> Tensor:
        """See `Transform.synthesise`."""
        device, first_bin = spectrum.device, self.bins - spectrum.shape[-2]
        start, places = self._places(first_bin, device)
        frames = torch.split(spectrum, self.frames_per_slice, dim=-1)
        rows = torch.stack([torch.fft.fft(part).flatten(-2)[..., places] for part in frames], dim=-2)
        parts = rows * _synthesis(self, device)[start:]
        half = parts.new_zeros(*parts.shape[:-1], self.slice // 2 + 1)
        slices = torch.fft.irfft(half.index_add(-1, _source(self, device)[start:], parts), n=self.slice)
        first, second = (slices * _crossfade(self, device)).split(self.align, dim=-1)
        # the second half of each slice lies over the first half of the next
        x: Tensor = (first[..., 1:, :] + second[..., :-1, :]).flatten(-2)
        return x[..., :samples]


@dataclass(frozen=True)
class _Row:
    """A row of the transform: bins of a slice's FFT from `first` on, and their weights."""

    first: int
    window: NDArray[np.float64]

    @property
    def bins(self) -> NDArray[np.int64]:
        return self.first + np.arange(len(self.window))


@lru_cache(maxsize=4)
def _rows(cqt: Cqt) -> tuple[_Row, ...]:
    """Hann windows from band to band, which add up to one where they are wide enough, and the rest on both sides."""
    bands, total = tuple(_bands(cqt)), np.zeros(cqt.slice // 2 + 1)
    for row in bands:
        total[row.bins] += row.window
    lowest, highest = (row.first + int(np.argmax(row.window)) for row in (bands[0], bands[-1]))
    below, above = (np.clip(1 - part, 0, 1) for part in (total[: lowest + 1], total[highest:]))
    return _Row(0, below), *bands, _Row(highest, above)


def _bands(cqt: Cqt) -> Iterator[_Row]:
    centres = cqt.lowest_hz * 2 ** (np.arange(-1, cqt.bands + 1) / cqt.per_octave) * cqt.slice / cqt.sample_rate
    for low, high in zip(centres, centres[2:], strict=False):
        centre, width = (low + high) / 2, max(high - low, NARROWEST)
        first = math.ceil(centre - width / 2 + 1e-9)
        last = min(math.floor(centre + width / 2 - 1e-9), cqt.slice // 2)
        bins = np.arange(first, last + 1)
        yield _Row(first, 0.5 + 0.5 * np.cos(2 * np.pi * (bins - centre) / width))


@lru_cache(maxsize=4)
def _overlap(cqt: Cqt) -> NDArray[np.float64]:
    """Sum of the squared windows over each bin of a slice's FFT: the frame operator, which is diagonal."""
    total = np.zeros(cqt.slice // 2 + 1)
    for row in _rows(cqt):
        total[row.bins] += row.window**2
    return total


@cached_tensor
def _source(cqt: Cqt, device: torch.device) -> Tensor:
    """Bins of a slice's FFT that the rows take, one row after the other."""
    return torch.from_numpy(np.concatenate([row.bins for row in _rows(cqt)])).to(device)


@cached_tensor
def _target(cqt: Cqt, device: torch.device) -> Tensor:
    """Where they go, in rows of `frames_per_slice`."""
    places = [index * cqt.frames_per_slice + np.arange(len(row.window)) for index, row in enumerate(_rows(cqt))]
    return torch.from_numpy(np.concatenate(places)).to(device)


@cached_tensor
def _analysis(cqt: Cqt, device: torch.device) -> Tensor:
    return _weights([row.window for row in _rows(cqt)], device)


@cached_tensor
def _synthesis(cqt: Cqt, device: torch.device) -> Tensor:
    """The canonical dual windows (Velasco et al. 2011, eq. 8)."""
    return _weights([row.window / _overlap(cqt)[row.bins] for row in _rows(cqt)], device)


@cached_tensor
def _fade(cqt: Cqt, device: torch.device) -> Tensor:
    """1 but for the tapers."""
    return _plateau(cqt, 0.0, TAPER, device)


@cached_tensor
def _crossfade(cqt: Cqt, device: torch.device) -> Tensor:
    """0 over the tapers; with that of the next slice, half a slice later, it adds up to 1."""
    return _plateau(cqt, TAPER, 0.5 - TAPER, device)


def _plateau(cqt: Cqt, start: float, stop: float, device: torch.device) -> Tensor:
    """Rises from 0 to 1 between shares of a slice, and falls likewise at its end."""
    place = (np.arange(cqt.slice) + 0.5) / cqt.slice
    distance = np.clip((np.minimum(place, 1 - place) - start) / (stop - start), 0, 1)
    return _weights([np.sin(np.pi / 2 * distance) ** 2], device)


def _weights(parts: list[NDArray[np.float64]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(np.float32)).to(device)
