"""The frame of the waveform networks: level, padding and layout around a body of convolutions over time.

Inside a body signals are [B, C, 1, T] in channels-last order, where convolutions are two to three times as fast on
CPUs as with `Conv1d`, and where folding time into channels (and back) moves no data.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.contract import Band, Network, Output

LEVEL_BLOCK = 256
"""Samples over which power is averaged first; chunks begin at multiples of it."""

LEVEL_BLOCKS = 33
"""Blocks, half a second at 16 kHz, over which the level that signals are relative to is averaged; odd."""

# Power that digital silence counts as; far below the square of the smallest 24-bit sample.
_TINY_POWER = 1e-14


@dataclass(frozen=True)
class WaveformConfig:
    """What waveform networks share.

    Attributes:
        sample_rates: output rates in Hz.
        ratio: super-resolution factor; 0 where any edge within `cutoffs_hz` will do.
        cutoffs_hz: lowest and highest band edge in Hz; empty where `ratio` says it.
    """

    sample_rates: tuple[int, ...] = (16000,)
    ratio: int = 0
    cutoffs_hz: tuple[float, ...] = ()


class WaveformNetwork(Network):
    """Estimates the whole signal from the band-limited one, at the output rate.

    The published networks take the waveform as it is. Here it is first divided by its local level, and what comes out
    is multiplied by it: ten decibels more of input are ten decibels more of output, quiet files are treated like loud
    ones, and a source panned anywhere stays there. The level is an average over absolute blocks of samples: no chunk
    matters.
    """

    output = Output.WAVEFORM

    def __init__(self, config: WaveformConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rates = config.sample_rates
        self.ratio = float(config.ratio) or None
        self.cutoffs_hz = config.cutoffs_hz

    @property
    @abstractmethod
    def grid(self) -> int:
        """Samples between places where a body may begin: product of its strides, and its windows."""

    @property
    @abstractmethod
    def reach(self) -> int:
        """Samples on each side that one output sample of `body` depends on."""

    @abstractmethod
    def body(self, x: Tensor) -> Tensor:
        """What signals of level 1 lack: [B, 1, 1, T], channels last, T a multiple of `grid` → the same shape."""

    def prepare(self, x: Tensor, band: Band, first: int) -> Tensor:
        """What the body is given of the band-limited signal [B, 1, T]; see `Network.forward`."""
        del band, first
        return x

    def context(self, band: Band) -> int:
        """The reach of the body, and that of the level, which is interpolated between blocks."""
        del band
        return self.reach + (LEVEL_BLOCKS // 2 + 2) * LEVEL_BLOCK

    def align(self, band: Band) -> int:
        """The grids of the body and of the level."""
        del band
        return math.lcm(self.grid, LEVEL_BLOCK)

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Waveform [B, C, T] → waveform [B, C, T], channels one by one."""
        samples = x.shape[-1]
        flat = F.pad(x.reshape(-1, 1, samples), (0, -samples % self.align(band)))
        flat = self.prepare(flat, band, first)
        level = local_level(flat)
        missing = self.body((flat / level)[:, :, None])[:, :, 0].float()
        y = flat + missing * level
        return y[..., :samples].reshape(x.shape)


def local_level(x: Tensor) -> Tensor:
    """Root mean square around each sample, [B, 1, T] → [B, 1, T]; T a multiple of `LEVEL_BLOCK`."""
    power = F.avg_pool1d(x.square(), LEVEL_BLOCK, LEVEL_BLOCK)
    smooth = F.avg_pool1d(power, LEVEL_BLOCKS, stride=1, padding=LEVEL_BLOCKS // 2)
    level = (smooth + _TINY_POWER).sqrt()
    return F.interpolate(level, scale_factor=float(LEVEL_BLOCK), mode="linear")


class TimeConv(nn.Conv2d):
    """Convolution along time of [B, C, 1, T] that keeps T (or divides it by the stride)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(
            in_channels,
            out_channels,
            (1, kernel),
            stride=(1, stride),
            padding=(0, (dilation * (kernel - 1) - stride + 2) // 2),
            dilation=(1, dilation),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, T] → [B, C', 1, T]; nothing is copied but what the first layer made of a single channel."""
        return super().forward(x.contiguous(memory_format=torch.channels_last))


class ResidualUnit(nn.Module):
    """A dilated convolution of three taps and one of a single tap, added to what came in."""

    def __init__(self, channels: int, dilation: int, activation: type[nn.Module] = nn.ELU) -> None:
        super().__init__()
        self.dilated = TimeConv(channels, channels, 3, dilation=dilation)
        self.mix = TimeConv(channels, channels, 1)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, T] → the same shape."""
        made: Tensor = self.mix(self.activation(self.dilated(self.activation(x))))
        return x + made


class TransposedConv(nn.Module):
    """Transposed convolution of [B, C, 1, T] to `stride` · T, its filters twice as long as its (even) stride.

    Computed as two taps at the low rate and a subpixel shuffle, which is the same (Shi et al. 2016, "Is the
    deconvolution layer the same as a convolutional layer?") and faster.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.taps = TimeConv(in_channels, stride * out_channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Centred: half a stride of what the taps make of either end is cut off."""
        made = unfold_time(self.taps(x), self.stride)
        return made[..., self.stride // 2 : self.stride // 2 + self.stride * x.shape[-1]]


def through_bottleneck(x: Tensor, down: Iterable[nn.Module], middle: nn.Module, up: Iterable[nn.Module]) -> Tensor:
    """Blocks down, a bottleneck, as many blocks up; what went into the one is added to what its mirror image made."""
    shortcuts = []
    for block in down:
        shortcuts.append(x)
        x = block(x)
    x = middle(x)
    for block in up:
        x = block(x) + shortcuts.pop()
    return x


def step_sizes(stride: int, depth: int) -> list[int]:
    """Samples that a step takes after 0, 1, … `depth` layers of that stride."""
    return [math.prod([stride] * level) for level in range(depth + 1)]


def unfold_time(x: Tensor, factor: int) -> Tensor:
    """One-dimensional subpixel shuffle [B, factor · C, 1, T] → [B, C, 1, factor · T] (Shi et al. 2016); a mere view."""
    batch, channels, _, steps = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(batch, 1, factor * steps, channels // factor)
    return flat.permute(0, 3, 1, 2)
