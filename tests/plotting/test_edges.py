from __future__ import annotations

import itertools

import numpy as np
import pytest

from musr_cli.plotting.edges import MAX_PARTS, EdgeTrack, PartEdge

RATE = 22_050


def track(x: np.ndarray, block: int, first: int = 0, lead: int = 0) -> tuple[PartEdge, ...]:
    edges = EdgeTrack(RATE, first, first + x.shape[-1] - lead, lead)
    for start in range(0, x.shape[-1], block):
        edges.push(x[:, start : start + block])
    return edges.parts()


@pytest.fixture(scope="module")
def moving(music) -> np.ndarray:
    """Five seconds up to 8 kHz, then five up to 3 kHz."""
    edges_hz = (8_000.0, 3_000.0)
    return np.concatenate([music(RATE, 5.0, seed=seed, edge_hz=hz) for seed, hz in enumerate(edges_hz)], axis=-1)


def test_an_edge_that_moves_steps_at_its_time(moving):
    parts = track(moving, 65_536)
    assert [(part.start_s, part.end_s) for part in parts] == [(0, 2.5), (2.5, 5), (5, 7.5), (7.5, 10)]
    edges_hz = [part.edge.cutoff_hz for part in parts]
    assert edges_hz == pytest.approx([8_000, 8_000, 3_000, 3_000], rel=0.1)


def test_the_size_of_blocks_changes_nothing(moving):
    whole = track(moving, moving.shape[1])
    assert [part.edge.cutoff_hz for part in track(moving, 50_001)] == [part.edge.cutoff_hz for part in whole]


def test_times_are_those_of_the_file(moving):
    parts = track(moving, 65_536, first=3 * RATE, lead=1000)
    assert parts[0].start_s == 3.0
    assert parts[-1].end_s == pytest.approx(3 + 10 - 1000 / RATE)


@pytest.mark.parametrize(("seconds", "parts"), [(0.001, 1), (3.0, 1), (4.0, 2), (3600.0, MAX_PARTS)])
def test_parts_are_few(seconds, parts):
    rate, samples = 1000, round(seconds * 1000)
    edges = EdgeTrack(rate, 0, samples)
    for start in range(0, samples + 30, 65_536):
        edges.push(np.zeros((1, min(65_536, samples + 30 - start)), np.float32))
    found = edges.parts()
    assert len(found) == parts
    assert all(part.edge.confidence == 0 for part in found)
    assert all(before.end_s == after.start_s for before, after in itertools.pairwise(found))
