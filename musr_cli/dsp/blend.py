"""Blending: what is added to the input, so that the band it still has is not touched and its edge is filled.

The idea is that of Miron & Davies 2018, eq. 2: below the cutoff the input, above it the estimate. A ramp of one bin on
magnitudes leaks through the windows of the transform and doubles soft edges; here y = x + high-pass of what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from musr_cli.dsp.windows import kaiser_beta, kaiser_half_length, windowed_sinc
from musr_models.transforms import Transform, power

STOPBAND_DB = 100.0
"""Attenuation of the high-pass at and below the start of the slope: 80 dB, and room for estimates above the input."""

TRANSITION_SHARE = 1 / 3
"""Width of the high-pass's transition as a share of the input's slope: what is missing begins early in the slope."""

NARROWEST_HZ = 50.0
"""Narrowest transition. Sharper edges keep a dip this wide; a narrower filter would ring for longer than 0.1 s."""

EDGE_BINS = 8
"""Bins over which levels on both sides of a slope are averaged: few enough to be local, enough to bridge harmonics."""

LARGEST_BOOST = 4.0
"""The slope of the input is raised by no more than this: by 12 dB, which is where the band ends by definition."""

LARGEST_COMPENSATION = 2.0
"""What the high-pass takes from bins inside its transition is given back up to this factor."""

GAIN_POINTS = 16
"""Points of the high-pass's response for each of its taps: what lies between them is a straight line, to 80 dB."""

_TINY = 1e-30


@dataclass(frozen=True)
class Missing:
    """What an input lacks, bins from `low` up.

    Attributes:
        low: first bin above the given band.
        boost: complex [B, C, S, N], what the S bins of the slope lack, with the input's own phase.
        magnitude: [B, C, F − low, N], what is missing beside that and needs a phase.
    """

    low: int
    boost: Tensor
    magnitude: Tensor


@dataclass(frozen=True)
class Blender:
    """High-passes estimates: nothing up to `slope_hz`, everything from well before `cutoff_hz`; no phase, no delay.

    Attributes:
        sample_rate: in Hz.
        slope_hz: where the input's own response begins to fall.
        cutoff_hz: where the input counts as missing.
    """

    sample_rate: int
    slope_hz: float
    cutoff_hz: float

    @property
    def _transition(self) -> tuple[float, float]:
        """Stop- and pass-band edge in Hz, `NARROWEST_HZ` apart at least."""
        width = max(TRANSITION_SHARE * (self.cutoff_hz - self.slope_hz), NARROWEST_HZ)
        stop = min(self.slope_hz, self.sample_rate / 2 - width)
        return stop, stop + width

    @property
    def context(self) -> int:
        """Samples on each side that one output sample of `highpass` depends on."""
        stop, passing = self._transition
        return kaiser_half_length(STOPBAND_DB, passing - stop, self.sample_rate)

    def highpass(self, x: Tensor) -> Tensor:
        """[..., T] → [..., T], zeros assumed beyond the ends. FFT convolution in blocks (overlap-save)."""
        half, samples = self.context, x.shape[-1]
        block = 1 << max(12, (8 * half).bit_length())
        step = block - 2 * half
        steps = -(-samples // step)
        padded = F.pad(x, (half, steps * step - samples + half))
        spectrum = torch.fft.rfft(padded.unfold(-1, block, step))
        filtered: Tensor = torch.fft.irfft(spectrum * _response(self, block).to(x.device), block)
        return filtered[..., half : block - half].reshape(*x.shape[:-1], -1)[..., :samples]

    def missing(
        self, estimate: Tensor, spectrum: Tensor, transform: Transform, cutoff_bin: int, coherent: bool
    ) -> Missing:
        """Compare an estimated magnitude with what the input has.

        In the slope, frame by frame, the target runs in a straight line in decibels from the input's level just below
        to the estimate's level just above. The input itself is raised to it as far as it can be, so that its texture
        stays; what is empty beyond that is made up by the estimate. Above the slope the estimate is the target, and
        what the input still has there counts.

        Args:
            estimate: magnitude [B, C, F, N]; only bins from `cutoff_bin` up count.
            spectrum: complex spectrum [B, C, F, N] of the input.
            transform: the transform of both.
            cutoff_bin: first bin for which the estimate was made.
            coherent: what is missing will have the input's phase, so that magnitudes add up and not powers.
        """
        low = min(transform.first_above(self.slope_hz, self.sample_rate), cutoff_bin)
        boost, rest = _slope(estimate, spectrum, low, cutoff_bin)
        target, own = estimate[..., cutoff_bin:, :], power(spectrum[..., cutoff_bin:, :])
        above = (target - own.sqrt()).clamp_min(0) if coherent else _missing_power(target.square(), own).sqrt()
        return Missing(low, boost, torch.cat([rest, above], dim=-2))

    def assemble(self, missing: Missing, spectrum: Tensor, transform: Transform) -> Tensor:
        """Complex spectrum [B, C, F − low, N] of what is to be added, ready for the inverse and for `highpass`.

        Args:
            missing: what `missing` returned.
            spectrum: its magnitude with a phase [B, C, F − low, N].
            transform: the transform.
        """
        slope_bins = missing.boost.shape[-2]
        joined = torch.cat([spectrum[..., :slope_bins, :] + missing.boost, spectrum[..., slope_bins:, :]], dim=-2)
        gain = _gains(self, transform)[missing.low :, None].to(joined.device)
        return joined / gain.clamp_min(1 / LARGEST_COMPENSATION)


def _slope(estimate: Tensor, spectrum: Tensor, low: int, cutoff_bin: int) -> tuple[Tensor, Tensor]:
    """What the bins `low` … `cutoff_bin` − 1 lack [B, C, S, N]: a boost of the input, and the magnitude of the rest."""
    lowest, highest = max(low - EDGE_BINS, 0), min(cutoff_bin + EDGE_BINS, spectrum.shape[-2])
    near = spectrum[..., lowest:highest, :]
    powers = power(near)
    below = powers[..., : low - lowest, :].mean(dim=-2, keepdim=True)
    above = estimate[..., cutoff_bin:highest, :].square().mean(dim=-2, keepdim=True)
    share = torch.linspace(0, 1, cutoff_bin - low + 2, device=powers.device)[1:-1, None]
    target = torch.lerp(below.clamp_min(_TINY).log(), above.clamp_min(_TINY).log(), share).mul(0.5).exp()
    level = (
        _smooth(powers, min(EDGE_BINS, (cutoff_bin - low) // 4))[..., low - lowest : cutoff_bin - lowest, :]
        .clamp_min(_TINY)
        .sqrt()
    )
    gain = (target / level).clamp(1.0, LARGEST_BOOST)
    rest = _missing_power(target.square(), (gain * level).square())
    return (gain - 1) * spectrum[..., low:cutoff_bin, :], rest.sqrt()


def _missing_power(target: Tensor, own: Tensor) -> Tensor:
    return (target - own).clamp_min(0)


def _smooth(power: Tensor, reach: int) -> Tensor:
    """Mean over 2 · `reach` + 1 neighbouring bins, fewer at the ends."""
    return F.avg_pool2d(power, (2 * reach + 1, 1), stride=1, padding=(reach, 0), count_include_pad=False)


@lru_cache(maxsize=32)
def _response(blender: Blender, length: int) -> Tensor:
    """Frequency response [length // 2 + 1] for circular convolution; real, because the centred filter is symmetric."""
    highpass = _taps(blender)
    centred = np.roll(np.pad(highpass, (0, length - len(highpass))), -blender.context)
    return torch.from_numpy(np.fft.rfft(centred).real.astype(np.float32))


@lru_cache(maxsize=32)
def _gains(blender: Blender, transform: Transform) -> Tensor:
    """Frequency response [bins] at the centres of a transform's bins."""
    length = 1 << (GAIN_POINTS * len(_taps(blender))).bit_length()
    places = transform.frequencies(blender.sample_rate) * (length / blender.sample_rate)
    response = _response(blender, length).numpy()
    return torch.from_numpy(np.interp(places, np.arange(len(response)), response).astype(np.float32))


def _taps(blender: Blender) -> NDArray[np.float64]:
    stop, passing = blender._transition
    half = blender.context
    highpass = -windowed_sinc((stop + passing) / 2, blender.sample_rate, half, kaiser_beta(STOPBAND_DB))
    highpass[half] += 1.0
    return highpass
