"""Lost bands: `sample(seed, rate)` draws a degradation, `apply(x, rate, d)` does it, `edge(d, rate)` tells its edge."""

from musr_cli.degrade.chain import Chain, Wish
from musr_cli.degrade.degradation import (
    ALL_FAMILIES,
    FAMILIES,
    RESAMPLE,
    Degradation,
    apply,
    check,
    edge,
    response,
    sample,
)
from musr_cli.degrade.files import Outcome, degrade_file
from musr_cli.degrade.streaming import apply_blocks

__all__ = [
    "ALL_FAMILIES",
    "FAMILIES",
    "RESAMPLE",
    "Chain",
    "Degradation",
    "Outcome",
    "Wish",
    "apply",
    "apply_blocks",
    "check",
    "degrade_file",
    "edge",
    "response",
    "sample",
]
