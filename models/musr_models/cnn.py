"""The convolutional control of Dai et al. 2021 (IV-C): frame by frame, convolutions along frequency."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from musr_models.blocks import LogPowerConfig, LogPowerNetwork


@dataclass(frozen=True)
class CnnConfig(LogPowerConfig):
    """Sizes of the network; the defaults are those of the paper.

    Attributes:
        filters: filters of the three Conv1D layers (IV-C: 256, 512, 1024).
        kernels: their sizes in bins (IV-C: 7, 5, 3).
        strides: their steps in bins. The paper has none; at 44.1 kHz its 1024 filters at each of 353 bins would cost
            70 billion multiplications per second of stereo, so the shipped weights halve the bins in each layer.
        summary: channels that a 1 × 1 convolution leaves for the dense output; 0 for all. With all 1024 the dense layer
            alone has 17 million weights.
    """

    filters: tuple[int, int, int] = (256, 512, 1024)
    kernels: tuple[int, int, int] = (7, 5, 3)
    strides: tuple[int, int, int] = (1, 1, 1)
    summary: int = 0


def _unit(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(in_channels, out_channels, kernel, stride, padding=kernel // 2),
        nn.BatchNorm1d(out_channels),
        nn.LeakyReLU(0.2),
    )


class Cnn(LogPowerNetwork):
    """Three Conv1D layers along the bins of one frame and a dense layer to the high band (IV-C).

    "Frame-level" leaves one frame to convolve over, so kernels of 7, 5 and 3 can only run along frequency. The paper
    names neither activation nor output layer: those are its generator's and a dense one.
    """

    config: CnnConfig

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        channels = (1, *config.filters)
        sizes = zip(channels, channels[1:], config.kernels, config.strides, strict=False)
        self.layers = nn.Sequential(*(_unit(*size) for size in sizes))
        bins = config.low_bins
        for stride in config.strides:
            bins = (bins - 1) // stride + 1
        kept = config.summary or channels[-1]
        self.summary: nn.Module = _unit(channels[-1], kept, 1, 1) if config.summary else nn.Identity()
        self.head = nn.Linear(kept * bins, config.high_bins)

    @property
    def body_context(self) -> int:
        """One frame sees no other."""
        return 0

    def body(self, low: Tensor) -> Tensor:
        """[B, low_bins, N] → [B, high_bins, N]."""
        batch, bins, frames = low.shape
        each = low.transpose(1, 2).reshape(batch * frames, 1, bins)
        maps: Tensor = self.summary(self.layers(each))
        high: Tensor = self.head(maps.flatten(1))
        return high.reshape(batch, frames, -1).transpose(1, 2)
