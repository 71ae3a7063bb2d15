"""The waveform networks as one would write them first: `Conv1d` and `ConvTranspose1d`, channels before time.

They compute the same as the shipped ones, with the same weights, so that `speed.py` compares nothing but how. (A
transposed convolution has one bias per channel; as a subpixel one it has one per phase of its stride as well, and their
mean is taken.)
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from musr_models.waveform import TimeConv, TransposedConv


class PlainConv(nn.Conv1d):
    """`TimeConv` over [B, C, T]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, T], as the bodies of the networks have it."""
        return super().forward(x[:, :, 0].contiguous())[:, :, None]


class PlainTransposedConv(nn.ConvTranspose1d):
    """`TransposedConv` over [B, C, T]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """[B, C, 1, T], as the bodies of the networks have it."""
        return super().forward(x[:, :, 0].contiguous())[:, :, None]


def plain(network: nn.Module) -> nn.Module:
    """A copy of `network` with plain layers."""
    made = copy.deepcopy(network)
    for parent in list(made.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, TransposedConv):
                setattr(parent, name, _transposed(layer))
            elif isinstance(layer, TimeConv):
                setattr(parent, name, _conv(layer))
    return made


@torch.no_grad()
def _conv(layer: TimeConv) -> PlainConv:
    (_, kernel), (_, stride), (_, dilation) = layer.kernel_size, layer.stride, layer.dilation
    padding = layer.padding[1]
    assert isinstance(padding, int)
    made = PlainConv(layer.in_channels, layer.out_channels, kernel, stride=stride, dilation=dilation, padding=padding)
    made.weight.copy_(layer.weight[:, :, 0])
    assert made.bias is not None
    assert layer.bias is not None
    made.bias.copy_(layer.bias)
    return made


@torch.no_grad()
def _transposed(layer: TransposedConv) -> PlainTransposedConv:
    """Two taps at the low rate are the later and the earlier half of a filter, phase by phase."""
    stride, taps = layer.stride, layer.taps
    out_channels = taps.out_channels // stride
    made = PlainTransposedConv(taps.in_channels, out_channels, 2 * stride, stride, padding=stride // 2)
    halves = taps.weight[:, :, 0].reshape(stride, out_channels, taps.in_channels, 2).permute(2, 1, 3, 0)
    made.weight.copy_(halves.flip(2).reshape(taps.in_channels, out_channels, 2 * stride))
    assert taps.bias is not None
    assert made.bias is not None
    made.bias.copy_(taps.bias.reshape(stride, out_channels).mean(dim=0))
    return made
