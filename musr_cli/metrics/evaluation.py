"""All metrics of one pair of signals."""

from __future__ import annotations

import math

import numpy as np

from musr_cli.metrics.dai import DaiDistance, DaiSegmentalSnr
from musr_cli.metrics.framing import Score, Signal, measure
from musr_cli.metrics.given_band import GivenBandLevel, GivenBandSnr
from musr_cli.metrics.hf_spread import HfSpread
from musr_cli.metrics.level import level_db
from musr_cli.metrics.lsd import HF_LIMIT_HZ, LSD_A, LogSpectralDistance
from musr_cli.metrics.lsd_ssr_eval import SsrEvalDistance
from musr_cli.metrics.lsd_zhang import ZhangDistance
from musr_cli.metrics.registry import METRICS
from musr_cli.metrics.segsnr import segsnr_db
from musr_cli.metrics.si_sdr import si_sdr_db
from musr_cli.metrics.snr import snr_db


def evaluate(
    ref: Signal,
    est: Signal,
    sample_rate: int,
    cutoff_hz: float | None = None,
    input: Signal | None = None,
    *,
    slope_hz: float | None = None,
) -> dict[str, float]:
    """Measure everything that `METRICS` lists, in its order.

    Working memory beyond the three signals does not depend on their length.

    Args:
        ref: reference [C, T].
        est: estimate [C, T], aligned with it.
        sample_rate: rate of all signals in Hz.
        cutoff_hz: band edge; without it, or with nothing above it, figures of the high and the given band are left out.
        input: what the estimate was made from, resampled to `sample_rate` [C, T]; the given band is compared with it.
        slope_hz: where the input's fall towards the edge begins: the given band ends there (default: at the cutoff).

    Returns:
        Figures by name. One that is undefined is absent: a ratio to a silent reference, a band without bins.

    Raises:
        ValueError: the signals differ in shape or hold no samples.
    """
    ref, est = np.atleast_2d(ref), np.atleast_2d(est)
    given = ref if input is None else np.atleast_2d(input)
    if not ref.shape == est.shape == given.shape or not ref.size:
        raise ValueError(f"metrics compare signals of one shape that hold samples, not {ref.shape} and {est.shape}")
    values = _waveform_metrics(ref, est, sample_rate)
    scores = _whole_band_scores(sample_rate)
    if cutoff_hz is not None and cutoff_hz < sample_rate / 2:
        scores |= _high_band_scores(sample_rate, cutoff_hz)
        edge_hz = min(cutoff_hz, slope_hz if slope_hz is not None else math.inf)
        values |= _measured(given, est, _given_band_scores(sample_rate, edge_hz))
    values |= _measured(ref, est, scores)
    return {name: values[name] for name in METRICS if math.isfinite(values.get(name, math.nan))}


def _waveform_metrics(ref: Signal, est: Signal, sample_rate: int) -> dict[str, float]:
    return {
        "segsnr_db": segsnr_db(ref, est, sample_rate),
        "snr_db": snr_db(ref, est),
        "si_sdr_db": si_sdr_db(ref, est),
        "level_db": level_db(ref, est),
    }


def _whole_band_scores(sample_rate: int) -> dict[str, Score]:
    return {
        "lsd_a": LogSpectralDistance(LSD_A, slice(None)),
        "lsd_ssr_eval": SsrEvalDistance(sample_rate),
        "lsd_zhang": ZhangDistance(sample_rate),
    }


def _high_band_scores(sample_rate: int, cutoff_hz: float) -> dict[str, Score]:
    return {
        "lsd_a_hf_19k": LogSpectralDistance(LSD_A, LSD_A.band(cutoff_hz, HF_LIMIT_HZ, sample_rate)),
        "lsd_a_hf": LogSpectralDistance(LSD_A, LSD_A.band(cutoff_hz, math.inf, sample_rate)),
        "lsd_a_lf": LogSpectralDistance(LSD_A, LSD_A.band(None, cutoff_hz, sample_rate)),
        "hf_spread": HfSpread(sample_rate, cutoff_hz),
        "lsd_dai_ln": DaiDistance(sample_rate, cutoff_hz, "e"),
        "lsd_dai_log10": DaiDistance(sample_rate, cutoff_hz, "10"),
        "segsnr_dai_db": DaiSegmentalSnr(sample_rate, cutoff_hz),
    }


def _given_band_scores(sample_rate: int, edge_hz: float) -> dict[str, Score]:
    return {
        "snr_given_db": GivenBandSnr(sample_rate, edge_hz),
        "level_given_db": GivenBandLevel(sample_rate, edge_hz),
    }


def _measured(ref: Signal, est: Signal, scores: dict[str, Score]) -> dict[str, float]:
    return dict(zip(scores, measure(ref, est, list(scores.values())), strict=True))
