"""Coded stretches are made once, belong to their clips to the sample, and depend on the seed alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from musr_cli import degrade
from musr_cli.degrade import Degradation
from musr_cli.errors import MusrError, UsageError
from musr_cli.training import cache as cache_module
from musr_cli.training import coded
from musr_cli.training.cache import ClipCache
from musr_cli.training.coded import CodedPool, open_pool
from musr_cli.training.recipe import CodedRecipe

SHORT = CodedRecipe(hours=12 / 3600, stretch_s=1.0, bitrates_kbps=(64.0, 128.0), resampled=0.0, twice=0.0)


def quiet(text: str) -> None:
    del text


def make(cache: ClipCache, folder: Path, seed: int = 0, **changes: object) -> CodedPool:
    return open_pool(cache, cache.clips, dataclasses.replace(SHORT, **changes), seed, folder, quiet)


@pytest.fixture(scope="module")
def pool(cache: ClipCache, tmp_path_factory: pytest.TempPathFactory) -> CodedPool:
    return make(cache, tmp_path_factory.mktemp("pool"))


def test_stretches_lie_one_behind_the_other(pool: CodedPool, cache: ClipCache) -> None:
    ends = [0, *np.cumsum([stretch.samples for stretch in pool.stretches])]
    assert [stretch.start for stretch in pool.stretches] == ends[:-1]
    assert pool.samples.shape == (ends[-1], 2)
    assert ends[-1] == 12 * cache.sample_rate
    for stretch in pool.stretches:
        assert stretch.clip_start + stretch.samples <= cache.clips[stretch.clip].samples
        assert 2000 < stretch.edge_hz <= cache.sample_rate / 2


def test_what_was_coded_belongs_to_its_clip(pool: CodedPool, cache: ClipCache) -> None:
    assert len({stretch.how for stretch in pool.stretches}) > 5
    for stretch in pool.stretches:
        low = pool.crop(stretch, 100, 8000)
        full = cache.crop(cache.clips[stretch.clip], stretch.clip_start + 100, 8000)
        assert (low.shape, low.dtype) == (full.shape, np.float32)
        correlation = np.fft.irfft((np.fft.rfft(low) * np.conj(np.fft.rfft(full))).sum(axis=0))
        assert int(np.argmax(correlation)) == 0
        assert not np.array_equal(low, full)


def test_crops_beyond_the_end_are_padded(pool: CodedPool) -> None:
    stretch = pool.stretches[0]
    assert not pool.crop(stretch, stretch.samples - 10, 100)[:, 10:].any()


def test_second_opening_codes_nothing(cache: ClipCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(cache, tmp_path)
    monkeypatch.setattr(degrade, "apply", None)
    # how many crops are drawn from it is none of the pool's business
    assert make(cache, tmp_path, share=0.4) == first


def test_a_pool_is_a_function_of_its_seed(pool: CodedPool, cache: ClipCache, tmp_path: Path) -> None:
    again = make(cache, tmp_path)
    np.testing.assert_array_equal(again.samples, pool.samples)
    assert again.stretches == pool.stretches
    other = make(cache, tmp_path, seed=1)
    assert other.path != again.path
    assert other.stretches != again.stretches


def test_clips_shorter_than_a_stretch_are_coded_whole(cache: ClipCache, tmp_path: Path) -> None:
    for stretch in make(cache, tmp_path, stretch_s=20.0).stretches:
        assert (stretch.clip_start, stretch.samples) == (0, cache.clips[stretch.clip].samples)


def test_some_are_coded_twice(cache: ClipCache, tmp_path: Path) -> None:
    for stretch in make(cache, tmp_path, twice=1.0, codecs=("mp3", "vorbis")).stretches:
        assert ("mp3" in stretch.how) and ("vorbis" in stretch.how)


def test_low_bitrates_are_resampled_first(cache: ClipCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded, "LOWER_RATES", (8000, 48000))
    stretches = make(cache, tmp_path, resampled=1.0).stretches
    assert all(stretch.how.endswith(" at 8000 Hz") for stretch in stretches)
    assert max(stretch.edge_hz for stretch in stretches) < 4300
    shares = dict.fromkeys((True, False), 0)
    recipe = dataclasses.replace(SHORT, resampled=0.25, bitrates_kbps=(24.0, 192.0))
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        codec = coded._draw(recipe.codecs, recipe, rng)
        rate = coded._draw_rate(codec, 16000, recipe, rng)
        shares[(codec.bitrate_kbps or 0) < 68] += rate == 8000
    assert sum(shares.values()) / 2000 == pytest.approx(0.25, abs=0.03)
    assert shares[True] > 5 * shares[False]


def test_more_bitrate_where_the_music_does_not_fit() -> None:
    loud = np.random.default_rng(0).normal(0, 1, (2, 44100)).astype(np.float32)
    y, how = coded._encode(loud, 44100, Degradation("wma", bitrate_kbps=24.0))
    assert y.shape == loud.shape
    assert (how.bitrate_kbps or 0) > 24


def test_what_is_no_codec_is_refused(cache: ClipCache, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'mp3'"):
        make(cache, tmp_path, codecs=("mp33",))


def test_an_interrupted_pool_leaves_nothing(cache: ClipCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*args: object) -> None:
        raise MusrError("full")

    monkeypatch.setattr(coded.band_edge, "detect", break_off)
    with pytest.raises(MusrError, match="full"):
        make(cache, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_progress_is_told_in_tenths(cache: ClipCache, tmp_path: Path) -> None:
    notes: list[str] = []
    open_pool(cache, cache.clips, SHORT, 0, tmp_path, notes.append)
    assert notes[0].startswith("coding")
    assert notes[-1].startswith("coded 100 %")
    assert 5 < len(notes) <= 11


def test_clips_do_not_push_pools_out(pool: CodedPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "CACHE_LIMIT_BYTES", 1)
    cache_module._evict(pool.path.parents[1], keep=pool.path.parents[1] / "other.json")
    assert pool.path.is_file()
