"""The frame of the spectral networks: log-power features in, high-band magnitude out.

A network of this kind is a body between two standardised log-power spectra. Everything around the body is here, so that
training and inference cannot differ: `features` is what both look at, `denormalise` what both get back.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.contract import Band, Network, Output
from musr_models.transforms import Stft, power

# Power below which a bin counts as empty, relative to the local level of the low band (−110 dB).
RELATIVE_FLOOR = 1e-11
# Keeps 0 / 0 finite for digital silence; far below the square of the smallest 24-bit sample.
TINY_POWER = 1e-30


def relative_log(powers: Tensor, level: Tensor, floor: float) -> Tensor:
    """Natural logarithm of powers relative to a level; `floor`, also relative, is what an empty bin counts as."""
    return torch.log(powers / level.clamp_min(TINY_POWER) + floor)


@dataclass(frozen=True)
class LogPowerConfig:
    """What the log-power networks of one rate family and ratio share.

    Attributes:
        sample_rates: output rates in Hz.
        ratio: super-resolution factor; the low band has n_fft / (2 · ratio) + 1 bins.
        n_fft: window length in samples (Dai et al., III-A: 32 ms; 512 at 16 kHz, 1408 at 44.1 kHz).
        level_frames: frames over which the level that spectra are relative to is averaged; odd.
    """

    sample_rates: tuple[int, ...] = (16000,)
    ratio: int = 2
    n_fft: int = 512
    level_frames: int = 1

    @property
    def stft(self) -> Stft:
        """Hamming windows with half a window as hop (Dai et al., III-A)."""
        return Stft(self.n_fft, self.n_fft // 2, "hamming")

    @property
    def low_bins(self) -> int:
        """Bins of the low band: 129 of 257 for × 2, 65 for × 4 (Dai et al., III-A and IV-C)."""
        return self.n_fft // 2 // self.ratio + 1

    @property
    def high_bins(self) -> int:
        """Bins that the network estimates."""
        return self.stft.bins - self.low_bins


@dataclass(frozen=True)
class Features:
    """A spectrum as the networks see it, shapes [B·C, bins, N].

    Attributes:
        low: log power of the low band relative to `level`, not yet standardised.
        level: mean power of a low-band bin around each frame, [B·C, 1, N].
    """

    low: Tensor
    level: Tensor


class LogPowerNetwork(Network):
    """Estimates the standardised log power of the high band from that of the low band.

    Spectra are taken relative to the local level of their low band. The paper standardises absolute log power;
    relative to a local level, ten decibels more of input are ten decibels more of output, exactly, and silence stays
    silent. The means and deviations of both bands are buffers: they travel inside the checkpoint.
    """

    output = Output.MAGNITUDE
    default_phase = "flip"
    low_mean: Tensor
    low_std: Tensor
    high_mean: Tensor
    high_std: Tensor

    def __init__(self, config: LogPowerConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rates = config.sample_rates
        self.ratio = float(config.ratio)
        for band, bins in (("low", config.low_bins), ("high", config.high_bins)):
            self.register_buffer(f"{band}_mean", torch.zeros(bins, 1))
            self.register_buffer(f"{band}_std", torch.ones(bins, 1))

    @property
    @abstractmethod
    def body_context(self) -> int:
        """Frames on each side that one output frame of `body` depends on."""

    @abstractmethod
    def body(self, low: Tensor) -> Tensor:
        """Standardised low band [B, low_bins, N] → standardised high band [B, high_bins, N]."""

    def transform(self, band: Band) -> Stft:
        """The network's STFT; the same number of samples at each of its rates."""
        del band
        return self.config.stft

    def context(self, band: Band) -> int:
        """Body and level context in samples, and a window for the STFT and its inverse."""
        del band
        frames = self.body_context + self.config.level_frames // 2
        return frames * self.config.stft.hop + self.config.n_fft

    def features(self, spectrum: Tensor) -> Features:
        """Complex spectrum [..., bins, N] → features of its low band."""
        low = spectrum[..., : self.config.low_bins, :].reshape(-1, self.config.low_bins, spectrum.shape[-1])
        low_power = power(low)
        level = self._smooth(low_power.mean(dim=1, keepdim=True))
        return Features(relative_log(low_power, level, RELATIVE_FLOOR), level)

    def target(self, spectrum: Tensor, level: Tensor) -> Tensor:
        """What `body` learns: the standardised log power of a full-band `spectrum`'s high band, relative to `level`."""
        high = spectrum[..., self.config.low_bins :, :].reshape(-1, self.config.high_bins, spectrum.shape[-1])
        return (relative_log(power(high), level, RELATIVE_FLOOR) - self.high_mean) / self.high_std

    def standardise(self, low: Tensor) -> Tensor:
        """Relative log power of the low band → what `body` takes."""
        return (low - self.low_mean) / self.low_std

    def magnitude(self, estimate: Tensor, level: Tensor) -> Tensor:
        """Standardised log power from `body` → magnitude; exactly zero where the level is."""
        log_power = estimate.float() * self.high_std + self.high_mean
        return torch.exp(0.5 * log_power) * level.sqrt()

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Spectrum [B, C, F, N] → magnitude [B, C, F, N]; the low band is the input's own."""
        del band, first
        features = self.features(x)
        estimate = self.body(self.standardise(features.low))
        high = self.magnitude(estimate, features.level)
        low = x[..., : self.config.low_bins, :].abs()
        return torch.cat([low, high.reshape(*x.shape[:-2], *high.shape[-2:])], dim=-2)

    def _smooth(self, level: Tensor) -> Tensor:
        width = self.config.level_frames
        return F.avg_pool1d(level, width, stride=1, padding=width // 2) if width > 1 else level


class ConvUnit(nn.Sequential):
    """Conv1D over frames, batch normalisation, LeakyReLU(0.2) (Dai et al., III-B); keeps the number of frames."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(
            nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2),
            nn.BatchNorm1d(out_channels),
            nn.LeakyReLU(0.2),
        )
