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
        optional: measured only when it is asked for, since it takes longer than all that are not.
    """

    name: str
    label: str
    unit: str
    better: Better
    convention: str
    headline: bool = False
    optional: bool = False


_LSD_A = "n_fft 2048, hop 512, Hann, log10 |X|² not below 1e-8, RMS over bins, mean over frames"
_END = "where the reference ends, at its band edge or where it falls steeply (22.05 kHz if nowhere, at 44.1 kHz)"
_BANDS = "log10 of the mean |X|² of bands of 500 Hz, not below 1e-8, cutoff to the reference's end, LSD-A transform"
_PHASES = "bins above the cutoff, 64 ms Hann windows every 16 ms"
_MRSTFT = "Yamamoto et al. 2020 as in auraloss: FFT 1024, 2048, 512, hops 120, 240, 50, Hann 600, 1200, 240"
_NEW_BAND = "two channels, LSD-A transform, from two bins above the cutoff (without one the whole band)"
_LSD_DAI = "Dai et al. 2021 eq. 5, bins above the cutoff; STFT 512/256 Hamming at 16 kHz, 1408/704 at 44.1 and 48 kHz"

_ALL = (
    Metric("lsd_a", "LSD-A", "log10", "lower", f"whole band; {_LSD_A}", headline=True),
    Metric("lsd_a_end", "LSD-A to the end", "log10", "lower", f"up to {_END}; LSD-A otherwise"),
    Metric(
        "lsd_a_hf_end",
        "LSD-A HF to the end",
        "log10",
        "lower",
        f"cutoff to {_END}; LSD-A otherwise",
        headline=True,
    ),
    Metric("lsd_a_hf_19k", "LSD-A HF to 19 kHz", "log10", "lower", f"cutoff to 19 kHz; {_LSD_A}"),
    Metric("lsd_a_hf", "LSD-A HF", "log10", "lower", f"all bins above the cutoff; {_LSD_A}"),
    Metric("lsd_a_lf", "LSD-A LF", "log10", "lower", f"bins up to the cutoff; {_LSD_A}", headline=True),
    Metric("band_rms", "Band RMS", "log10", "lower", f"RMS over bands and frames of estimate - reference; {_BANDS}"),
    Metric("band_bias", "Band bias", "log10", "nearest 0", f"mean of estimate - reference; {_BANDS}"),
    Metric(
        "band_correlation",
        "Band correlation",
        "",
        "higher",
        f"over time, about each band's mean, variances pooled over bands and channels; {_BANDS}",
    ),
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
    Metric(
        "complex_distance",
        "Complex distance",
        "",
        "lower",
        f"RMS of the difference of |X|^0.3 exp(jφ) over that of |X|^0.3, 1.41 with random phases; {_PHASES}",
    ),
    Metric(
        "group_delay_ms",
        "Group delay",
        "ms",
        "lower",
        f"mean deviation of -dφ/dω weighted by the reference's magnitude, 11 between unrelated noises; {_PHASES}",
    ),
    Metric(
        "frequency_hz",
        "Frequency",
        "Hz",
        "lower",
        f"mean deviation of dφ/dt weighted by the reference's magnitude, 11 between unrelated noises; {_PHASES}",
    ),
    Metric("mrstft_sc", "MR-STFT convergence", "", "lower", f"spectral convergence; {_MRSTFT}", optional=True),
    Metric(
        "mrstft_log",
        "MR-STFT log",
        "ln",
        "lower",
        f"mean difference of ln |X|, |X|² not below 1e-8; {_MRSTFT}",
        optional=True,
    ),
    Metric("snr_db", "SNR", "dB", "higher", "all samples and channels; at most 150 dB", headline=True),
    Metric("si_sdr_db", "SI-SDR", "dB", "higher", "one scale for all channels (Le Roux et al. 2019); at most 150 dB"),
    Metric(
        "sdr_db",
        "SDR",
        "dB",
        "higher",
        "BSS Eval images, all channels: mean over chunks of 30 s every 15 s, silent ones left out; at most 150 dB",
    ),
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
    Metric(
        "width_db",
        "Stereo width",
        "dB",
        "nearest 0",
        f"energy of side over middle, within ± 40 dB, estimate minus reference; {_NEW_BAND}",
    ),
    Metric(
        "centre_drift",
        "Centre drift",
        "",
        "lower",
        f"mean shift of (E_L - E_R) / (E_L + E_R) over frames weighted by the reference's energy, 0 to 2; {_NEW_BAND}",
    ),
    Metric(
        "added_noise_dbfs",
        "Added noise",
        "dBFS",
        "lower",
        "RMS of the estimate in 32 ms frames in which the reference lies below -80 dBFS; not below -150",
    ),
    Metric(
        "visqol",
        "ViSQOL",
        "MOS",
        "higher",
        "Chinen et al. 2020 (v3), audio mode at 48 kHz, middle of the channels, by visqol-python; at most 4.73",
        optional=True,
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""All metrics by name, in the order in which tables show them."""
