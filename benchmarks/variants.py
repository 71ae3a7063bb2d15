"""Every model of the registry with a band that it is for: what benchmarks over "all models" go through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from musr_models import registry
from musr_models.checkpoint import Card
from musr_models.contract import Band

ANY_RATIO = (Band(16000, 4000.0), Band(44100, 11025.0), Band(44100, 9733.0))
"""Where models for any ratio are tried; the last edge fits no grid."""


@dataclass(frozen=True)
class Variant:
    """A model, by family or checkpoint name, and a band that it is for."""

    name: str
    band: Band

    def __str__(self) -> str:
        return f"{self.name} ×{self.band.ratio:.3g} to {self.band.sample_rate} Hz"


def all_variants(only: list[str] | None = None) -> list[Variant]:
    """Of all families, or of those named (families or checkpoints)."""
    found = [Variant(name, band) for name in registry.BASELINES for band in ANY_RATIO if not only or name in only]
    for card in registry.networks():
        if only and card.family not in only and card.name not in only:
            continue
        bands = [Band(rate, rate / (2 * card.ratio)) for rate in card.sample_rates] if card.ratio else _any(card)
        found += [Variant(card.name, band) for band in bands]
    return found


def _any(card: Card) -> Sequence[Band]:
    """Bands for a network of any edge, or of any within limits."""
    return [Band(rate, hz) for rate in card.sample_rates for hz in card.cutoffs_hz] or ANY_RATIO
