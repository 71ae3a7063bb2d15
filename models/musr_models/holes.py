"""Holes: what encoders took from below the band edge, and what is put there.

An encoder that has too few bits gives up whole bands for some frames. What is left around such a hole says how channels
relate to each other there; nothing says what its phases were, so they are random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from musr_models.texture import smooth_frames
from musr_models.transforms import power

LOWEST_HZ = 500.0
"""Below, nothing is filled: encoders spend their bits there first, and an error would be heard most."""

GATE = 4.0
"""A cell holds sound, and gets nothing, if its power is within this factor of the estimate's (6 dB)."""

HOLE_GATE = 30.0
"""The same below the band edge (15 dB): most cells there hold sound, and estimates are no better than 5 dB."""

_SOFTNESS = 0.02
_BAND = 16
"""Bins that are taken together where channels are compared with each other; 340 Hz."""

_ALIKE = 1e-4
_TINY = 1e-30

Phases = Callable[[Tensor, int], Tensor]
"""(complex spectra [C, F, N]; frames over which channels are compared) → unit texture of their shape."""


def beyond(estimate: Tensor, x: Tensor, gate: float | Tensor = GATE) -> Tensor:
    """What an estimate has beyond the input, to be added to it; nothing in cells that hold sound.

    Args:
        estimate: complex [..., F, N].
        x: the input, likewise.
        gate: see `GATE`; a number, or one for each bin [F, 1].
    """
    wanted, held = power(estimate), gate * power(x)
    is_empty = wanted > held
    lack = torch.where(is_empty, 1 - held / torch.where(is_empty, wanted, 1), 0)
    # close to a square root, but with a slope that training can follow at zero
    return estimate * (lack / (lack + _SOFTNESS).sqrt())


@dataclass(frozen=True)
class KeyedPhases:
    """Random phases that depend on nothing but the absolute frame and the bin, so that chunks fit together.

    Attributes:
        first: absolute index of the first frame.
    """

    first: int

    def __call__(self, x: Tensor, frames: int) -> Tensor:
        """See `Phases`."""
        return unit_texture(x, frames, lambda source: self._angles(x.shape[-2:], source, x.device))

    def _angles(self, shape: torch.Size, source: int, device: torch.device) -> Tensor:
        bins = torch.arange(shape[0], device=device)[:, None]
        frames = torch.arange(self.first, self.first + shape[1], device=device)
        return _hash(bins + (frames << 12) + (source << 48)) * (2 * math.pi)


def random_phases(x: Tensor, frames: int) -> Tensor:
    """Phases for training, where no chunk has to fit to another; see `Phases`."""
    return unit_texture(x, frames, lambda source: torch.rand(x.shape[-2:], device=x.device) * (2 * math.pi))


def unit_texture(x: Tensor, frames: int, angles: Callable[[int], Tensor]) -> Tensor:
    """Random phases for [C, F, N], shared out among channels, and as alike in two, as what is around each cell.

    Args:
        x: complex spectra [C, F, N].
        frames: over which channels are compared; odd.
        angles: makes phases [F, N] in radians, independent for every number that it is given.
    """
    common = _unit(angles(0))
    if len(x) == 1:
        return common[None]
    powers = _around(power(x), frames)
    amplitude = (powers / powers.mean(dim=0).clamp_min(_TINY)).sqrt()
    if len(x) > 2:
        return amplitude * common
    return amplitude * torch.stack([common, _related(x, powers, common, angles, frames)])


def _related(x: Tensor, powers: Tensor, common: Tensor, angles: Callable[[int], Tensor], frames: int) -> Tensor:
    """Phases of the second of two channels: as coherent with those of the first as the channels are."""
    cross = _around(torch.view_as_real(x[1] * x[0].conj()).movedim(-1, 0), frames)
    # one root after the other: the product of two small powers would be zero
    alike = torch.complex(*(cross / powers[0].clamp_min(_TINY).sqrt() / powers[1].clamp_min(_TINY).sqrt()))
    rest = 1 - power(alike)
    # identical channels stay identical in spite of round-off
    rest = torch.where(rest > _ALIKE, rest, 0).sqrt()
    return alike * common + rest * _unit(angles(1))


def _unit(angles: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(angles), angles)


def _around(x: Tensor, frames: int) -> Tensor:
    """Mean of [C, F, N] over the band that each bin lies in, and over neighbouring frames."""
    bands = F.avg_pool2d(x, (_BAND, 1), ceil_mode=True, count_include_pad=False)
    return smooth_frames(bands, frames).repeat_interleave(_BAND, dim=-2)[..., : x.shape[-2], :]


def _hash(key: Tensor) -> Tensor:
    """Integers → numbers from 0 to 1 that look random (the finaliser of MurmurHash3, in 32 bits)."""
    key = (key ^ (key >> 33)) & 0xFFFFFFFF
    for factor, shift in ((0x85EBCA6B, 13), (0xC2B2AE35, 16)):
        key = ((key ^ (key >> shift)) * factor) & 0xFFFFFFFF
    return (key ^ (key >> 16)).float() / 2**32
