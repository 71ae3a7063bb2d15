"""Every metric that `evaluate` reports, described once, for the table, JSON, CSV and the documentation alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "nearest 0", "nearest 1"]


@dataclass(frozen=True)
class Metric:
    """What a figure means.

    Attributes:
        name: key in the results.
        label: heading for people.
        unit: unit of the figure; empty for a plain ratio.
        better: which way is better.
        convention: one sentence that says how it is measured.
        headline: shown for every file of a folder, not only in the mean.
    """

    name: str
    label: str
    unit: str
    better: Better
    convention: str
    headline: bool = False


_LSD_A = "n_fft 2048, hop 512, Hann, log10 |X|² not below 1e-8, RMS over bins, mean over frames"
_LSD_DAI = "Dai et al. 2021 eq. 5, bins above the cutoff; STFT 512/256 Hamming at 16 kHz, 1408/704 at 44.1 and 48 kHz"

_ALL = (
    Metric("lsd_a", "LSD-A", "log10", "lower", f"whole band; {_LSD_A}", headline=True),
    Metric("lsd_a_hf_19k", "LSD-A HF to 19 kHz", "log10", "lower", f"cutoff to 19 kHz; {_LSD_A}", headline=True),
    Metric("lsd_a_hf", "LSD-A HF", "log10", "lower", f"all bins above the cutoff; {_LSD_A}"),
    Metric("lsd_a_lf", "LSD-A LF", "log10", "lower", f"bins up to the cutoff; {_LSD_A}", headline=True),
    Metric(
        "hf_spread",
        "HF spread",
        "",
        "nearest 1",
        "standard deviation of log10 |X|² over the bins of a frame, cutoff to 19 kHz, estimate / reference; "
        "below 1 means smeared",
        headline=True,
    ),
    Metric(
        "lsd_ssr_eval",
        "LSD ssr_eval",
        "log10",
        "lower",
        "whole band as in the package ssr_eval: n_fft 2048 at 44.1 kHz in proportion, hop rate/100, Hann, eps 1e-12",
    ),
    Metric(
        "lsd_zhang",
        "LSD Zhang",
        "log10",
        "lower",
        "Zhang et al. 2024 eq. 5, whole band, log10 |Y|² not below 1e-8; 64 ms Hann windows every 16 ms",
    ),
    Metric("lsd_dai_ln", "LSD Dai, ln", "ln", "lower", f"{_LSD_DAI}; ln |X|² not below 1e-8"),
    Metric("lsd_dai_log10", "LSD Dai, log10", "log10", "lower", f"{_LSD_DAI}; log10 |X|² not below 1e-8"),
    Metric(
        "segsnr_dai_db",
        "SegSNR Dai",
        "dB",
        "higher",
        "Dai et al. 2021 eq. 6: mean over frames of the SNR of the log-power spectrum above the cutoff",
    ),
    Metric(
        "segsnr_db",
        "SegSNR",
        "dB",
        "higher",
        "samples, 32 ms frames each kept within -10 ... 35 dB, frames with a silent reference left out",
    ),
    Metric("snr_db", "SNR", "dB", "higher", "all samples and channels; at most 150 dB", headline=True),
    Metric("si_sdr_db", "SI-SDR", "dB", "higher", "one scale for all channels (Le Roux et al. 2019); at most 150 dB"),
    Metric(
        "snr_given_db",
        "SNR given band",
        "dB",
        "higher",
        "below the band edge, against the resampled input where there is one, else the reference",
        headline=True,
    ),
    Metric("level_db", "Level", "dB", "nearest 0", "energy of the estimate over that of the reference"),
    Metric(
        "level_given_db",
        "Level given band",
        "dB",
        "nearest 0",
        "energy of the estimate below the band edge over that of the resampled input, else of the reference",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""All metrics by name, in the order in which tables show them."""
