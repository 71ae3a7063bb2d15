"""AudioUNet (Kuleshov, Enam & Ermon 2017): the generator of Retzlöff's six systems, and one of Zhang et al.'s three."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.baselines import Spline
from musr_models.contract import Band
from musr_models.waveform import TimeConv, WaveformConfig, WaveformNetwork, unfold_time

_SLOPE = 0.2


@dataclass(frozen=True)
class AudioUnetConfig(WaveformConfig):
    """Sizes; the defaults are those of Kuleshov et al. for four blocks.

    They have 56.4 M parameters (Zhang et al., table 1: 56 M).

    Attributes:
        widths: channels of the down-sampling blocks, from the first on; up-sampling blocks mirror them. Block b has
            min(2^(6 + b), 512) of them (Kuleshov et al., section 4).
        kernels: lengths of their filters: max(2^(7 − b) + 1, 9).
        head_kernel: length of the last filter.
        dropout: share of values dropped in the bottleneck and the up-sampling blocks, in training.
        is_spline: the body is given a cubic spline through the samples of the low rate (Retzlöff, II-A), else the
            band-limited signal.
    """

    widths: tuple[int, ...] = (128, 256, 512, 512)
    kernels: tuple[int, ...] = (65, 33, 17, 9)
    head_kernel: int = 9
    dropout: float = 0.5
    is_spline: bool = False


class AudioUnet(WaveformNetwork):
    """B down-sampling blocks, a bottleneck, B up-sampling blocks with subpixel shuffle and stacking, an additive input.

    Without batch normalisation, as in the authors' later code: nothing depends on what else is in a batch.
    """

    config: AudioUnetConfig

    def __init__(self, config: AudioUnetConfig) -> None:
        super().__init__(config)
        widths, kernels = config.widths, config.kernels
        self.down = nn.ModuleList(
            TimeConv(*channels, kernel, stride=2)
            for channels, kernel in zip(pairwise((1, *widths)), kernels, strict=True)
        )
        self.bottleneck = TimeConv(widths[-1], widths[-1], kernels[-1], stride=2)
        # each up-sampling block doubles its channels for the shuffle, and is stacked with what went down
        inputs = (widths[-1], *(2 * width for width in reversed(widths)))
        self.up = nn.ModuleList(
            TimeConv(channels, 2 * width, kernel)
            for channels, width, kernel in zip(inputs, reversed(widths), reversed(kernels), strict=False)
        )
        self.head = TimeConv(inputs[-1], 2, config.head_kernel)
        self.dropout = nn.Dropout(config.dropout)
        self._spline = Spline()

    @property
    def grid(self) -> int:
        """Two to the number of convolutions with stride."""
        return 1 << (len(self.config.widths) + 1)

    @property
    def reach(self) -> int:
        """Half filters on the way down and up, each at its own rate, and what a subpixel shuffle hides."""
        halves = [kernel // 2 for kernel in self.config.kernels]
        down = sum(half << level for level, half in enumerate([*halves, halves[-1]]))
        up = sum(half << (level + 2) for level, half in enumerate(halves)) + self.config.head_kernel // 2 * 2
        return down + up + 2 * self.grid

    def align(self, band: Band) -> int:
        """The grid, a whole number of low-rate samples."""
        aligned = super().align(band)
        return aligned * self._spline.align(band) if self.config.is_spline else aligned

    def context(self, band: Band) -> int:
        """What the body and the spline depend on."""
        return super().context(band) + (self._spline.context(band) if self.config.is_spline else 0)

    def prepare(self, x: Tensor, band: Band, first: int) -> Tensor:
        """The spline through the low-rate samples, where the network was made for it."""
        return self._spline(x, band, first) if self.config.is_spline else x

    def body(self, x: Tensor) -> Tensor:
        """See `WaveformNetwork.body`."""
        hidden, shortcuts = x, []
        for layer in self.down:
            hidden = F.leaky_relu(layer(hidden), _SLOPE)
            shortcuts.append(hidden)
        hidden = F.leaky_relu(self.dropout(self.bottleneck(hidden)), _SLOPE)
        for layer in self.up:
            raised = unfold_time(F.relu(self.dropout(layer(hidden))), 2)
            hidden = torch.cat([raised, shortcuts.pop()], dim=1)
        residual: Tensor = unfold_time(self.head(hidden), 2)
        return residual
