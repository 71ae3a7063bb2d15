"""Stretches of the training clips that have been through lossy encoders, once: crops only read them.

Encoders are far too slow for crops made on the fly, and a short crop would not tell them what came before it. Coded
stretches lie beside the cache of clips and are aligned with it to the sample, at 8 bytes for each sample of a pair:
1.3 GB an hour at 44.1 kHz.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import Degradation
from musr_cli.dsp import band_edge
from musr_cli.errors import MusrError, UnavailableError, UsageError
from musr_cli.training.cache import FRAME_BYTES, Clip, ClipCache, interleave
from musr_cli.training.recipe import CodedRecipe

FOLDER = "coded"
"""Inside the cache folder: what is in there does not count as clips, and makes no room for them."""

LOWER_RATES = (16000, 22050, 24000, 32000)
"""Rates in Hz that encoders change to where the bitrate is low."""

_VERSION = 1  # of what is drawn and written: another one makes pools anew
_TRIES = 4
_NOTES = 10

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """A piece of a clip inside the pool.

    Attributes:
        clip: which of the clips that the pool was made of.
        clip_start: first sample inside the clip.
        samples: length at the cache's rate.
        start: first sample in the pool.
        edge_hz: the band edge that is detected in what was coded; the Nyquist frequency where none is.
        how: what it has been through, for people.
    """

    clip: int
    clip_start: int
    samples: int
    start: int
    edge_hz: float
    how: str


@dataclass(frozen=True)
class CodedPool:
    """All coded stretches, float32 on disk, mapped into memory.

    Attributes:
        path: the sample file, [total, 2] float32.
        sample_rate: in Hz.
        stretches: what lies where.
    """

    path: Path
    sample_rate: int
    stretches: tuple[Stretch, ...]

    @cached_property
    def _file(self) -> ClipCache:
        """The same file seen as clips: both are laid out alike."""
        return ClipCache(self.path, self.sample_rate, ())

    @property
    def samples(self) -> Array:
        """[total, 2] float32, mapped."""
        return self._file.samples

    def crop(self, stretch: Stretch, start: int, samples: int) -> Array:
        """[2, samples] float32 of what was coded, zeros beyond the end of `stretch`."""
        return self._file.crop(Clip(stretch.how, stretch.start, stretch.samples, stretch.edge_hz), start, samples)


def open_pool(
    cache: ClipCache,
    clips: Sequence[Clip],
    recipe: CodedRecipe,
    seed: int,
    cache_dir: Path,
    note: Callable[[str], None] = print,
) -> CodedPool:
    """The pool of these clips, coded now unless it was for the same clips, recipe and seed.

    Args:
        cache: where the clips lie.
        clips: to draw from, each as often as it is long.
        recipe: says how much at most, and through what.
        seed: of everything drawn.
        cache_dir: gets the pool, in a folder of its own.
        note: takes progress, for people.

    Raises:
        UsageError: the recipe names what is no codec.
        MusrError: an encoder that it names is not there.
    """
    index = cache_dir / FOLDER / f"{_key(cache, clips, recipe, seed)}.coded.json"
    if not index.is_file():
        index.parent.mkdir(parents=True, exist_ok=True)
        stretches = _make(cache, clips, recipe, seed, index.with_suffix(".f32"), note)
        part = index.with_suffix(f".{os.getpid()}.json.part")
        part.write_text(json.dumps([asdict(stretch) for stretch in stretches]), encoding="utf-8")
        part.replace(index)
    found = tuple(Stretch(**values) for values in json.loads(index.read_text(encoding="utf-8")))
    return CodedPool(index.with_suffix(".f32"), cache.sample_rate, found)


def _key(cache: ClipCache, clips: Sequence[Clip], recipe: CodedRecipe, seed: int) -> str:
    # how many crops are drawn from a pool does not change it
    wanted = asdict(replace(recipe, share=0.0))
    state = [_VERSION, cache.path.name, cache.sample_rate, [(clip.start, clip.samples) for clip in clips], wanted, seed]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


def _make(
    cache: ClipCache, clips: Sequence[Clip], recipe: CodedRecipe, seed: int, target: Path, note: Callable[[str], None]
) -> list[Stretch]:
    """Code into `target`, which appears only when it is whole."""
    # no more than there is: the same stretches over again teach little
    total = min(round(recipe.hours * 3600 * cache.sample_rate), sum(clip.samples for clip in clips))
    hours = total / 3600 / cache.sample_rate
    note(f"coding {hours:.2g} h of stretches, once")
    stretches: list[Stretch] = []
    part, noted = target.with_suffix(f".{os.getpid()}.part"), 0
    try:
        with part.open("wb") as file:
            for coded, stretch in _stretches(cache, clips, recipe, seed, total):
                stretches.append(replace(stretch, start=file.tell() // FRAME_BYTES))
                file.write(interleave(coded))
                done = file.tell() // FRAME_BYTES * _NOTES // total
                if done > noted:
                    note(f"coded {min(done, _NOTES) * 100 // _NOTES} % of {hours:.2g} h")
                    noted = done
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return stretches


def _stretches(
    cache: ClipCache, clips: Sequence[Clip], recipe: CodedRecipe, seed: int, total: int
) -> Iterator[tuple[Array, Stretch]]:
    """Coded stretches [2, T], not yet placed, until together they have `total` samples."""
    lengths = np.array([clip.samples for clip in clips], dtype=np.float64)
    number = 0
    while total > 0:
        # a generator for each, so that what one draws does not move the others
        rng = np.random.default_rng([seed, number])
        index = int(rng.choice(len(clips), p=lengths / lengths.sum()))
        samples = min(round(recipe.stretch_s * cache.sample_rate), clips[index].samples)
        clip_start = int(rng.integers(clips[index].samples - samples + 1))
        x = cache.crop(clips[index], clip_start, samples)
        coded, how = _code(x, cache.sample_rate, recipe, rng)
        edge = band_edge.detect(coded, cache.sample_rate)
        yield coded, Stretch(index, clip_start, samples, 0, edge.cutoff_hz, how)
        total, number = total - samples, number + 1


def _code(x: Array, sample_rate: int, recipe: CodedRecipe, rng: np.random.Generator) -> tuple[Array, str]:
    """What encoders that are drawn leave of [2, T], and what they were."""
    first = _draw(recipe.codecs, recipe, rng)
    rate = _draw_rate(first, sample_rate, recipe, rng)
    steps = [first]
    if rng.random() < recipe.twice:
        others = [name for name in recipe.codecs if name != first.family]
        steps.append(_draw(others or recipe.codecs, recipe, rng))
    y, passed = resample(x, sample_rate, rate), []
    for step in steps:
        y, done = _encode(y, rate, step)
        passed.append(done.describe())
    how = ", then ".join(passed) + (f" at {rate} Hz" if rate != sample_rate else "")
    return resample(y, rate, sample_rate)[:, : x.shape[-1]], how


def _draw(codecs: Sequence[str], recipe: CodedRecipe, rng: np.random.Generator) -> Degradation:
    """A codec, uniformly, and its bitrate, log-uniformly."""
    name = codecs[int(rng.integers(len(codecs)))]
    return Degradation(name, bitrate_kbps=float(round(np.exp(rng.uniform(*np.log(recipe.bitrates_kbps))))))


def _draw_rate(codec: Degradation, sample_rate: int, recipe: CodedRecipe, rng: np.random.Generator) -> int:
    """The rate to code at: a lower one the likelier, the lower the bitrate is."""
    lowest, highest = np.log(recipe.bitrates_kbps)
    position = float(np.clip((np.log(codec.bitrate_kbps or 1.0) - lowest) / max(highest - lowest, 1e-9), 0, 1))
    rates = [rate for rate in LOWER_RATES if rate < sample_rate]
    # a uniform position to the power of (1 − share) / share has the share as its mean
    is_lower = recipe.resampled > 0 and rng.random() < (1 - position) ** ((1 - recipe.resampled) / recipe.resampled)
    return int(rng.choice(rates)) if is_lower and rates else sample_rate


def _encode(x: Array, sample_rate: int, codec: Degradation) -> tuple[Array, Degradation]:
    """Code [2, T], at a multiple of the bitrate where the music does not fit into less; says what it was in the end."""
    for _ in range(_TRIES):
        try:
            return degrade.apply(x, sample_rate, codec), codec
        except (UnavailableError, UsageError):
            raise
        except MusrError:
            codec = replace(codec, bitrate_kbps=2 * (codec.bitrate_kbps or 0.0))
    return degrade.apply(x, sample_rate, codec), codec
