"""Small networks that keep the contract, and betray an engine that does not keep its side of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from musr_models.contract import Band, Network, Output
from musr_models.transforms import Stft

TOY_STFT = Stft(256, 128, "hamming")


class MagnitudeToy(Network):
    """Mean level of the low band over five frames on each side; an absolute frame number shows in it."""

    output = Output.MAGNITUDE
    default_phase = "flip"
    frames = 5

    def transform(self, band: Band) -> Stft:
        return TOY_STFT

    def context(self, band: Band) -> int:
        return self.frames * TOY_STFT.hop + TOY_STFT.n_fft

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        level = x[..., : band.cutoff_bin(TOY_STFT), :].abs().mean(dim=-2)
        width = 2 * self.frames + 1
        level = F.avg_pool1d(level, width, stride=1, padding=self.frames, count_include_pad=True)
        mark = 1 + (first + torch.arange(x.shape[-1], device=x.device)) % 7 / 7
        return (level * mark)[..., None, :].expand(x.shape)


class ComplexToy(Network):
    """The low band's spectrum, copied up and turned around in time within three frames."""

    output = Output.COMPLEX

    def transform(self, band: Band) -> Stft:
        return TOY_STFT

    def context(self, band: Band) -> int:
        return 3 * TOY_STFT.hop + TOY_STFT.n_fft

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        edge = band.cutoff_bin(TOY_STFT)
        bins = torch.arange(x.shape[-2], device=x.device) % edge
        copied = x.index_select(-2, bins)
        padded = F.pad(torch.view_as_real(copied).movedim(-1, 0), (3, 3))
        later = torch.view_as_complex(padded[..., 6:].movedim(0, -1).contiguous())
        return copied + 0.5 * later


class WaveformToy(Network):
    """Rectifies over a hundred samples on each side, on a grid of ten; an absolute sample number shows in it."""

    output = Output.WAVEFORM
    reach = 100

    def context(self, band: Band) -> int:
        return self.reach

    def align(self, band: Band) -> int:
        return 10

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        assert first % 10 == 0
        kernel = torch.linspace(-1, 1, 2 * self.reach + 1, device=x.device)[None, None]
        rough = F.conv1d(x.abs().reshape(-1, 1, x.shape[-1]), kernel / self.reach, padding=self.reach)
        mark = 1 + (first + torch.arange(x.shape[-1], device=x.device)) % 10 / 10
        return x + rough.reshape(x.shape) * mark


TOYS: tuple[type[Network], ...] = (MagnitudeToy, ComplexToy, WaveformToy)
