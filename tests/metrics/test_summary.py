from __future__ import annotations

import numpy as np
import pytest

from musr_cli.metrics import METRICS, summarise, summarise_all
from musr_cli.metrics.registry import Metric


def test_interval_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    summary = summarise(values.tolist())
    half_width = 1.96 * values.std() / 20
    assert summary.mean == pytest.approx(values.mean())
    assert summary.low == pytest.approx(values.mean() - half_width, abs=0.02)
    assert summary.high == pytest.approx(values.mean() + half_width, abs=0.02)
    assert summary.clips == 400


def test_interval_covers_the_truth_19_times_in_20():
    rng = np.random.default_rng(1)
    summaries = [summarise(rng.normal(0, 1, 40).tolist(), seed) for seed in range(200)]
    covered = sum(s.low <= 0 <= s.high for s in summaries)
    assert 0.88 <= covered / 200 <= 0.99


def test_interval_is_the_same_in_every_run():
    values = [1.0, 4.0, 2.0, 8.0]
    assert summarise(values) == summarise(values)


def test_one_clip_has_no_interval():
    summary = summarise([2.5])
    assert (summary.mean, summary.low, summary.high, summary.clips) == (2.5, None, None, 1)


def test_each_metric_is_averaged_over_the_clips_that_have_it():
    summaries = summarise_all([{"lsd_a": 1.0, "snr_db": 10.0}, {"lsd_a": 3.0}])
    assert (summaries["lsd_a"].mean, summaries["lsd_a"].clips) == (2.0, 2)
    assert (summaries["snr_db"].mean, summaries["snr_db"].clips) == (10.0, 1)


def test_every_metric_says_what_it_is():
    for name, metric in METRICS.items():
        assert isinstance(metric, Metric)
        assert metric.name == name
        assert metric.convention
        assert name.endswith("_db") == (metric.unit == "dB")
