"""The generator of SEANet (Tagliasacchi, Li, Misiunas & Roblek 2020), one of Zhang et al.'s three waveform networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.waveform import (
    ResidualUnit,
    TimeConv,
    TransposedConv,
    WaveformConfig,
    WaveformNetwork,
    through_bottleneck,
)

_KERNEL = 7


@dataclass(frozen=True)
class SeanetConfig(WaveformConfig):
    """Sizes; the defaults have 11.1 M parameters (Zhang et al., table 1: 11 M).

    Attributes:
        width: channels at the full rate; every block on the way down doubles them.
        strides: of the blocks on the way down; those on the way up mirror them.
        dilations: of the residual units in front of each stride.
    """

    width: int = 32
    strides: tuple[int, ...] = (2, 2, 8, 8)
    dilations: tuple[int, ...] = (1, 3, 9)


class Seanet(WaveformNetwork):
    """Encoder and decoder of dilated residual units and strided convolutions, with additive shortcuts and ELU.

    Weight normalisation is left out: it changes how a network is trained, not what it computes.
    """

    config: SeanetConfig

    def __init__(self, config: SeanetConfig) -> None:
        super().__init__(config)
        widths = [config.width * 2**level for level in range(len(config.strides) + 1)]
        levels = list(zip(widths, widths[1:], config.strides, strict=False))
        self.inp = TimeConv(1, widths[0], _KERNEL)
        self.down = nn.ModuleList(_Down(*level, config.dilations) for level in levels)
        self.middle = nn.Sequential(
            TimeConv(widths[-1], widths[-1], _KERNEL), nn.ELU(), TimeConv(widths[-1], widths[-1], _KERNEL), nn.ELU()
        )
        self.up = nn.ModuleList(
            _Up(wide, narrow, stride, config.dilations) for narrow, wide, stride in reversed(levels)
        )
        self.head = TimeConv(widths[0], 1, _KERNEL)

    @property
    def grid(self) -> int:
        """Product of the strides."""
        return math.prod(self.config.strides)

    @property
    def reach(self) -> int:
        """What units, strides and the bottleneck add up to, each at its own rate, twice."""
        units, scale, total = sum(self.config.dilations), 1, _KERNEL // 2
        for stride in self.config.strides:
            total += (units + 3 * stride // 2) * scale
            scale *= stride
        return 2 * (total + _KERNEL // 2 * scale)

    def body(self, x: Tensor) -> Tensor:
        """See `WaveformNetwork.body`."""
        hidden = through_bottleneck(self.inp(x), self.down, self.middle, self.up)
        residual: Tensor = self.head(F.elu(hidden))
        return residual


class _Down(nn.Sequential):
    """Residual units, then a convolution that is twice as long as its stride."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dilations: tuple[int, ...]) -> None:
        units = (ResidualUnit(in_channels, dilation) for dilation in dilations)
        super().__init__(*units, nn.ELU(), TimeConv(in_channels, out_channels, 2 * stride, stride=stride))


class _Up(nn.Sequential):
    """A transposed convolution twice as long as its stride, then residual units."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dilations: tuple[int, ...]) -> None:
        units = (ResidualUnit(out_channels, dilation) for dilation in dilations)
        super().__init__(nn.ELU(), TransposedConv(in_channels, out_channels, stride), *units)
