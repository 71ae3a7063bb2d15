"""Texture for an empty band: the fine structure of the low band, whitened and copied up.

An envelope says how loud each place of the high band is; the texture says what lies there. Copying keeps the tones,
beats and onsets of the music where random phases would make noise of them (spectral band replication: Dietz, Liljeryd,
Kjörling and Kunz 2002, who transmit the envelope that is estimated here).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from musr_models.contract import Band
from musr_models.transforms import Stft, power

# Length of a frame, about: partials of a bass note are apart, onsets not yet smeared.
FRAME_S = 0.0445
# Whitening averages log power over a triangle of this half-width in frequency: wide enough that tones stay tones (the
# spread of the log spectrum stays that of music), narrow enough to follow formants and filter slopes ...
SMOOTHING_HZ = 300.0
# ... and over this many frames, one each side: onsets stay as sharp as the envelope that is put on them.
SMOOTHING_FRAMES = 3
# Power, relative to the mean of the low band, below which a bin counts as empty (−120 dB): music falls by less from its
# bass to its treble, and the round-off of an STFT in single precision lies at −140 dB.
RELATIVE_FLOOR = 1e-12
# The input may fall off on its way to the band edge; the texture is taken from below this fraction of it ...
SOURCE_TOP = 0.9
# ... and above this one.
SOURCE_BOTTOM = 0.3

# Frames on each side that a frame of `copy_up` depends on.
CONTEXT_FRAMES = 2 * (SMOOTHING_FRAMES // 2)


def texture_stft(sample_rate: int) -> Stft:
    """The transform of `sbr` and `envelope`: 2048 samples at 44.1 and 48 kHz, about as long at other rates.

    Windows overlap by three quarters; the hop is 4, 5, 6 or 7 times a power of two, whichever comes nearest.
    """
    hop = FRAME_S * sample_rate / 4
    octave = 2 ** (math.floor(math.log2(hop)) - 2)
    nearest = min((octave * m for m in range(4, 9)), key=lambda size: abs(math.log(size / hop)))
    return Stft(4 * nearest, nearest)


def copy_up(x: Tensor, stft: Stft, band: Band) -> Tensor:
    """Fill the whole spectrum with texture of unit mean log power, made of the bins below the band edge.

    Patches are moved up by multiples of n_fft / hop bins. From frame to frame such a shift turns by whole cycles, so
    that a copied tone goes on like a tone: the copy is the STFT of a signal, the patch modulated.

    Args:
        x: complex spectrum [B, C, F, N]; bins above the band edge are not looked at.
        stft: the transform of `x`.
        band: rate and edge of `x`.

    Returns:
        Complex [B, C, F, N]: the whitened low band, and copies of its upper part above. The product with an envelope's
        magnitude is a spectrum. Zero where the low band is silent.
    """
    cutoff_bin = band.cutoff_bin(stft)
    low = whiten(x[..., :cutoff_bin, :], stft, band.sample_rate)
    return low.index_select(-2, patch_source(stft, cutoff_bin).to(x.device))


def patch_source(stft: Stft, cutoff_bin: int) -> Tensor:
    """The bin that each bin of the texture is taken from, int64 [bins]: itself up to the top of the copied patch."""
    step = stft.n_fft // stft.hop
    top = max(int(SOURCE_TOP * cutoff_bin), 1)
    width = max((top - int(SOURCE_BOTTOM * cutoff_bin)) // step, 1) * step
    target = torch.arange(stft.bins)
    copies = (target - top).div(width, rounding_mode="floor") + 1
    return (target - width * copies.clamp_min(0)).clamp_min(0)


def whiten(x: Tensor, stft: Stft, sample_rate: int) -> Tensor:
    """Divide a spectrum by its local envelope: phases stay, and the mean log power becomes 0 everywhere.

    The envelope is the geometric mean of the power around each bin. Bins that are empty relative to the frames around
    them stay (nearly) empty, and zeros stay zeros; nothing depends on the absolute level.

    Args:
        x: complex spectrum [B, C, F, N], cut off at the band edge: its bins all hold signal.
        stft: the transform of `x`.
        sample_rate: in Hz.

    Returns:
        Complex, the shape of `x`.
    """
    powers = power(x)
    level = local_level(powers, SMOOTHING_FRAMES)
    level = torch.where(level > 0, level, 1)
    log_power = torch.log(powers / level + RELATIVE_FLOOR)
    bins = round(SMOOTHING_HZ * stft.n_fft / sample_rate)
    envelope = smooth_frames(smooth_bins(log_power, bins), SMOOTHING_FRAMES)
    return x * (torch.exp(-0.5 * envelope) / level.sqrt())


def local_level(powers: Tensor, frames: int) -> Tensor:
    """Mean of [..., F, N] over all bins and an odd number of frames around each, [..., 1, N]."""
    return smooth_frames(powers.mean(dim=-2, keepdim=True), frames)


def smooth_frames(x: Tensor, frames: int) -> Tensor:
    """Mean of [..., F, N] over an odd number of frames; over fewer at the ends."""
    return F.avg_pool2d(x, (1, frames), stride=1, padding=(0, frames // 2), count_include_pad=False)


def smooth_bins(x: Tensor, half_width: int) -> Tensor:
    """Mean of [..., F, N] over bins, weighted by a triangle of that half-width; over fewer at the ends."""
    return _mean_of_neighbours(_mean_of_neighbours(x, half_width // 2), half_width // 2)


def _mean_of_neighbours(x: Tensor, each_side: int) -> Tensor:
    bins = torch.arange(x.shape[-2], device=x.device)
    first, end = (bins - each_side).clamp_min(0), (bins + each_side + 1).clamp_max(len(bins))
    # differences of running sums: the cost does not grow with the width
    sums = F.pad(x.cumsum(dim=-2), (0, 0, 1, 0))
    return (sums.index_select(-2, end) - sums.index_select(-2, first)) / (end - first)[:, None]
