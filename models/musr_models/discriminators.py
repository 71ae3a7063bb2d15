"""Discriminators: used in training only, saved with it, never shipped."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class SpectrumDiscriminator(nn.Module):
    """Tells estimated from true high bands: three Conv1D layers and a dense one (Dai et al., III-B, figure 2).

    Kernels 7, 5 and 3 over frames, LeakyReLU(0.2), no normalisation. Strides of two leave the dense layer an eighth of
    the frames. The paper prints no widths and no way from maps to one figure: the maps are averaged over frames before
    the dense layer.

    Args:
        bins: bins of the high band.
        widths: channels of the three layers.
    """

    def __init__(self, bins: int, widths: tuple[int, int, int] = (256, 256, 256)) -> None:
        super().__init__()
        units = []
        for (in_channels, out_channels), kernel in zip(pairwise((bins, *widths)), (7, 5, 3), strict=True):
            units += [nn.Conv1d(in_channels, out_channels, kernel, stride=2, padding=kernel // 2), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*units)
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, high: Tensor) -> Tensor:
        """Standardised high band [B, bins, N] → logits [B, 1]; positive for true."""
        logits: Tensor = self.head(self.layers(high).mean(dim=-1))
        return logits
