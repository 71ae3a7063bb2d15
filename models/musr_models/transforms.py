"""The transforms of networks and phase sources: the same code in training, evaluation and the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, ParamSpec, cast

import torch
from torch import Tensor

P = ParamSpec("P")
WindowName = Literal["hann", "hamming"]


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


@dataclass(frozen=True)
class Stft:
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

    def frames(self, samples: int) -> int:
        """Number of frames for a signal of `samples` samples."""
        return samples // self.hop + 1

    def analyse(self, x: Tensor) -> Tensor:
        """[..., T] float32 → [..., bins, frames] complex64."""
        flat = x.reshape(-1, x.shape[-1])
        window = _window(self.window, self.n_fft, x.device)
        spectrum = torch.stft(
            flat, self.n_fft, self.hop, window=window, center=True, pad_mode="constant", return_complex=True
        )
        return spectrum.reshape(*x.shape[:-1], *spectrum.shape[-2:])

    def synthesise(self, spectrum: Tensor, samples: int) -> Tensor:
        """[..., bins, frames] complex → [..., samples] float32; least-squares inverse of `analyse`."""
        flat = spectrum.reshape(-1, *spectrum.shape[-2:])
        window = _window(self.window, self.n_fft, spectrum.device)
        x = torch.istft(flat, self.n_fft, self.hop, window=window, center=True, length=samples)
        return x.reshape(*spectrum.shape[:-2], samples)


def power(spectrum: Tensor) -> Tensor:
    """|X|² of a complex tensor, without the square root that `abs` takes: twice as fast, and differentiable at zero."""
    return spectrum.real.square() + spectrum.imag.square()
