"""Training examples: crops of clips, degraded on the fly or by encoders beforehand.

A batch is a function of (seed, step, process) alone: resuming needs no state of the data, and two runs see the same
crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from musr_cli import degrade
from musr_cli.training.cache import CHANNELS, Array, Clip, ClipCache, matches
from musr_cli.training.coded import CodedPool
from musr_cli.training.recipe import DataRecipe, DegradationRecipe, Recipe
from musr_models.contract import Band
from musr_models.transforms import Transform

_HQ_PASSBAND = 0.9  # of the lower Nyquist frequency: where soxr HQ begins to fall
_LOWEST_OCTAVE_HZ = 60.0
_HIGHEST_CUTOFF = 0.85  # of where a crop's spectrum ends: above, next to nothing is left to learn
_EDGE_ERROR = 0.01  # relative; what the detector's errors look like where it is right
_SPEED_SHARE = 0.5
_TRANSFER_SHARE = 0.5  # of noise: what was added after the band was lost, and goes on above the edge
_NOISE_DB_PER_OCTAVE = (-6.0, 3.0)
_HIGHPASS_HZ = (80.0, 500.0)
_WRONG_HINT = (0.5, 1.5)
_LOWEST_HINT_HZ = 1500.0
_TINY = 1e-12


@dataclass(frozen=True)
class Batch:
    """Training examples.

    Attributes:
        low: band-limited signals [B, T] float32; [B, 2, T] where the recipe wants stereo.
        full: the originals, likewise.
        cutoff_hz: [B], the band edges of `low` that networks for any edge are told: −12 dB points, with the errors
            that a detector makes. Nominal cutoffs where the recipe draws from no grid.
        bandwidth_hz: [B], where each original's spectrum ends.
    """

    low: Tensor
    full: Tensor
    cutoff_hz: Tensor
    bandwidth_hz: Tensor

    def bands(self, sample_rate: int) -> list[Band]:
        """What networks for any edge are told of each example."""
        return [Band(sample_rate, cutoff_hz) for cutoff_hz in self.cutoff_hz.tolist()]

    def cutoff_bins(self, transform: Transform, sample_rate: int) -> Tensor:
        """[B], the first bin of each example that counts as missing."""
        bins = [band.cutoff_bin(transform) for band in self.bands(sample_rate)]
        return torch.tensor(bins, device=self.cutoff_hz.device)

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`."""
        return Batch(*(part.to(device) for part in (self.low, self.full, self.cutoff_hz, self.bandwidth_hz)))


def make_batch(
    cache: ClipCache,
    clips: Sequence[Clip],
    recipe: Recipe,
    step: int,
    size: int,
    rank: int = 0,
    pool: CodedPool | None = None,
) -> Batch:
    """The `size` examples of one step and process; the same arguments give the same batch.

    Args:
        cache: where the clips lie.
        clips: to draw from.
        recipe: says how.
        step: of the training.
        size: number of examples.
        rank: of the process.
        pool: stretches of the same clips that have been through encoders, if the recipe wants any.
    """
    rng = np.random.default_rng([recipe.seed, step, rank])
    weights = _weights(clips, recipe.data)
    examples = [_example(cache, clips, weights, recipe, rng, pool) for _ in range(size)]
    low, full, cutoff_hz, bandwidth_hz = zip(*examples, strict=True)
    return Batch(
        torch.from_numpy(np.stack(low)),
        torch.from_numpy(np.stack(full)),
        torch.tensor(cutoff_hz, dtype=torch.float32),
        torch.tensor(bandwidth_hz, dtype=torch.float32),
    )


def _weights(clips: Sequence[Clip], data: DataRecipe) -> NDArray[np.float64]:
    """How likely a crop comes from each clip: by length, the favoured ones together by their share."""
    weights = np.array([clip.samples for clip in clips], dtype=np.float64)
    is_favoured = np.array([matches(clip.file, data.favoured) for clip in clips])
    if is_favoured.any() and not is_favoured.all():
        weights[is_favoured] *= data.favoured_share / weights[is_favoured].sum()
        weights[~is_favoured] *= (1 - data.favoured_share) / weights[~is_favoured].sum()
    return np.asarray(weights / weights.sum())


def _example(
    cache: ClipCache,
    clips: Sequence[Clip],
    weights: NDArray[np.float64],
    recipe: Recipe,
    rng: np.random.Generator,
    pool: CodedPool | None,
) -> tuple[Array, Array, float, float]:
    """Input, original, the edge that the network is told, and where the original's spectrum ends."""
    rate = cache.sample_rate
    if pool and rng.random() < recipe.coded.share:
        low, full, cutoff_hz, bandwidth_hz = _draw_coded(cache, clips, pool, recipe, rng)
        gain = _timbre(full.shape[-1], rate, recipe.data, rng)
        low, full = _filtered(low, gain), _filtered(full, gain)
    else:
        full, bandwidth_hz = _draw(cache, clips, weights, recipe, rng)
        if rng.random() < recipe.data.mix:
            other, other_hz = _draw(cache, clips, weights, recipe, rng)
            full, bandwidth_hz = 0.5 * (full + other), min(bandwidth_hz, other_hz)
        full = _filtered(full, _timbre(full.shape[-1], rate, recipe.data, rng))
        full *= np.float32(10 ** (rng.uniform(*recipe.data.gain_db) / 20))
        low, full, cutoff_hz = _lose_band(full, rate, bandwidth_hz, recipe, rng)
    cutoff_hz = _hint(cutoff_hz, rate, recipe.degradation, rng)
    return *((low, full) if recipe.data.is_stereo else (low[0], full[0])), cutoff_hz, bandwidth_hz


def _lose_band(
    full: Array, sample_rate: int, bandwidth_hz: float, recipe: Recipe, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """Degrade a crop: the input, the original with the noise that it may have got, and the edge."""
    noise = _noise(full.shape, sample_rate, recipe.data, rng)
    # the noise of a room or a tape is lost above the edge like the music, that of a transfer is not
    is_of_transfer = noise is not None and rng.random() < _TRANSFER_SHARE
    if noise is not None and not is_of_transfer:
        full = full + noise
    if recipe.degradation.intact and rng.random() < recipe.degradation.intact:
        low, cutoff_hz = full, sample_rate / 2
    else:
        how, cutoff_hz = _draw_degradation(recipe.degradation, sample_rate, bandwidth_hz, rng)
        low = degrade.apply(full, sample_rate, how)
    if noise is not None and is_of_transfer:
        low, full = low + noise, full + noise
    return low, full, cutoff_hz


def _noise(shape: tuple[int, ...], sample_rate: int, data: DataRecipe, rng: np.random.Generator) -> Array | None:
    """Coloured stationary noise like that of rooms, microphones and tapes, or None; the same in all channels' level."""
    if not data.noise or rng.random() >= data.noise:
        return None
    white = rng.standard_normal(shape).astype(np.float32)
    gain_db = rng.uniform(*_NOISE_DB_PER_OCTAVE) * _octaves(shape[-1], sample_rate)
    noise = _filtered(white, 10 ** (gain_db / 20))
    level = 10 ** (rng.uniform(*data.noise_dbfs) / 20)
    return np.asarray(noise * (level / (np.sqrt(np.mean(np.square(noise))) + _TINY)), np.float32)


def _hint(cutoff_hz: float, sample_rate: int, wanted: DegradationRecipe, rng: np.random.Generator) -> float:
    """The edge that a network is told: the true one, none (the Nyquist frequency) or a wrong one."""
    if not (wanted.hint_withheld or wanted.hint_wrong):
        return cutoff_hz
    kind = rng.random()
    if kind < wanted.hint_withheld:
        return sample_rate / 2
    if kind < wanted.hint_withheld + wanted.hint_wrong:
        return min(max(cutoff_hz * float(rng.uniform(*_WRONG_HINT)), _LOWEST_HINT_HZ), sample_rate / 2)
    return cutoff_hz


def _draw_degradation(
    wanted: DegradationRecipe, sample_rate: int, bandwidth_hz: float, rng: np.random.Generator
) -> tuple[degrade.Degradation, float]:
    """How a crop loses its band, and the band edge that a network is told."""
    lowest_hz, highest_hz = wanted.cutoff_hz
    if wanted.cutoffs_per_octave:
        octaves = np.log2(max(min(highest_hz, _HIGHEST_CUTOFF * bandwidth_hz) / lowest_hz, 1.0))
        # on a grid, so that edges are worked out once
        step = rng.integers(int(octaves * wanted.cutoffs_per_octave) + 1)
        lowest_hz = highest_hz = float(lowest_hz * 2 ** (step / wanted.cutoffs_per_octave))
    seed = int(rng.integers(2**31))
    cutoffs_hz = (lowest_hz, highest_hz)
    how = degrade.sample(seed, sample_rate, families=wanted.families, cutoff_hz=cutoffs_hz, orders=wanted.orders)
    # nothing is drawn for recipes without a share, whose crops stay what they were
    if wanted.causal_share and how.order and rng.random() < wanted.causal_share:
        how = replace(how, causal=True)
    if not wanted.cutoffs_per_octave:
        return how, how.cutoff_hz or sample_rate / 2
    return how, min(degrade.edge(how, sample_rate) * float(np.exp(rng.normal(0, _EDGE_ERROR))), sample_rate / 2)


def _timbre(samples: int, sample_rate: int, data: DataRecipe, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """Gain [bins] of a random zero-phase filter, so that no timbre is learnt by heart; None where none is wanted.

    Its gain walks from octave to octave, and is tilted as a whole.
    """
    tilts = any(data.tilt_db)
    if not (data.equaliser_db or tilts or data.highpass):
        return None
    octaves = _octaves(samples, sample_rate)
    gain_db = np.zeros_like(octaves)
    if data.equaliser_db:
        gains_db = np.cumsum(rng.normal(scale=data.equaliser_db, size=int(octaves[-1]) + 2))
        gain_db = np.interp(octaves, np.arange(len(gains_db)), gains_db - gains_db.mean())
    if tilts:
        above_1k = (octaves - np.log2(1000 / _LOWEST_OCTAVE_HZ)).clip(0) / 4
        gain_db = gain_db + rng.uniform(*data.tilt_db) * above_1k
    if data.highpass and rng.random() < data.highpass:
        gain_db = gain_db + _highpass_db(octaves, rng)
    return np.asarray(10 ** (gain_db / 20))


def _highpass_db(octaves: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Response of a Butterworth high-pass, as telephones and old discs have one; `octaves` as `_octaves` gives them."""
    order, edge = rng.integers(1, 9), np.log2(rng.uniform(*_HIGHPASS_HZ) / _LOWEST_OCTAVE_HZ)
    return np.asarray(-10 * np.log10(1 + 2.0 ** (2 * order * (edge - octaves))))


def _octaves(samples: int, sample_rate: int) -> NDArray[np.float64]:
    """Bins of a whole crop, in octaves above `_LOWEST_OCTAVE_HZ`."""
    hz = np.fft.rfftfreq(samples, 1 / sample_rate)
    return np.asarray(np.log2(hz.clip(_LOWEST_OCTAVE_HZ) / _LOWEST_OCTAVE_HZ))


def _filtered(x: Array, gain: NDArray[np.float64] | None) -> Array:
    if gain is None:
        return x
    return np.fft.irfft(np.fft.rfft(x) * gain, x.shape[-1]).astype(np.float32)


def _draw_coded(
    cache: ClipCache, clips: Sequence[Clip], pool: CodedPool, recipe: Recipe, rng: np.random.Generator
) -> tuple[Array, Array, float, float]:
    """A crop [C, T] that has been through an encoder, the original, its edge, and where the original ends."""
    stretch = pool.stretches[int(rng.integers(len(pool.stretches)))]
    wanted = round(recipe.data.crop_s * cache.sample_rate)
    start = int(rng.integers(max(1, stretch.samples - wanted)))
    clip = clips[stretch.clip]
    pairs = pool.crop(stretch, start, wanted), cache.crop(clip, stretch.clip_start + start, wanted)
    view = int(rng.integers(3))
    low, full = (np.ascontiguousarray(_views(pair, recipe.data.is_stereo)[view]) for pair in pairs)
    return low, full, stretch.edge_hz, clip.bandwidth_hz


def _draw(
    cache: ClipCache, clips: Sequence[Clip], weights: NDArray[np.float64], recipe: Recipe, rng: np.random.Generator
) -> tuple[Array, float]:
    """A crop [C, T] at a random speed, and where its spectrum ends."""
    clip = clips[int(rng.choice(len(clips), p=weights))]
    # half of the crops stay as they are: at another speed the resampler's slope hides the uppermost bins
    speed = float(np.exp(rng.uniform(*np.log(recipe.data.speed)))) if rng.random() < _SPEED_SHARE else 1.0
    wanted = round(recipe.data.crop_s * cache.sample_rate)
    needed = wanted if speed == 1 else int(np.ceil(wanted * speed)) + 64
    start = int(rng.integers(max(1, clip.samples - needed)))
    pair = cache.crop(clip, start, needed)
    crop = _views(pair, recipe.data.is_stereo)[int(rng.integers(3))]
    if speed == 1:
        return np.ascontiguousarray(crop[:, :wanted]), clip.bandwidth_hz
    crop = soxr.resample(crop.T, cache.sample_rate * speed, cache.sample_rate, quality="HQ").T
    # the resampler's own roll-off must not be learnt as if it were music
    return np.ascontiguousarray(crop[:, :wanted]), _HQ_PASSBAND * min(clip.bandwidth_hz * speed, cache.sample_rate / 2)


def _views(pair: Array, is_stereo: bool) -> tuple[Array, Array, Array]:
    """What a crop [C, T] may be made of: left, right or middle; or both channels, exchanged, or twice the middle."""
    middle = pair.mean(axis=0, keepdims=True)
    if is_stereo:
        return pair, pair[::-1], middle.repeat(CHANNELS, axis=0)
    return pair[:1], pair[1:], middle
