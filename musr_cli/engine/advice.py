"""What could be done for a file: the models that would work, at each output rate."""

from __future__ import annotations

from dataclasses import dataclass

from musr_cli.dsp.band_edge import BandEdge
from musr_cli.engine.decisions import DEFAULT_RATE, Rates, find_edge, work_rate
from musr_models import registry
from musr_models.contract import Band


@dataclass(frozen=True)
class Restoration:
    """One output rate.

    Attributes:
        sample_rate: of the output, in Hz.
        from_hz: where the new band begins.
        to_hz: where it ends.
        models: families that would work.
    """

    sample_rate: int
    from_hz: float
    to_hz: float
    models: tuple[str, ...]


def possible_restorations(sample_rate: int, edge: BandEdge) -> list[Restoration]:
    """What `musr enhance` could do for a file, by output rate; empty where nothing is missing.

    The first is what it does when no rate is asked for. Further rates are those at which models with one ratio fit.
    """
    default = max(sample_rate, DEFAULT_RATE)
    others = {rate for card in registry.networks() for rate in card.sample_rates if rate >= sample_rate} - {default}
    usual = _restoration(sample_rate, default, edge)
    any_ratio = {*registry.BASELINES, *(card.family for card in registry.networks() if not card.sample_rates)}
    found = [_restoration(sample_rate, rate, edge) for rate in sorted(others)]
    useful = [other for other in found if other and set(other.models) - any_ratio]
    return ([usual] if usual else []) + useful


def _restoration(sample_rate: int, output_rate: int, edge: BandEdge) -> Restoration | None:
    rates = Rates(sample_rate, output_rate, work_rate(output_rate))
    found = find_edge(edge, "auto", rates)
    if found is None:
        return None
    models = registry.usable(Band(rates.work, found.nominal_hz))
    return Restoration(output_rate, found.cutoff_hz, rates.work / 2, models)
