"""What needs no training: interpolations, whose images fill the high band, and blind spectral band replication."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional as F

from musr_models.contract import Band, ModelError, Network, Output
from musr_models.texture import (
    CONTEXT_FRAMES,
    RELATIVE_FLOOR,
    copy_up,
    local_level,
    smooth_frames,
    texture_stft,
)
from musr_models.transforms import Stft, cached_tensor, power

# The windowed sinc that finds values between samples: taps on each side, and the Kaiser parameter of its window.
SINC_REACH = 32
SINC_BETA = 10.0


def build(name: str) -> Network:
    """The baseline of that name; raises `ModelError` for any other."""
    kinds: dict[str, type[Network]] = {"linear": Linear, "spline": Spline, "sinc": Sinc, "sbr": Sbr}
    if name not in kinds:
        raise ModelError(f"unknown baseline '{name}'; known: {', '.join(kinds)}")
    return kinds[name]()


@dataclass(frozen=True)
class KnotGrid:
    """The samples of the low-rate signal (knots) under a stretch of the output.

    Knot k lies at output sample k · ratio, counted from the beginning of the file. The grid starts where a knot and a
    sample coincide, so that the same place of a file gets the same knots wherever a chunk begins.

    Attributes:
        ratio: samples per knot.
        first: absolute index of the first sample.
        samples: length of the stretch.
    """

    ratio: Fraction
    first: int
    samples: int

    @property
    def skipped(self) -> int:
        """Samples between the beginning of the grid and that of the stretch."""
        return self.first % self.ratio.numerator

    @property
    def periods(self) -> int:
        """Periods of numerator samples or denominator knots that cover the stretch, and one for knots after its end."""
        return -(-(self.skipped + self.samples) // self.ratio.numerator) + 1

    def knots(self, x: Tensor) -> Tensor:
        """Values [B, C, K] at the knots of x [B, C, T], from the beginning of the grid; beyond the ends is silence."""
        p, q = self.ratio.numerator, self.ratio.denominator
        kernels = _value_kernels(self.ratio).to(x)
        length = (self.periods - 1) * p + kernels.shape[-1]
        left = SINC_REACH + self.skipped
        padded = F.pad(x, (left, length - left - x.shape[-1])).reshape(-1, 1, length)
        values = F.conv1d(padded, kernels, stride=p)
        return values.transpose(1, 2).reshape(*x.shape[:-1], self.periods * q)

    def crop(self, y: Tensor) -> Tensor:
        """The stretch out of samples [B, C, ...] counted from the beginning of the grid."""
        return y[..., self.skipped : self.skipped + self.samples]


@cached_tensor
def _value_kernels(ratio: Fraction) -> Tensor:
    """Filters [denominator, 1, L] for the knots of one period; they begin `SINC_REACH` samples before its first."""
    p, q = ratio.numerator, ratio.denominator
    knots = torch.arange(q, dtype=torch.float64) * p / q
    distance = torch.arange(-SINC_REACH, p + SINC_REACH) - knots[:, None]
    inside = (1 - (distance / SINC_REACH).square()).clamp_min(0)
    window = torch.where(inside > 0, torch.i0(SINC_BETA * inside.sqrt()), 0) / torch.i0(torch.tensor(SINC_BETA))
    kernels: Tensor = torch.sinc(distance) * window
    return kernels[:, None]


class Interpolation(Network):
    """Takes the samples that the low rate would have, and draws a curve through them.

    Attributes:
        reach: knots on each side that a point of the curve depends on.
    """

    output = Output.WAVEFORM
    reach: int = 1

    def context(self, band: Band) -> int:
        """The reach of the curve, and that of the filter which finds the knots."""
        return math.ceil((self.reach + 1) * band.simple_ratio) + SINC_REACH

    def align(self, band: Band) -> int:
        """Samples between places where knots and samples coincide."""
        return band.simple_ratio.numerator

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Waveform [B, C, T] → waveform [B, C, T] through the knots."""
        if x.shape[-1] == 0 or band.simple_ratio <= 1:
            return x
        grid = KnotGrid(band.simple_ratio, first, x.shape[-1])
        return grid.crop(self.curve(grid.knots(x), band.simple_ratio))

    @abstractmethod
    def curve(self, knots: Tensor, ratio: Fraction) -> Tensor:
        """Knots [B, C, K] → at least (K − 1) · ratio samples [B, C, T], the first at the first knot."""


class Linear(Interpolation):
    """Straight lines between knots: images fall with the square of a sinc."""

    def curve(self, knots: Tensor, ratio: Fraction) -> Tensor:
        """Weighted mean of the knots before and after each sample."""
        position = torch.arange(_samples(knots, ratio), device=knots.device) * ratio.denominator
        before = position.div(ratio.numerator, rounding_mode="floor")
        part = (position % ratio.numerator).to(knots) / ratio.numerator
        return torch.lerp(knots[..., before], knots[..., before + 1], part)


class Spline(Interpolation):
    """Natural cubic spline. What happens at an end has died to (2 − √3)ⁿ n knots away: −137 dB after 12."""

    reach = 12

    def curve(self, knots: Tensor, ratio: Fraction) -> Tensor:
        """Solved on the CPU in float64."""
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(range(knots.shape[-1]), knots.detach().cpu().double().numpy(), axis=-1, bc_type="natural")
        position = torch.arange(_samples(knots, ratio), dtype=torch.float64) * (ratio.denominator / ratio.numerator)
        return torch.from_numpy(spline(position.numpy())).to(knots)


class Sinc(Interpolation):
    """Windowed sinc, as resampy's `kaiser_best` has it: 50 zero crossings on each side."""

    reach = 51

    def curve(self, knots: Tensor, ratio: Fraction) -> Tensor:
        """On the CPU; the first call in a process waits for resampy's compiler."""
        import resampy

        values = knots.detach().cpu().numpy()
        y = resampy.resample(values, ratio.denominator, ratio.numerator, filter="kaiser_best", axis=-1)
        return torch.from_numpy(y).to(knots)


def _samples(knots: Tensor, ratio: Fraction) -> int:
    """Samples from the first knot to before the last period, whose knots only serve as neighbours."""
    return (knots.shape[-1] // ratio.denominator - 1) * ratio.numerator


class Sbr(Network):
    """Spectral band replication without its side information (Dietz et al. 2002; Miron & Davies 2018, ref. [6]).

    The coder sends the envelope of the high band along. Here nobody does: the log spectrum of the low band's upper part
    is continued as a straight line over log frequency, and the patches that are copied up get its level.
    """

    output = Output.COMPLEX

    # part of the low band that the line is fitted to, as fractions of the band edge
    fit_range = (0.35, 0.9)
    # slopes in dB per octave that the continuation may have: a line through one short stretch is no good prophet
    slope_range = (-24.0, -15.0)
    # frames over which the log spectrum is averaged, odd
    frames = 5

    def transform(self, band: Band) -> Stft:
        """Frames of about 45 ms."""
        return texture_stft(band.sample_rate)

    def context(self, band: Band) -> int:
        """Smoothing and texture, and a window for the STFT and its inverse."""
        stft = self.transform(band)
        return max(2 * (self.frames // 2), CONTEXT_FRAMES) * stft.hop + stft.n_fft

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Spectrum [B, C, F, N] → spectrum [B, C, F, N]; the low band is the input's own."""
        del first
        stft = self.transform(band)
        cutoff_bin = band.cutoff_bin(stft)
        texture = copy_up(x, stft, band)[..., cutoff_bin:, :]
        return torch.cat([x[..., :cutoff_bin, :], texture * self._magnitude(x, cutoff_bin)], dim=-2)

    def _magnitude(self, x: Tensor, cutoff_bin: int) -> Tensor:
        """Magnitude [B, C, F − cutoff_bin, N] of the continued line."""
        bottom, top = (max(round(part * cutoff_bin), 1) for part in self.fit_range)
        top = max(top, bottom + 2)
        powers = power(x[..., bottom:top, :])
        level = local_level(powers, self.frames)
        relative = powers / torch.where(level > 0, level, 1)
        log_power = smooth_frames(torch.log(relative + RELATIVE_FLOOR), self.frames)
        octave = torch.log2(torch.arange(bottom, x.shape[-2], device=x.device) / top)
        edge, slope = _line(log_power, octave[: top - bottom])
        lowest, highest = (db * math.log(10) / 10 for db in self.slope_range)
        line = edge + slope.clamp(lowest, highest) * octave[cutoff_bin - bottom :, None]
        return torch.exp(0.5 * line) * level.sqrt()


def _line(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares line through y [..., n, N] over x [n]: its value at 0 and its slope, both [..., 1, N]."""
    mean = x.mean()
    deviation = (x - mean)[:, None]
    slope = (deviation * y).sum(dim=-2, keepdim=True) / deviation.square().sum()
    return y.mean(dim=-2, keepdim=True) - slope * mean, slope
