from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.audio.resampling import resample
from musr_cli.engine.planner import plan
from musr_cli.engine.stream import Block, Timeline, add_in_bands, overlap_add, resampled

KERNEL = np.hanning(65) / 32


def signal(samples: int, channels: int = 2) -> Block:
    return np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32)


def cut_up(x: Block, size: int) -> Iterator[Block]:
    for start in range(0, x.shape[-1], size):
        yield x[:, start : start + size]


def smooth(x: Block, start: int) -> Block:
    """Reaches 32 samples to each side."""
    return np.stack([np.convolve(np.pad(row, 32), KERNEL, "valid") for row in x]).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6000), st.integers(1, 2000), st.integers(1, 300), st.integers(1, 3000))
def test_chunks_join_to_what_the_whole_would_be(samples: int, chunk: int, align: int, block: int) -> None:
    x = signal(samples)
    pieces = list(overlap_add(cut_up(x, block), plan(chunk, 32, align, 8000), smooth))
    assert np.array_equal(np.concatenate([before for before, _ in pieces], axis=-1), x)
    assert np.allclose(np.concatenate([after for _, after in pieces], axis=-1), smooth(x, 0), atol=1e-5)


def test_without_context_seams_would_show() -> None:
    """The test above can fail."""
    x = signal(6000)
    pieces = list(overlap_add([x], plan(1000, 0, 1, 8000), smooth))
    assert not np.allclose(np.concatenate([after for _, after in pieces], axis=-1), smooth(x, 0), atol=1e-2)


def test_nothing_comes_of_nothing() -> None:
    assert list(overlap_add([], plan(100, 10, 1, 8000), smooth)) == []
    assert list(resampled([], 8000, 16000)) == []


def test_a_timeline_gives_zeros_where_it_does_not_reach() -> None:
    line = Timeline()
    line.push(signal(10))
    line.push(signal(5))
    read = line.read(-3, 20)
    assert read.shape == (2, 23)
    assert not read[:, :3].any()
    assert not read[:, 18:].any()
    assert np.array_equal(read[:, 3:13], signal(10))


def test_a_long_stream_is_forgotten_as_it_passes() -> None:
    line = Timeline()
    for index in range(1000):
        line.push(np.full((1, 10), index, np.float32))
        line.forget(line.end - 25)
        assert sum(block.shape[-1] for block in line._blocks) <= 40
        assert np.array_equal(line.read(line.end - 10, line.end), np.full((1, 10), index))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_signal_keeps_its_precision(dtype: type) -> None:
    x = np.random.default_rng(0).standard_normal((1, 5000)).astype(dtype)
    passed = [before for before, _ in overlap_add([x], plan(700, 32, 1, 8000), smooth)]
    assert passed[0].dtype == dtype
    assert np.array_equal(np.concatenate(passed, axis=-1), x)


@pytest.mark.parametrize("samples", [0, 1, 2, 1000, 9999])
@pytest.mark.parametrize(("rate", "work_rate"), [(96000, 48000), (88200, 44100), (64000, 48000)])
def test_a_band_made_at_a_lower_rate_is_added_in_place(samples: int, rate: int, work_rate: int) -> None:
    time = np.arange(samples) / rate
    x = np.stack([np.sin(2 * np.pi * 3000 * time), np.cos(2 * np.pi * 2000 * time)]).astype(np.float32)
    cut = plan(1000, 32, 1, work_rate)
    parts = [np.zeros((2, 0), np.float32), *add_in_bands(cut_up(x, 777), rate, work_rate, cut, lambda y, _: y)]
    doubled = np.concatenate(parts, axis=-1)
    assert doubled.shape == x.shape
    # twice the signal, as both tones survive the lower rate; ends ring a little
    inside = slice(300, -300)
    assert np.allclose(doubled[:, inside], 2 * x[:, inside], atol=1e-3)


def test_the_signal_itself_does_not_pass_the_lower_rate() -> None:
    x = signal(5000)
    cut = plan(1000, 32, 1, 48000)
    parts = list(add_in_bands([x], 96000, 48000, cut, lambda y, _: np.zeros_like(y)))
    assert np.array_equal(np.concatenate(parts, axis=-1), x)


@pytest.mark.parametrize("samples", [1, 2, 3, 441, 1000])
def test_resampling_in_blocks_is_resampling(samples: int) -> None:
    x = signal(samples)
    y = np.concatenate(list(resampled(cut_up(x, 100), 8000, 11025)), axis=-1)
    assert y.shape[-1] == -(-samples * 11025 // 8000)
    assert np.allclose(y, resample(x, 8000, 11025), atol=1e-6)
