from __future__ import annotations

import numpy as np
import pytest

from musr_cli.metrics import summarise
from musr_cli.metrics.paired import holm, paired_test, paired_tests
from musr_cli.metrics.summary import bootstrap_interval


def test_mean_and_interval_are_those_of_summaries():
    differences = np.random.default_rng(0).normal(0.3, 1, 40).tolist()
    test, summary = paired_test(differences), summarise(differences)
    assert (test.mean, test.low, test.high, test.clips) == (summary.mean, summary.low, summary.high, 40)


@pytest.mark.parametrize("clips", [6, 8, 12])
def test_p_is_that_of_all_signs(clips):
    """Of 2^n signs only all plus and all minus are as extreme as differences that all point one way."""
    assert paired_test([0.1 * (i + 1) for i in range(clips)]).p == pytest.approx(2 / 2**clips)


def test_p_by_counting_every_sign():
    differences = np.array([3.0, -1.0, 4.0, 1.5, -5.0, 9.0, 2.0, 6.0])
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    signs = np.array(np.meshgrid(*[[0, 1]] * len(ranks))).reshape(len(ranks), -1)
    sums, found = ranks @ signs, ranks @ (differences > 0)
    expected = min(1.0, 2 * min((sums >= found).mean(), (sums <= found).mean()))
    assert paired_test(differences.tolist()).p == pytest.approx(expected)


def test_under_six_differences_nothing_can_be_told():
    assert paired_test([1.0, 2.0, 3.0, 4.0, 5.0]).p is None
    assert paired_test([1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0]).p is None
    same = paired_test([0.0] * 20)
    assert (same.mean, same.low, same.high, same.p, same.p_holm) == (0, 0, 0, None, None)
    one = paired_test([0.5])
    assert (one.mean, one.low, one.high, one.clips, one.p) == (0.5, None, None, 1, None)


def test_ties_are_no_trouble():
    assert 0 < paired_test([1.0, 1.0, 1.0, -1.0, 2.0, 2.0, 0.0, 3.0]).p <= 1


def test_chance_is_found_below_005_as_often_as_it_should_be():
    rng = np.random.default_rng(3)
    p = [paired_test(rng.normal(0, 1, 15).tolist()).p for _ in range(300)]
    assert 0.02 < np.mean([value < 0.05 for value in p]) < 0.08


def test_groups_are_drawn_and_tested_whole():
    rng = np.random.default_rng(1)
    names = [f"source {i // 10}" for i in range(80)]
    differences = np.repeat(rng.normal(0.2, 1, 8), 10) + 0.01 * rng.normal(0, 1, 80)
    alone, grouped = paired_test(differences.tolist()), paired_test(differences.tolist(), names)
    assert grouped.mean == alone.mean
    assert grouped.clips == 80
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    assert grouped.p > 10 * alone.p
    assert paired_test(differences[:50].tolist(), names[:50]).p is None  # five sources
    assert paired_test(differences[:10].tolist(), names[:10]).low is None  # one source


def test_groups_of_one_clip_each_are_no_groups():
    differences = np.random.default_rng(0).normal(0, 1, 12).tolist()
    assert paired_test(differences, [str(i) for i in range(12)]) == paired_test(differences)


def test_interval_of_groups_weighs_clips_alike():
    low, high = bootstrap_interval([[0.0] * 30, [1.0]])
    assert (low, high) == (0, 1)
    low, high = bootstrap_interval([[0.0, 2.0], [1.0, 1.0, 1.0]])
    assert low == high == 1


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.6]) == [1, None, 1]
    assert holm([]) == []
    assert holm([None]) == [None]


def test_tests_made_at_once_are_corrected_for_their_number():
    rng = np.random.default_rng(0)
    columns = [rng.normal(shift, 1, 20).tolist() for shift in (0.9, 0.6, 0.0)] + [[0.0] * 20]
    tests = paired_tests(columns)
    assert [test.p_holm for test in tests] == holm([paired_test(column).p for column in columns])
    surest = min(tests[:3], key=lambda test: test.p)
    assert surest.p_holm == pytest.approx(3 * surest.p)
    assert tests[3].p_holm is None
    grouped = paired_tests(columns[:2], [["a", "b"] * 10] * 2)
    assert [test.p for test in grouped] == [None, None]
