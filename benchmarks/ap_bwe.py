"""A network of the shape and size of AP-BWE, to measure speed against. Untrained: weights do not change what it costs.

Lu, Ai, Du and Ling 2024, "Towards High-Quality and Efficient Speech Bandwidth Extension with Parallel Amplitude and
Phase Prediction": two streams of eight ConvNeXt blocks, 512 channels wide, one for log amplitudes and one for phases,
that hear each other after every block; STFT of 1024 points, windows of 320 and a hop of 80 samples; 29.8 M parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLE_RATE = 48000
N_FFT, WINDOW, HOP = 1024, 320, 80
BINS, WIDTH, HIDDEN, BLOCKS, KERNEL = N_FFT // 2 + 1, 512, 1536, 8, 7
TINY = 1e-5


class Block(nn.Module):
    """ConvNeXt in one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.over_frames = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2, groups=WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.dense = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))
        self.scale = nn.Parameter(torch.full((WIDTH,), 1 / BLOCKS))

    def forward(self, x: Tensor) -> Tensor:
        """[B, WIDTH, N] → the same shape."""
        return x + (self.scale * self.dense(self.norm(self.over_frames(x).transpose(1, 2)))).transpose(1, 2)


class Stream(nn.Module):
    """One of the two: a convolution in, blocks, dense layers out."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(BINS, WIDTH, KERNEL, padding=KERNEL // 2)
        self.norm = nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.last_norm = nn.LayerNorm(WIDTH)
        self.last = nn.ModuleList(nn.Linear(WIDTH, BINS) for _ in range(outputs))

    def begin(self, x: Tensor) -> Tensor:
        """[B, BINS, N] → [B, WIDTH, N]."""
        return self.norm(self.first(x).transpose(1, 2)).transpose(1, 2)

    def end(self, x: Tensor) -> list[Tensor]:
        """[B, WIDTH, N] → the outputs, [B, BINS, N] each."""
        y = self.last_norm(x.transpose(1, 2))
        return [layer(y).transpose(1, 2) for layer in self.last]


class ApBweShaped(nn.Module):
    """Waveforms [B, T] → waveforms [B, T] through both streams."""

    def __init__(self) -> None:
        super().__init__()
        self.amplitude, self.phase = Stream(1), Stream(2)
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, x: Tensor) -> Tensor:
        """STFT, both streams, inverse STFT."""
        shape = {"n_fft": N_FFT, "hop_length": HOP, "win_length": WINDOW, "window": self.window}
        spectrum = torch.stft(x, **shape, return_complex=True)
        given = torch.log(spectrum.abs() + TINY)
        amplitude, phase = self.amplitude.begin(given), self.phase.begin(spectrum.angle())
        for one, other in zip(self.amplitude.blocks, self.phase.blocks, strict=True):
            amplitude, phase = amplitude + phase, phase + amplitude
            amplitude, phase = one(amplitude), other(phase)
        (added,) = self.amplitude.end(amplitude)
        real, imaginary = self.phase.end(phase)
        angle = torch.atan2(imaginary.float(), real.float())
        return torch.istft(torch.polar(torch.exp(given + added.float()), angle), **shape, length=x.shape[-1])
