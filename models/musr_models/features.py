"""A feature encoder for the "-c" systems of Retzlöff: what VGGish is to his, trained on the music of ours.

He takes VGGish (Hershey et al. 2017), whose weights are not to be had here, and concludes that features "pre-trained on
data relevant to the training dataset" would do better. This one has its shape, in small: log-mel spectra, blocks of 3
× 3 convolutions with pooling between them, an embedding. It learns to tell pieces of music apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.mel import mel_powers
from musr_models.transforms import Stft, power

_FLOOR = 1e-8
_MEAN, _DEVIATION = -5.0, 4.0


@dataclass(frozen=True)
class FeaturesConfig:
    """Sizes.

    Attributes:
        sample_rate: in Hz.
        n_fft: window of the mel spectrum, 25 ms in VGGish.
        hop: its hop, 10 ms in VGGish.
        mels: bands of it, as in VGGish.
        widths: channels of the blocks; VGGish has 64, 128, 256 and 512, and two convolutions in the last two.
        embedding: length of the embedding, as in VGGish.
    """

    sample_rate: int = 16000
    n_fft: int = 400
    hop: int = 160
    mels: int = 64
    widths: tuple[int, ...] = (16, 32, 64, 64)
    embedding: int = 128


class Features(nn.Module):
    """Signals in; their mel spectrum, maps of every block, and an embedding, out."""

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(_block(*pair) for pair in pairwise((1, *config.widths)))
        self.embed = nn.Linear(config.widths[-1], config.embedding)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Signals [B, T] → log-mel spectrum relative to their levels, and the maps of the blocks.

        [B, 1, mels, frames], and [B, width, mels / 2ᵏ, frames / 2ᵏ] after block k.
        """
        stft = Stft(self.config.n_fft, self.config.hop)
        mels = mel_powers(power(stft.analyse(x)), stft, self.config.sample_rate, self.config.mels)
        level = x.square().mean(dim=-1)[:, None, None].clamp_min(1e-12) * self.config.n_fft
        hidden = ((torch.log(mels / level + _FLOOR) - _MEAN) / _DEVIATION)[:, None]
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        return list(accumulate(self.blocks, lambda maps, block: block(maps), initial=hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Signals [B, T] → embeddings [B, embedding] of length 1."""
        embedding: Tensor = F.normalize(self.embed(self.maps(x)[-1].mean(dim=(2, 3))), dim=-1)
        return embedding


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Convolution, ReLU, pooling (VGG: Simonyan & Zisserman 2014)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
    )
