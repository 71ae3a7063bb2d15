"""Discriminators: used in training only, saved with it, never shipped.

Each looks at one or several views of a signal, [B, bins, N] or [B, T], and says of each what its layers made of it:
maps, from the first to the last, and then logits, positive for true.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.waveform import TimeConv


class Discriminator(nn.Module, ABC):
    """Tells estimated from true."""

    @abstractmethod
    def forward(self, views: Sequence[Tensor]) -> list[list[Tensor]]:
        """Views, [B, …] each → for each the maps of its layers, the logits last."""


class SpectrumDiscriminator(Discriminator):
    """Three Conv1D layers and a dense one over a standardised high band (Dai et al., III-B, figure 2).

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

    def forward(self, views: Sequence[Tensor]) -> list[list[Tensor]]:
        """One view, the standardised high band → its last map [B, width, N/8] and logits [B, 1]."""
        (high,) = views
        made = self.layers(high)
        return [[made, self.head(made.mean(dim=-1))]]


class MultiResolutionDiscriminator(Discriminator):
    """A stack of two-dimensional convolutions for each of several spectrograms (Jang et al. 2021, UnivNet, 2.2).

    Smaller than theirs, for CPUs: strides over bins and frames shrink the maps from layer to layer. Logits come for
    every place of the last map, so that a texture is judged everywhere.

    Args:
        views: number of spectrograms.
        widths: channels of the layers.
    """

    def __init__(self, views: int, widths: tuple[int, ...] = (16, 32, 32)) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(self._stack(widths) for _ in range(views))

    @staticmethod
    def _stack(widths: tuple[int, ...]) -> nn.ModuleList:
        layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, (9, 3), stride=(3, 1 if in_channels == 1 else 2), padding=(4, 1)),
                nn.LeakyReLU(0.2),
            )
            for in_channels, out_channels in pairwise((1, *widths))
        )
        return layers.append(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, views: Sequence[Tensor]) -> list[list[Tensor]]:
        """Log spectrograms, as many as there are stacks → maps and logits, both [B, channels, bins, frames]."""
        judged = []
        for stack, view in zip(self.stacks, views, strict=True):
            maps = [view[:, None]]
            for layer in stack:  # type: ignore[attr-defined]
                maps.append(layer(maps[-1]))
            judged.append(maps[1:])
        return judged


class WaveformDiscriminator(Discriminator):
    """Four strided convolutions with phase shuffle and a dense layer, on the waveform (Donahue et al. 2018, WaveGAN).

    Retzlöff's discriminator and critic have "five layers, four convolutions"; kernels and strides are WaveGAN's, 25
    and 4. Its dense layer looks at a whole clip. Here it looks at each place of the last map, and the logits are
    averaged, so that clips of any length can be judged.

    Args:
        widths: channels of the convolutions.
        shuffle: most samples by which phase shuffle moves a map.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128), shuffle: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TimeConv(*pair, 25, stride=4) for pair in pairwise((1, *widths)))
        self.head = TimeConv(widths[-1], 1, 1)
        self.shuffle = shuffle

    def forward(self, views: Sequence[Tensor]) -> list[list[Tensor]]:
        """One view, the waveform [B, T] → maps [B, width, 1, T / 4 …] and logits [B, 1]."""
        (signal,) = views
        maps = [signal[:, None, None]]
        for layer in self.layers:
            maps.append(phase_shuffle(F.leaky_relu(layer(maps[-1]), 0.2), self.shuffle))
        return [[*maps[1:], self.head(maps[-1]).mean(dim=(2, 3))]]


def phase_shuffle(x: Tensor, most: int) -> Tensor:
    """Move [B, C, 1, T] by −`most` … `most` samples, reflected at the ends (Donahue et al. 2018, 3.3)."""
    shift = int(torch.randint(-most, most + 1, ()))
    if shift == 0:
        return x
    padded = F.pad(x, (max(shift, 0), max(-shift, 0), 0, 0), mode="reflect")
    return padded[..., : x.shape[-1]] if shift > 0 else padded[..., -x.shape[-1] :]
