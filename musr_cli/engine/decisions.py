"""What a job is: output rate, band edge and network, decided from settings and measurements. No audio is touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from musr_cli.audio.resampling import MINUS_1_DB, MINUS_12_DB
from musr_cli.dsp.band_edge import BandEdge
from musr_cli.dsp.blend import NARROWEST_HZ
from musr_cli.errors import UnavailableError, UsageError
from musr_cli.settings import DEFAULT_MODEL
from musr_models import registry
from musr_models.contract import Band, ModelError, Network
from musr_models.holes import LOWEST_HZ

WORK_RATES = (48000, 44100)
"""Rates in Hz at which the new band of signals above 48 kHz is made; nothing above is audible."""

DEFAULT_RATE = 44100
"""Least output rate in Hz of networks that can do any."""

AUDIBLE_HZ = 19000.0
"""A band that reaches up to here is complete: hardly anybody hears what is above."""

LOWEST_EDGE_HZ = 1000.0
"""A measured edge below this is no band edge but a signal with little in it: a tone, a hum, a constant."""

NEAR_NYQUIST = 0.95
"""Fraction of its Nyquist frequency from which on a band counts as full."""

NEAR_NYQUIST_UNSURE = 0.9
"""The same where the edge is not sure: when in doubt, what the input has is left alone."""

SURE = 0.8
"""Confidence from which on an edge is sure."""

SEEN_NYQUIST = 0.94
"""Fraction of the input's Nyquist frequency from which on an edge that a network sees is the resampler's."""

HIGHEST_SEEN_HZ = 12000.0
"""A band that is surely full may still end below, under hiss; above, what a network misses may be no loss."""

SAME_EDGE = 0.2
"""An edge that a network sees within this fraction of the measured one is the same, and measuring is more exact."""

SEEN_SLOPE = 0.85
"""Where the slope of an edge that a network sees is taken to begin."""

LIKELY = 0.5
"""Confidence from which on a measured edge confirms one that the user names."""

EXPLICIT_SLOPE = 0.95
"""Where the slope of an edge that the user names is taken to begin, if measuring does not confirm the edge."""


@dataclass(frozen=True)
class Edge:
    """Where the band of the signal ends, once it is at the output rate.

    Attributes:
        cutoff_hz: its −12 dB point, the resampler's slope included.
        slope_hz: where it begins to fall.
        nominal_hz: the edge that networks are told: half the input rate, exactly, where the input is full.
    """

    cutoff_hz: float
    slope_hz: float
    nominal_hz: float


MENDED = Edge(LOWEST_HZ, LOWEST_HZ - NARROWEST_HZ, LOWEST_HZ)
"""The "edge" of recordings whose holes are filled: what is missing is added bin by bin, but for the lowest ones."""


@dataclass(frozen=True)
class Rates:
    """Sample rates in Hz: of the input, of the output, and the one at which the new band is made."""

    input: int
    output: int
    work: int

    @property
    def is_upsampling(self) -> bool:
        """Whether the output has room above the input's Nyquist frequency."""
        return self.output > self.input


def work_rate(output_rate: int, known: Collection[int] = ()) -> int:
    """The rate at which the new band is made: the output's up to 48 kHz, else 44.1 or 48, whichever divides better.

    Args:
        output_rate: in Hz.
        known: rates of the network; empty for any. One that only knows 44.1 kHz works at that for outputs above, too.
    """
    others = [rate for rate in WORK_RATES if rate in known and rate <= output_rate]
    best = _work_rate(output_rate)
    return others[0] if others and best not in known else best


def _work_rate(output_rate: int) -> int:
    if output_rate <= max(WORK_RATES):
        return output_rate
    return min(WORK_RATES, key=lambda rate: sum(Fraction(output_rate, rate).as_integer_ratio()))


def choose_rates(input_rate: int, ratio: float | None, rate: int | None, model: str | Path) -> Rates:
    """Rates from `--ratio` or `--rate`, else what the model implies.

    Raises:
        UsageError: an output rate below the input's, or none where the model leaves a choice.
        ModelError: unknown model.
    """
    if ratio is not None and rate is not None:
        raise UsageError("--ratio and --rate both name the output rate; leave one out")
    if ratio is not None:
        if not 0 < ratio < float("inf"):
            raise UsageError(f"--ratio {ratio:g}: give a number such as 2")
        output = round(input_rate * ratio)
        wish = f"--ratio {ratio:g}"
    else:
        output = rate if rate is not None else _implied_rate(input_rate, model)
        wish = f"--rate {output}"
    if output < input_rate:
        raise UsageError(f"{wish}: that is less than the input's {input_rate} Hz, which musr never lowers")
    known = {known for card in registry.variants(model) for known in card.sample_rates}
    return Rates(input_rate, output, work_rate(output, known))


def _implied_rate(input_rate: int, model: str | Path) -> int:
    cards = registry.variants(model)
    fixed = [card for card in cards if card.ratio is not None]
    if not fixed:
        # where a network has rates of its own, the lowest that the input fits in
        return min(
            (rate for card in cards for rate in card.sample_rates if rate >= input_rate),
            default=max(input_rate, DEFAULT_RATE),
        )
    possible = {rate for card in fixed for rate in card.sample_rates if rate == round(input_rate * (card.ratio or 1))}
    if len(possible) == 1:
        return possible.pop()
    raise UsageError(
        f"model '{model}' ({registry.describe_variants(tuple(fixed))}) leaves open what to make of {input_rate} Hz: "
        f"add --ratio or --rate (--rate {input_rate} if the file holds less than its rate allows)"
    )


def choose_edge(
    whole: BandEdge, moving: tuple[BandEdge, BandEdge] | None, cutoff: float | Literal["auto"], rates: Rates
) -> tuple[BandEdge, list[str]]:
    """The edge to restore from where edges move, and what to say of it: the lowest, unless parts are complete.

    Above the lowest edge nothing that other parts have is replaced: the blend adds what a bin lacks.

    Args:
        whole: edge of the whole signal.
        moving: lowest and highest edge of its parts, if they are apart.
        cutoff: the edge that the user names, or "auto".
        rates: of the job.
    """
    if moving is None or cutoff != "auto":
        return whole, []
    lowest, highest = moving
    where = f"its band ends between {lowest.cutoff_hz:.0f} and {highest.cutoff_hz:.0f} Hz in different parts"
    if find_edge(highest, cutoff, rates) is None:
        return highest, [f"{where}, some are complete; --cutoff {lowest.cutoff_hz:.0f} fills the others"]
    return lowest, [f"{where}: filled from the lowest edge on"]


def find_edge(measured: BandEdge, cutoff: float | Literal["auto"], rates: Rates) -> Edge | None:
    """Where the signal's band ends at the output rate; None where it reaches as far as anything can.

    Args:
        measured: what the detector found in the input.
        cutoff: the edge that the user names, or "auto".
        rates: of the job.

    Raises:
        UsageError: an edge at which the input cannot have one.
    """
    nyquist_hz = rates.input / 2
    if cutoff == "auto":
        is_sure = measured.confidence >= SURE and measured.cutoff_hz >= LOWEST_EDGE_HZ
        limit = NEAR_NYQUIST if is_sure else NEAR_NYQUIST_UNSURE
        is_full = measured.full_band or not LOWEST_EDGE_HZ <= measured.cutoff_hz <= limit * nyquist_hz
        nominal_hz = nyquist_hz if is_full else measured.cutoff_hz
        slope_hz = nyquist_hz if is_full and not is_sure else measured.slope_hz
        if nominal_hz >= AUDIBLE_HZ or (is_full and not rates.is_upsampling):
            return None
    else:
        if not 0 < cutoff <= nyquist_hz:
            raise UsageError(f"--cutoff {cutoff:g}: a file at {rates.input} Hz ends at {nyquist_hz:g} Hz or below")
        nominal_hz = cutoff
        is_near = abs(measured.cutoff_hz / cutoff - 1) <= 1 - EXPLICIT_SLOPE
        is_confirmed = is_near and measured.confidence >= LIKELY
        slope_hz = min(measured.slope_hz, cutoff) if is_confirmed else EXPLICIT_SLOPE * cutoff
        if nominal_hz >= rates.work / 2:
            return None
    if not rates.is_upsampling:
        return Edge(nominal_hz, slope_hz, nominal_hz)
    return Edge(min(nominal_hz, MINUS_12_DB * nyquist_hz), min(slope_hz, MINUS_1_DB * nyquist_hz), nominal_hz)


def whole_band(rates: Rates) -> Edge:
    """The edge of a recording that has none: where its rate, or the one that networks work at, ends."""
    nyquist_hz = min(rates.input, rates.work) / 2
    return Edge(nyquist_hz, nyquist_hz, nyquist_hz)


def trust(lost_hz: float | None, measured: BandEdge, rates: Rates) -> Edge | None:
    """The edge that a network sees, where measuring gives none or another one of which it is not sure.

    Args:
        lost_hz: where the network sees the band end; None where it sees nothing.
        measured: what the detector found.
        rates: of the job.
    """
    if lost_hz is None or lost_hz >= SEEN_NYQUIST * rates.input / 2 or lost_hz >= AUDIBLE_HZ:
        return None
    if measured.full_band and measured.confidence >= SURE and lost_hz > HIGHEST_SEEN_HZ:
        return None
    if not measured.full_band and abs(lost_hz / measured.cutoff_hz - 1) <= SAME_EDGE:
        return None
    return Edge(lost_hz, SEEN_SLOPE * lost_hz, lost_hz)


@dataclass(frozen=True)
class Choice:
    """A network and the band that it is told; `warning` where it was not made for quite this."""

    network: Network
    band: Band
    warning: str | None = None


def choose_network(model: str | Path, edge: Edge | None, rates: Rates, *, is_explicit: bool) -> Choice | None:
    """The network for a job; None where nothing is missing.

    A network of one ratio is chosen by what the user says: by the band edge if that is explicit, else by the rates
    if the output's is higher, else by the edge that was measured; and then by the other one.

    Args:
        model: family, checkpoint name or path.
        edge: of the signal; None where it is complete.
        rates: of the job.
        is_explicit: the user named the edge.

    Raises:
        UnavailableError: no variant for this; the message says which would do.
    """
    try:
        cards = registry.variants(model)
        wanted = _wanted_bands(edge, rates, is_explicit, is_fixed=any(card.ratio is not None for card in cards))
        if not wanted:
            return None
        fitting = (band for band in wanted if any(registry.fits(card, band) for card in cards))
        band = next(fitting, wanted[0])
        network = registry.load(model, band)
        if edge and network.ratio is None and network.transform(band):
            # spectral networks for any edge are told the real one; interpolations, whose samples there were
            band = Band(rates.work, edge.cutoff_hz)
        return Choice(network, band, _warning(band, edge))
    except ModelError as error:
        raise UnavailableError(str(error)) from error


def _wanted_bands(edge: Edge | None, rates: Rates, is_explicit: bool, is_fixed: bool) -> list[Band]:
    """Bands that a network may be chosen for, the best first."""
    by_edge = [Band(rates.work, edge.nominal_hz)] if edge else []
    by_rates = [Band(rates.work, rates.input / 2)] if is_fixed and rates.is_upsampling else []
    return by_edge + by_rates if is_explicit else by_rates + by_edge


def _warning(band: Band, edge: Edge | None) -> str | None:
    if edge is None or edge.nominal_hz >= band.cutoff_hz * (1 - registry.RATIO_TOLERANCE):
        return None
    return (
        f"its band ends at {edge.nominal_hz:.0f} Hz, the network is made for {band.cutoff_hz:.0f} Hz and misses part "
        f"of what it expects; a model for any band edge, such as {DEFAULT_MODEL}, may do better"
    )
