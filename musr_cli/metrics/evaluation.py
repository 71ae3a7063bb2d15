"""All metrics of one pair of signals."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from musr_cli.dsp.reach import measure_end
from musr_cli.metrics.added_noise import added_noise_dbfs
from musr_cli.metrics.band_envelopes import band_scores
from musr_cli.metrics.dai import DaiDistance, DaiSegmentalSnr
from musr_cli.metrics.framing import Score, Signal, in_threads, passes
from musr_cli.metrics.given_band import GivenBandLevel, GivenBandSnr
from musr_cli.metrics.hf_spread import HfSpread
from musr_cli.metrics.level import level_of
from musr_cli.metrics.lsd import HF_LIMIT_HZ, LSD_A, LogSpectralDistance
from musr_cli.metrics.lsd_ssr_eval import SsrEvalDistance
from musr_cli.metrics.lsd_zhang import ZhangDistance
from musr_cli.metrics.mrstft import LogMagnitudeDistance, SpectralConvergence, at_all_resolutions
from musr_cli.metrics.phases import ComplexDistance, Frequency, GroupDelay
from musr_cli.metrics.registry import METRICS
from musr_cli.metrics.sdr import energies_of_steps, sdr_of
from musr_cli.metrics.segsnr import segsnr_db
from musr_cli.metrics.si_sdr import si_sdr_of
from musr_cli.metrics.snr import snr_of
from musr_cli.metrics.stereo import CentreDrift, Width
from musr_cli.metrics.visqol import require_visqol, visqol
from musr_cli.metrics.waveform import total

Scores = dict[str, list[Score]]
"""Spectral metrics by name; the mean of several scores where there are several."""


def evaluate(
    ref: Signal,
    est: Signal,
    sample_rate: int,
    cutoff_hz: float | None = None,
    input: Signal | None = None,
    *,
    slope_hz: float | None = None,
    end_hz: float | None = None,
    extra: Collection[str] = (),
) -> dict[str, float]:
    """Measure everything that `METRICS` lists, in its order; optional metrics only where `extra` names them.

    Working memory beyond the three signals does not depend on their length (but for "visqol").

    Args:
        ref: reference [C, T].
        est: estimate [C, T], aligned with it.
        sample_rate: rate of all signals in Hz.
        cutoff_hz: band edge; without it, or with nothing above it, figures of the high and the given band are left out.
        input: what the estimate was made from, resampled to `sample_rate` [C, T]; the given band is compared with it.
        slope_hz: where the input's fall towards the edge begins: the given band ends there (default: at the cutoff).
        end_hz: where the reference really ends; None to measure that.
        extra: names of optional metrics to measure as well.

    Returns:
        Figures by name. One that is undefined is absent: a ratio to a silent reference, a band without bins.

    Raises:
        ValueError: the signals differ in shape or hold no samples, or `extra` names what is no optional metric.
        UnavailableError: "visqol" without the package that it needs.
    """
    ref, est = np.atleast_2d(ref), np.atleast_2d(est)
    given = ref if input is None else np.atleast_2d(input)
    if not ref.shape == est.shape == given.shape or not ref.size:
        raise ValueError(f"metrics compare signals of one shape that hold samples, not {ref.shape} and {est.shape}")
    if "visqol" in extra:
        require_visqol()
    edge_hz = cutoff_hz if cutoff_hz is not None and cutoff_hz < sample_rate / 2 else None
    end_hz = measure_end(ref, sample_rate) if end_hz is None else end_hz
    of_ref = _scores(sample_rate, edge_hz, end_hz) | _optional_scores(extra)
    of_given = _given_band_scores(sample_rate, edge_hz, slope_hz)
    values: dict[str, float] = {}
    tasks: list[Callable[[], None]] = [
        *passes(ref, est, _flat(of_ref)),
        *passes(given, est, _flat(of_given)),
        lambda: values.update(_waveform_metrics(ref, est, sample_rate)),
    ]
    if "visqol" in extra:
        tasks.append(lambda: values.update(visqol=visqol(ref, est, sample_rate)))
    in_threads(tasks)
    values |= {name: _mean(scores) for name, scores in (of_ref | of_given).items()}
    return {name: values[name] for name in METRICS if math.isfinite(values.get(name, math.nan))}


def _waveform_metrics(ref: Signal, est: Signal, sample_rate: int) -> dict[str, float]:
    steps = energies_of_steps(ref, est, sample_rate)
    energy = total(steps)
    return {
        "segsnr_db": segsnr_db(ref, est, sample_rate),
        "snr_db": snr_of(energy),
        "si_sdr_db": si_sdr_of(energy),
        "sdr_db": sdr_of(steps),
        "level_db": level_of(energy),
        "added_noise_dbfs": added_noise_dbfs(ref, est, sample_rate),
    }


def _scores(sample_rate: int, cutoff_hz: float | None, end_hz: float) -> Scores:
    """Those of estimate and reference; of the high band only where there is one."""
    scores: dict[str, Score] = {
        "lsd_a": LogSpectralDistance(LSD_A, slice(None)),
        "lsd_a_end": LogSpectralDistance(LSD_A, LSD_A.band(None, end_hz, sample_rate)),
        "lsd_ssr_eval": SsrEvalDistance(sample_rate),
        "lsd_zhang": ZhangDistance(sample_rate),
        "width_db": Width(sample_rate, cutoff_hz),
        "centre_drift": CentreDrift(sample_rate, cutoff_hz),
    }
    if cutoff_hz is not None:
        scores |= _high_band_scores(sample_rate, cutoff_hz, end_hz) | band_scores(sample_rate, cutoff_hz, end_hz)
    return {name: [score] for name, score in scores.items()}


def _high_band_scores(sample_rate: int, cutoff_hz: float, end_hz: float) -> dict[str, Score]:
    return {
        "lsd_a_hf_end": LogSpectralDistance(LSD_A, LSD_A.band(cutoff_hz, end_hz, sample_rate)),
        "lsd_a_hf_19k": LogSpectralDistance(LSD_A, LSD_A.band(cutoff_hz, HF_LIMIT_HZ, sample_rate)),
        "lsd_a_hf": LogSpectralDistance(LSD_A, LSD_A.band(cutoff_hz, math.inf, sample_rate)),
        "lsd_a_lf": LogSpectralDistance(LSD_A, LSD_A.band(None, cutoff_hz, sample_rate)),
        "hf_spread": HfSpread(sample_rate, cutoff_hz),
        "lsd_dai_ln": DaiDistance(sample_rate, cutoff_hz, "e"),
        "lsd_dai_log10": DaiDistance(sample_rate, cutoff_hz, "10"),
        "segsnr_dai_db": DaiSegmentalSnr(sample_rate, cutoff_hz),
        "complex_distance": ComplexDistance(sample_rate, cutoff_hz),
        "group_delay_ms": GroupDelay(sample_rate, cutoff_hz),
        "frequency_hz": Frequency(sample_rate, cutoff_hz),
    }


def _given_band_scores(sample_rate: int, cutoff_hz: float | None, slope_hz: float | None) -> Scores:
    if cutoff_hz is None:
        return {}
    edge_hz = min(cutoff_hz, slope_hz if slope_hz is not None else math.inf)
    return {
        "snr_given_db": [GivenBandSnr(sample_rate, edge_hz)],
        "level_given_db": [GivenBandLevel(sample_rate, edge_hz)],
    }


def _optional_scores(extra: Collection[str]) -> Scores:
    unknown = [name for name in extra if name not in METRICS or not METRICS[name].optional]
    if unknown:
        raise ValueError(f"no optional metrics: {', '.join(unknown)}")
    made = {"mrstft_sc": SpectralConvergence, "mrstft_log": LogMagnitudeDistance}
    return {name: at_all_resolutions(score) for name, score in made.items() if name in extra}


def _flat(scores: Scores) -> list[Score]:
    return [score for several in scores.values() for score in several]


def _mean(scores: list[Score]) -> float:
    return sum(score.result() for score in scores) / len(scores)
