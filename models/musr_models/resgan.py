"""The generator of Șut's "Music Super-Resolution": a bottleneck ResNet on waveforms, trained adversarially."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.waveform import (
    ResidualUnit,
    TimeConv,
    TransposedConv,
    WaveformConfig,
    WaveformNetwork,
    step_sizes,
    through_bottleneck,
)

_KERNEL = 9


@dataclass(frozen=True)
class ResGanConfig(WaveformConfig):
    """Sizes. The paper prints none, and names Kuleshov, Enam & Ermon 2017, whose blocks halve and double the rate.

    Attributes:
        widths: channels of the down-sampling blocks, from the first on; the up-sampling blocks mirror them.
        stride: of every block. Four instead of two: at 48 kHz the same reach in seconds costs half the blocks.
        dilations: of the residual units in each block; the bottleneck has them twice.
    """

    sample_rates: tuple[int, ...] = (44100, 48000)
    widths: tuple[int, ...] = (32, 64, 128, 128)
    stride: int = 4
    dilations: tuple[int, ...] = (1, 3)


class ResGan(WaveformNetwork):
    """B blocks through a bottleneck; what block b made is added to the input of block B − b + 1."""

    config: ResGanConfig

    def __init__(self, config: ResGanConfig) -> None:
        super().__init__(config)
        widths, stride, dilations = config.widths, config.stride, config.dilations
        self.inp = TimeConv(1, widths[0], _KERNEL)
        pairs = list(pairwise((widths[0], *widths)))
        self.down = nn.ModuleList(_down(*pair, stride, dilations) for pair in pairs)
        self.bottleneck = nn.Sequential(*_units(widths[-1], 2 * dilations))
        self.up = nn.ModuleList(_up(wide, narrow, stride, dilations) for narrow, wide in reversed(pairs))
        self.head = TimeConv(widths[0], 1, _KERNEL)

    @property
    def grid(self) -> int:
        """Product of the strides."""
        return self._scales[-1]

    @property
    def _scales(self) -> list[int]:
        """Samples that a step takes after each of the blocks on the way down."""
        return step_sizes(self.config.stride, len(self.config.widths))[1:]

    @property
    def reach(self) -> int:
        """What units and strides add up to, each at its own rate."""
        units = sum(self.config.dilations)
        through_blocks = sum((2 * units + 3) * scale for scale in self._scales)
        return 2 * (_KERNEL // 2) + through_blocks + 2 * units * self.grid

    def body(self, x: Tensor) -> Tensor:
        """See `WaveformNetwork.body`."""
        hidden = through_bottleneck(self.inp(x), self.down, self.bottleneck, self.up)
        residual: Tensor = self.head(F.leaky_relu(hidden))
        return residual


def _units(channels: int, dilations: tuple[int, ...]) -> list[ResidualUnit]:
    return [ResidualUnit(channels, dilation, nn.LeakyReLU) for dilation in dilations]


def _down(in_channels: int, out_channels: int, stride: int, dilations: tuple[int, ...]) -> nn.Sequential:
    step = TimeConv(in_channels, out_channels, 2 * stride, stride=stride)
    return nn.Sequential(step, *_units(out_channels, dilations))


def _up(in_channels: int, out_channels: int, stride: int, dilations: tuple[int, ...]) -> nn.Sequential:
    step = TransposedConv(in_channels, out_channels, stride)
    return nn.Sequential(*_units(in_channels, dilations), step)
