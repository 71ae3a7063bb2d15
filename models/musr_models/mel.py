"""Mel spectra, for vocoders and feature encoders: triangular filters of equal width on the mel scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from musr_models.transforms import Stft, cached_tensor


@cached_tensor
def mel_filters(stft: Stft, sample_rate: int, bands: int) -> Tensor:
    """[bands, bins], each row summing to 1 (O'Shaughnessy 1987: 2595 log10(1 + f / 700) mel)."""
    top = _mel(sample_rate / 2)
    edges_hz = torch.tensor([_hertz(top * step / (bands + 1)) for step in range(bands + 2)])[:, None]
    hz = torch.arange(stft.bins) * (sample_rate / stft.n_fft)
    rising = (hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - hz) / (edges_hz[2:] - edges_hz[1:-1])
    weights = torch.minimum(rising, falling).clamp_min(0)
    # low bands are narrower than a bin: they take the one that is nearest
    nearest = torch.nn.functional.one_hot((edges_hz[1:-1, 0] / hz[1]).round().long(), stft.bins)
    weights = torch.where(weights.sum(dim=1, keepdim=True) > 0, weights, nearest)
    return weights / weights.sum(dim=1, keepdim=True)


def mel_powers(powers: Tensor, stft: Stft, sample_rate: int, bands: int) -> Tensor:
    """Power spectra [B, bins, N] → [B, bands, N]."""
    return mel_filters(stft, sample_rate, bands).to(powers) @ powers


def _mel(hz: float) -> float:
    return 2595 * math.log10(1 + hz / 700)


def _hertz(mel: float) -> float:
    return float(700 * (10 ** (mel / 2595) - 1))
