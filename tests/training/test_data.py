"""Clips are decoded once, and a batch is a function of seed, step and process."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from musr_cli import degrade
from musr_cli.errors import MusrError
from musr_cli.training import cache as cache_module
from musr_cli.training.cache import ClipCache, matches, open_cache
from musr_cli.training.data import Batch, make_batch
from musr_cli.training.recipe import DataRecipe, Recipe


def quiet(text: str) -> None:
    del text


def test_cache_holds_every_piece_at_its_rate(cache: ClipCache, folder: Path) -> None:
    assert {clip.file for clip in cache.clips} == {"a.wav", "b.flac", "below/c.ogg", "d.wav", "held-e.wav"}
    for clip in cache.clips:
        assert clip.samples == pytest.approx(3 * 16000, abs=2)
    clip = next(clip for clip in cache.clips if clip.file == "d.wav")
    original, _ = sf.read(folder / "d.wav", dtype="float32", always_2d=True)
    np.testing.assert_allclose(cache.crop(clip, 0, clip.samples), original.T, atol=1 / 32767)


def test_mono_is_on_both_sides(cache: ClipCache) -> None:
    clip = next(clip for clip in cache.clips if clip.file == "b.flac")
    left, right = cache.crop(clip, 0, 1000)
    np.testing.assert_array_equal(left, right)


def test_crop_beyond_the_end_is_padded(cache: ClipCache) -> None:
    clip = cache.clips[0]
    assert np.all(cache.crop(clip, clip.samples - 10, 100)[:, 10:] == 0)


def test_second_opening_decodes_nothing(folder: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    for _ in range(2):
        open_cache(folder, 8000, tmp_path, note=notes.append)
    assert len(notes) == 1


def test_changed_files_are_decoded_again(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pieces").mkdir()
    piece = tmp_path / "pieces" / "d.wav"
    notes: list[str] = []
    for source in ("d.wav", "held-e.wav"):
        piece.write_bytes((folder / source).read_bytes())
        open_cache(piece.parent, 8000, tmp_path / "cache", note=notes.append)
    assert len(notes) == 2


def test_oldest_caches_make_room(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_cache(folder, 8000, tmp_path, note=quiet)
    monkeypatch.setattr(cache_module, "CACHE_LIMIT_BYTES", first.path.stat().st_size + 1000)
    second = open_cache(folder, 7000, tmp_path, note=quiet)
    assert second.path.exists()
    assert not first.path.exists()


def test_more_than_the_limit_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "CACHE_LIMIT_BYTES", 1000)
    with pytest.raises(MusrError, match="decoded"):
        open_cache(folder, 8000, tmp_path, note=quiet)
    assert not list(tmp_path.iterdir())


def test_folder_without_music(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to hear")
    with pytest.raises(MusrError, match="no audio"):
        open_cache(tmp_path, 16000, tmp_path / "cache", note=quiet)


def test_manifest_says_where_spectra_end(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "d.wav").write_bytes((folder / "d.wav").read_bytes())
    (tmp_path / "manifest.csv").write_text("file,bandwidth_hz\nset/d.wav,5432\n")
    (clip,) = open_cache(tmp_path / "set", 16000, tmp_path / "cache", note=quiet).clips
    assert clip.bandwidth_hz == 5432


def test_batch_is_a_function_of_its_key(cache: ClipCache, recipe: Recipe) -> None:
    one, same, later, other = (
        make_batch(cache, cache.clips, recipe, step, 3, rank) for step, rank in ((5, 0), (5, 0), (6, 0), (5, 1))
    )
    torch.testing.assert_close(one.low, same.low, rtol=0, atol=0)
    assert not torch.equal(one.full, later.full)
    assert not torch.equal(one.full, other.full)


def test_low_lost_its_high_band_and_nothing_else(cache: ClipCache, recipe: Recipe) -> None:
    plain = dataclasses.replace(recipe, data=DataRecipe(16000, crop_s=1.0, batch=8))
    batch = make_batch(cache, cache.clips, plain, 0, 8)
    assert batch.low.shape == batch.full.shape == (8, 16000)
    hz = torch.fft.rfftfreq(16000, 1 / 16000)
    low, full = (torch.fft.rfft(x * torch.hann_window(16000)).abs().square() for x in (batch.low, batch.full))
    assert (low[:, hz > 4800].sum() / full[:, hz > 4800].sum()) < 1e-3
    torch.testing.assert_close(low[:, hz < 3000].sum(), full[:, hz < 3000].sum(), rtol=1e-2, atol=0)


def test_equaliser_is_heard_on_both_sides_alike(cache: ClipCache, recipe: Recipe) -> None:
    flat, coloured = (
        make_batch(
            cache, cache.clips, dataclasses.replace(recipe, data=DataRecipe(16000, crop_s=1.0, equaliser_db=db)), 0, 8
        )
        for db in (0.0, 6.0)
    )
    hz = torch.fft.rfftfreq(16000, 1 / 16000)
    low, full = (torch.fft.rfft(x * torch.hann_window(16000)).abs() for x in (coloured.low, coloured.full))
    inside = (hz > 100) & (hz < 3000)
    torch.testing.assert_close(low[:, inside].sum(), full[:, inside].sum(), rtol=1e-2, atol=0)
    ratio = coloured.full.square().mean(dim=1) / flat.full.square().mean(dim=1)
    assert len(ratio.unique()) == 8


def test_spectra_end_where_encoders_cut_them(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    noise = np.float32(0.1) * np.random.default_rng(0).standard_normal((2, 4 * 44100)).astype(np.float32)
    cut = degrade.apply(noise, 44100, degrade.Degradation("stft", 16000.0))
    sf.write(tmp_path / "set" / "cut.wav", cut.T, 44100)
    (clip,) = open_cache(tmp_path / "set", 44100, tmp_path / "cache", note=quiet).clips
    assert 15000 < clip.bandwidth_hz < 16000


@pytest.mark.parametrize(
    ("file", "pattern", "expected"),
    [("below/c.ogg", "c.*", True), ("below/c.ogg", "below/*", True), ("below/c.ogg", "b*.flac", False)],
)
def test_patterns_take_names_and_paths(file: str, pattern: str, expected: bool) -> None:
    assert matches(file, [pattern]) is expected


def test_stereo_crops_keep_both_channels(cache: ClipCache, recipe: Recipe) -> None:
    own = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, is_stereo=True))
    batch = make_batch(cache, cache.clips, own, 1, 12)
    assert batch.low.shape == batch.full.shape == (12, 2, int(own.data.crop_s * cache.sample_rate))
    is_mono = [torch.equal(left, right) for left, right in batch.full]
    # a third of stereo pieces, and all mono ones, come as the middle
    assert any(is_mono)
    assert not all(is_mono)
    given = batch.low.flatten(1).norm(dim=1) / batch.full.flatten(1).norm(dim=1)
    assert (given < 1.001).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_causal_filters_shift_phases(cache: ClipCache, recipe: Recipe, share: float) -> None:
    degradation = dataclasses.replace(recipe.degradation, families=("butterworth",), causal_share=share)
    batch = make_batch(cache, cache.clips, dataclasses.replace(recipe, degradation=degradation), 1, 4)
    cross = torch.fft.rfft(batch.low) * torch.fft.rfft(batch.full).conj()
    near_edge = cross[:, int(3000 * batch.low.shape[-1] / cache.sample_rate) :][:, :100]
    turned = near_edge.imag.abs().sum() / near_edge.abs().sum()
    assert (turned > 0.3) == bool(share)


def _crops(cache: ClipCache, recipe: Recipe, **changes: object) -> Batch:
    wanted = dataclasses.replace(recipe.degradation, **changes)  # type: ignore[arg-type]
    return make_batch(cache, cache.clips, dataclasses.replace(recipe, degradation=wanted), 0, 24)


def test_intact_crops_lose_nothing_and_have_no_edge(cache: ClipCache, recipe: Recipe) -> None:
    batch = _crops(cache, recipe, intact=1.0)
    assert torch.equal(batch.low, batch.full)
    assert bool((batch.cutoff_hz == cache.sample_rate / 2).all())


def test_hints_are_withheld_or_wrong_as_often_as_asked(cache: ClipCache, recipe: Recipe) -> None:
    told = _crops(cache, recipe).cutoff_hz
    assert bool((_crops(cache, recipe, hint_withheld=1.0).cutoff_hz == cache.sample_rate / 2).all())
    wrong = _crops(cache, recipe, hint_wrong=1.0).cutoff_hz
    ratio = wrong / told
    assert bool((ratio > 0.49).all())
    assert bool((ratio < 1.51).all())
    assert float((ratio - 1).abs().mean()) > 0.1


def test_hints_do_not_change_what_is_heard(cache: ClipCache, recipe: Recipe) -> None:
    told, withheld = _crops(cache, recipe), _crops(cache, recipe, hint_withheld=1.0)
    assert float((told.full - withheld.full).abs().mean(dim=-1).min()) == 0


def test_noise_has_its_level_and_is_in_the_original_too(cache: ClipCache, recipe: Recipe) -> None:
    changes = dataclasses.replace(recipe.data, noise=1.0, noise_dbfs=(-40.0, -40.0))
    noisy = dataclasses.replace(recipe, data=changes, degradation=dataclasses.replace(recipe.degradation, intact=1.0))
    silent = ClipCache(cache.path, cache.sample_rate, cache.clips)
    batch = make_batch(silent, cache.clips, noisy, 0, 8)
    assert torch.equal(batch.low, batch.full)
    clean = make_batch(cache, cache.clips, dataclasses.replace(noisy, data=recipe.data), 0, 8)
    assert float((batch.full - clean.full).abs().max()) > 0


def test_tilt_raises_or_lowers_the_top(cache: ClipCache, recipe: Recipe) -> None:
    def top(tilt_db: float) -> float:
        changed = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, tilt_db=(tilt_db, tilt_db)))
        full = make_batch(cache, cache.clips, changed, 0, 8).full
        spectrum = torch.fft.rfft(full).abs().square().mean(dim=0)
        hz = torch.arange(len(spectrum)) * (cache.sample_rate / 2 / (len(spectrum) - 1))
        return float(10 * torch.log10(spectrum[(hz > 3900) & (hz < 4100)].sum() / spectrum[hz < 1000].sum()))

    # two of the four octaves between 1 and 16 kHz
    assert top(8.0) - top(-8.0) == pytest.approx(8.0, abs=0.5)


def test_highpassed_crops_lack_their_lowest_octaves(cache: ClipCache, recipe: Recipe) -> None:
    def bottom(share: float) -> float:
        changed = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, highpass=share))
        spectrum = torch.fft.rfft(make_batch(cache, cache.clips, changed, 0, 8).full).abs().square().mean(dim=0)
        hz = torch.arange(len(spectrum)) * (cache.sample_rate / 2 / (len(spectrum) - 1))
        return float(10 * torch.log10(spectrum[hz < 70].sum() / spectrum[(hz > 1000) & (hz < 4000)].sum()))

    assert bottom(1.0) < bottom(0.0) - 3
