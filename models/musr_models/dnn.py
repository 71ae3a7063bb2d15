"""The fully connected control of Dai et al. 2021 (IV-C): frame by frame, four hidden layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from musr_models.blocks import ConvUnit, LogPowerConfig, LogPowerNetwork


@dataclass(frozen=True)
class DnnConfig(LogPowerConfig):
    """Sizes of the network; the defaults are those of the paper.

    Attributes:
        widths: nodes of the hidden layers (IV-C: four of 256).
    """

    widths: tuple[int, ...] = (256, 256, 256, 256)


class Dnn(LogPowerNetwork):
    """Four hidden layers of 256 nodes on one frame, trained on frame-level samples (IV-C).

    The paper names no activation; batch normalisation and LeakyReLU(0.2) are those of its generator. Dense layers on
    single frames are convolutions of kernel 1 over frames.
    """

    config: DnnConfig

    def __init__(self, config: DnnConfig) -> None:
        super().__init__(config)
        widths = (config.low_bins, *config.widths)
        self.layers = nn.Sequential(*(ConvUnit(*pair, 1) for pair in pairwise(widths)))
        self.head = nn.Conv1d(widths[-1], config.high_bins, 1)

    @property
    def body_context(self) -> int:
        """One frame sees no other."""
        return 0

    def body(self, low: Tensor) -> Tensor:
        """[B, low_bins, N] → [B, high_bins, N]."""
        estimate: Tensor = self.head(self.layers(low))
        return estimate
