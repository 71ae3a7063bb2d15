from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musr_cli.audio.resampling import resample
from musr_cli.errors import MusrError
from musr_cli.metrics.alignment import MAX_DELAY_S, find_delay
from musr_cli.plotting.alignment import Alignment, align
from musr_cli.plotting.panel import Excerpt, read_panel

RATE = 16_000
FLOOR_DB = -100


@pytest.fixture
def save(tmp_path):
    def write(name: str, x: np.ndarray, rate: int = RATE) -> Path:
        soundfile.write(tmp_path / name, x.T, rate, subtype="FLOAT")
        return tmp_path / name

    return write


def aligned(*paths: Path, excerpt: Excerpt = Excerpt()) -> Alignment:
    return align(paths, excerpt, find_delay, MAX_DELAY_S)


def differences_db(*paths: Path, excerpt: Excerpt = Excerpt()) -> list[np.ndarray]:
    first, *others = (read_panel(*each) for each in zip(paths, aligned(*paths, excerpt=excerpt).cuts, strict=True))
    return [np.maximum(other.columns_db, FLOOR_DB) - np.maximum(first.columns_db, FLOOR_DB) for other in others]


def test_a_file_does_not_differ_from_itself(save, music):
    path = save("a.wav", music(RATE, 2.0))
    assert not np.any(differences_db(path, path))
    assert aligned(path, path).notes == ()


def test_a_quieter_copy_is_quieter_everywhere(save, music):
    x = music(RATE, 2.0, seed=1) + 0.1 * np.random.default_rng(0).standard_normal((2, 2 * RATE)).astype(np.float32)
    (difference_db,) = differences_db(save("a.wav", x), save("b.wav", x / 2))
    assert difference_db == pytest.approx(-20 * np.log10(2), abs=1e-3)


@pytest.mark.parametrize("late", [300, -300])
def test_delays_are_evened_out_and_said(save, music, late):
    x = music(RATE, 3.0)
    parts = {True: (x[:, 300:], x), False: (x, x[:, 300:])}[late > 0]
    first, second = save("a.wav", parts[0]), save("b.wav", parts[1])
    alignment = aligned(first, second)
    (note,) = alignment.notes
    assert f"b.wav is 18.8 ms {'late' if late > 0 else 'early'}: aligned" in note
    assert alignment.cuts[1].first - alignment.cuts[0].first == late
    (difference_db,) = differences_db(first, second)
    assert np.abs(difference_db[:, 5:-5]).max() < 0.01


def test_long_delays_are_left(save, music):
    x = music(RATE, 3.0)
    alignment = aligned(save("a.wav", x), save("b.wav", np.pad(x, ((0, 0), (RATE // 2, 0)))))
    assert "500.0 ms late, more than the 50 ms" in alignment.notes[0]
    assert alignment.cuts[0].first == alignment.cuts[1].first == 0


def test_the_highest_rate_is_that_of_all(save, music):
    x = music(RATE, 2.0)
    low, high = save("low.wav", resample(x, RATE, 8000), 8000), save("high.wav", x)
    alignment = aligned(low, high)
    assert {(cut.sample_rate, cut.last - cut.first) for cut in alignment.cuts} == {(RATE, 2 * RATE)}
    (difference_db,) = differences_db(low, high)
    bins = len(difference_db)
    assert np.abs(difference_db[: round(0.4 * bins), 5:-5]).max() < 0.1
    assert difference_db[round(0.6 * bins) :].max() > 20


def test_all_are_cut_to_the_shortest_and_to_the_excerpt(save, music):
    x = music(RATE, 4.0)
    long, short = save("long.wav", x), save("short.wav", x[:, : 3 * RATE])
    alignment = aligned(long, short)
    assert {cut.last for cut in alignment.cuts} == {3 * RATE}
    assert "short.wav is the shortest" in alignment.notes[0]
    part = aligned(long, short, excerpt=Excerpt(1.0, 0.5))
    assert {cut[1:] for cut in part.cuts} == {(RATE, RATE + RATE // 2, 1.0)}
    assert part.notes == ()


def test_nothing_in_common_is_refused(save, music):
    whole, empty = save("a.wav", music(RATE, 1.0)), save("empty.wav", np.zeros((1, 0)))
    with pytest.raises(MusrError, match=r"empty\.wav: holds no samples"):
        aligned(whole, empty)
    with pytest.raises(MusrError, match=r"a\.wav: ends at 1\.00 s"):
        aligned(whole, whole, excerpt=Excerpt(1.0))
