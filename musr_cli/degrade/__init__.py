"""Lost bands: `sample(seed, rate)` draws a degradation, `apply(x, rate, d)` does it, `edge(d, rate)` tells its edge."""

from musr_cli.degrade.degradation import ALL_FAMILIES, FAMILIES, RESAMPLE, Degradation, apply, check, edge, sample

__all__ = ["ALL_FAMILIES", "FAMILIES", "RESAMPLE", "Degradation", "apply", "check", "edge", "sample"]
