"""LSD of Zhang et al. 2024 (TD-PR), eq. 5: the whole band, log |Y|², RMS over bins, mean over frames.

The paper gives neither base nor transform. log10 is what fits its table 1; the transform is the one that it names for
its own processing (section 3.1: Hann, 1024 points, hop 256 at 16 kHz), kept in milliseconds at other rates; |Y|² is
not below 1e-8, as in LSD-A.
"""

from __future__ import annotations

from musr_cli.metrics.framing import Signal, Transform, measure
from musr_cli.metrics.lsd import LogSpectralDistance


def zhang_transform(sample_rate: int) -> Transform:
    """64 ms windows every 16 ms, rounded to a hop of 16 · n samples, which the FFT likes."""
    hop = max(16 * round(sample_rate / 1000), 16)
    return Transform(4 * hop, hop, "hann")


class ZhangDistance(LogSpectralDistance):
    """Eq. 5 over all bins."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__(zhang_transform(sample_rate), slice(None))


def lsd_zhang(ref: Signal, est: Signal, sample_rate: int) -> float:
    """LSD of two signals [C, T] as Zhang et al. 2024, eq. 5."""
    return measure(ref, est, [ZhangDistance(sample_rate)])[0]
