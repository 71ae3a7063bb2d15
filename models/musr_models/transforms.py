"""The transforms of networks and phase sources: the same code in training, evaluation and the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, ParamSpec, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

P = ParamSpec("P")
WindowName = Literal["hann", "hamming"]

TOP_HZ = (19000.0, 19700.0)
"""Where the new bands of autoencoders for any edge end: hardly any music that they learnt from reaches further."""

_SAME_HZ = 1e-5  # a bin this close above an edge lies at it


def cached_tensor(make: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """`lru_cache` for tensors that are the same in every call of a network.

    The engine may ask first: a tensor made in its inference mode could never take part in training.
    """
    made_for_all = torch.inference_mode(mode=False)(make)
    return cast(Callable[P, Tensor], lru_cache(maxsize=64)(made_for_all))


@cached_tensor
def _window(name: WindowName, length: int, device: torch.device) -> Tensor:
    make = torch.hann_window if name == "hann" else torch.hamming_window
    return make(length, periodic=True, dtype=torch.float32, device=device)


class Transform(ABC):
    """Spectra of signals, and back.

    Frames lie on a grid that begins with the signal: a chunk that begins at a multiple of `align` samples has, from
    frame start / `hop` on, the frames of the whole file, but for those that reach over its ends.

    Attributes:
        hop: samples by which the signal goes on from frame to frame.
    """

    hop: int

    @property
    @abstractmethod
    def bins(self) -> int:
        """Number of rows of a spectrum."""

    @property
    @abstractmethod
    def align(self) -> int:
        """Chunks must start at multiples of this many samples."""

    @property
    @abstractmethod
    def reach(self) -> int:
        """Samples on each side that a sample depends on after `analyse` and `synthesise`."""

    @abstractmethod
    def frequencies(self, sample_rate: int) -> NDArray[np.float64]:
        """Centres of the bins [bins] in Hz, rising."""

    @abstractmethod
    def frames(self, samples: int) -> int:
        """Number of frames for a signal of `samples` samples."""

    @abstractmethod
    def analyse(self, x: Tensor, first_bin: int = 0) -> Tensor:
        """[..., T] float32 → [..., bins − first_bin, frames] complex64: the bins from `first_bin` on."""

    @abstractmethod
    def synthesise(self, spectrum: Tensor, samples: int) -> Tensor:
        """[..., F, frames] complex → [..., samples] float32; least-squares inverse of `analyse`.

        The F bins are the uppermost ones; those below are zero.
        """

    def first_above(self, hz: float, sample_rate: int) -> int:
        """First bin whose centre lies above a frequency; `bins` where none does."""
        return int(np.searchsorted(self.frequencies(sample_rate), hz + _SAME_HZ, side="right"))


@dataclass(frozen=True)
class Stft(Transform):
    """Short-time Fourier transform with centred frames: frame n lies around sample n · hop of the signal.

    Frames that reach over an end see zeros, never reflections: inside a file the engine hands in the real neighbours.

    Attributes:
        n_fft: window and transform length in samples.
        hop: distance of frames in samples.
        window: "hann" or "hamming", periodic.
    """

    n_fft: int
    hop: int
    window: WindowName = "hann"

    @property
    def bins(self) -> int:
        """Number of frequency bins, n_fft // 2 + 1."""
        return self.n_fft // 2 + 1

    @property
    def align(self) -> int:
        """See `Transform.align`."""
        return self.hop

    @property
    def reach(self) -> int:
        """See `Transform.reach`."""
        return self.n_fft

    def frequencies(self, sample_rate: int) -> NDArray[np.float64]:
        """See `Transform.frequencies`."""
        return np.arange(self.bins, dtype=np.float64) * (sample_rate / self.n_fft)

    def frames(self, samples: int) -> int:
        """See `Transform.frames`."""
        return samples // self.hop + 1

    def analyse(self, x: Tensor, first_bin: int = 0) -> Tensor:
        """See `Transform.analyse`."""
        flat = x.reshape(-1, x.shape[-1])
        window = _window(self.window, self.n_fft, x.device)
        spectrum = torch.stft(
            flat, self.n_fft, self.hop, window=window, center=True, pad_mode="constant", return_complex=True
        )
        return spectrum.reshape(*x.shape[:-1], *spectrum.shape[-2:])[..., first_bin:, :]

    def synthesise(self, spectrum: Tensor, samples: int) -> Tensor:
        """See `Transform.synthesise`."""
        whole = F.pad(spectrum, (0, 0, self.bins - spectrum.shape[-2], 0))
        flat = whole.reshape(-1, *whole.shape[-2:])
        window = _window(self.window, self.n_fft, spectrum.device)
        x = torch.istft(flat, self.n_fft, self.hop, window=window, center=True, length=samples)
        return x.reshape(*spectrum.shape[:-2], samples)


@cached_tensor
def fade_out(transform: Transform, sample_rate: int) -> Tensor:
    """Gain [bins, 1] that ends a new band between `TOP_HZ`."""
    first_hz, last_hz = TOP_HZ
    hz = torch.from_numpy(transform.frequencies(sample_rate)).float()
    return ((last_hz - hz) / (last_hz - first_hz)).clamp(0, 1)[:, None]


def power(spectrum: Tensor) -> Tensor:
    """|X|² of a complex tensor, without the square root that `abs` takes: twice as fast, and differentiable at zero."""
    return spectrum.real.square() + spectrum.imag.square()
