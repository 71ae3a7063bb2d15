"""The generator of Dai et al. 2021, "Super-Resolution for Music Signals Using Generative Adversarial Networks"."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from musr_models.blocks import ConvUnit, LogPowerConfig, LogPowerNetwork


@dataclass(frozen=True)
class StftGanConfig(LogPowerConfig):
    """Sizes of the generator; the defaults are those of the paper.

    Attributes:
        kernels: kernel sizes of the eight Conv1D layers (III-B: 7 5 3 3 3 5 7 9).
        widths: channels of the first four layers; layers five to seven mirror the first three. The paper prints none
            and refers to Eskimez, Koishida & Duan 2019 [12], an autoencoder that widens towards the middle. The text of
            [12] was not at hand: these are the powers of two from 256 to 1024 that its kernel layout suggests.
        final_activation: BN and LeakyReLU after the last layer too, as III-B says of "each" layer. LeakyReLU squeezes
            everything below the mean of a standardised spectrum to a fifth, so the shipped weights do without.
    """

    kernels: tuple[int, ...] = (7, 5, 3, 3, 3, 5, 7, 9)
    widths: tuple[int, int, int, int] = (256, 512, 512, 1024)
    final_activation: bool = True
    level_frames: int = 33


class StftGan(LogPowerNetwork):
    """Eight Conv1D layers over frames, the bins as channels, with shortcuts 1→7, 2→6 and 3→5 (III-B, figure 2)."""

    config: StftGanConfig

    def __init__(self, config: StftGanConfig) -> None:
        super().__init__(config)
        first, second, third, middle = config.widths
        widths = (config.low_bins, first, second, third, middle, third, second, first)
        self.layers = nn.ModuleList(ConvUnit(*sizes) for sizes in zip(widths, widths[1:], config.kernels, strict=False))
        self.head: nn.Module = (
            ConvUnit(first, config.high_bins, config.kernels[-1])
            if config.final_activation
            else nn.Conv1d(first, config.high_bins, config.kernels[-1], padding=config.kernels[-1] // 2)
        )

    @property
    def body_context(self) -> int:
        """Half the sum of the kernels: 19 frames for the published ones, 304 ms."""
        return sum(kernel // 2 for kernel in self.config.kernels)

    def body(self, low: Tensor) -> Tensor:
        """[B, low_bins, N] → [B, high_bins, N]."""
        x, shortcuts = low, []
        for layer in self.layers[:3]:
            x = layer(x)
            shortcuts.append(x)
        x = self.layers[3](x)
        for layer in self.layers[4:]:
            x = layer(x) + shortcuts.pop()
        estimate: Tensor = self.head(x)
        return estimate
