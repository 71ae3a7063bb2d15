"""Names → networks: the baselines that need no weights, and the checkpoints beside this package."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from musr_models.checkpoint import AIDS, Card, load_checkpoint, network_class, read_card
from musr_models.contract import Band, ModelError, Network

# networks without weights, in the order in which lists show them
BASELINES = ("linear", "spline", "sinc", "sbr")

# how far rate / (2 · cutoff) may lie from the ratio that a network was trained for
RATIO_TOLERANCE = 0.05

# how far an edge may lie outside the range that a network was trained for
EDGE_TOLERANCE_HZ = 150.0


def weights_folder() -> Path:
    """Where the shipped checkpoints lie."""
    return Path(__file__).parent / "weights"


@lru_cache(maxsize=1)
def cards() -> tuple[Card, ...]:
    """The cards of all shipped checkpoints, sorted by name."""
    return tuple(read_card(path) for path in sorted(weights_folder().glob("*.toml")))


def networks() -> tuple[Card, ...]:
    """Those that restore signals by themselves."""
    return tuple(card for card in cards() if card.is_network)


def families() -> tuple[str, ...]:
    """What `--model` takes, apart from checkpoint names and paths."""
    return BASELINES + tuple(dict.fromkeys(card.family for card in networks()))


def fits(card: Card, band: Band) -> bool:
    """Whether the checkpoint was trained for this rate, and for this ratio or edge."""
    if card.sample_rates and band.sample_rate not in card.sample_rates:
        return False
    if card.cutoffs_hz:
        lowest_hz, highest_hz = card.cutoffs_hz
        return lowest_hz - EDGE_TOLERANCE_HZ <= band.cutoff_hz <= highest_hz + EDGE_TOLERANCE_HZ
    return card.ratio is None or abs(band.ratio / card.ratio - 1) <= RATIO_TOLERANCE


def usable(band: Band) -> tuple[str, ...]:
    """Families that have a network for `band`."""
    return BASELINES + tuple(dict.fromkeys(card.family for card in networks() if fits(card, band)))


def variants(name: str | Path) -> tuple[Card, ...]:
    """The cards that a family, a checkpoint name or a path stands for; empty for baselines.

    Raises:
        ModelError: nothing of that name; says what comes close.
    """
    if name in BASELINES:
        return ()
    found = tuple(card for card in cards() if name in (card.family, card.name))
    if found:
        return found
    path = Path(name)
    if path.exists():
        from musr_models.checkpoint import find_card

        return (read_card(find_card(path)),)
    known = [*families(), *(card.name for card in cards())]
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(families())}"
    raise ModelError(f"unknown model '{name}'; {hint}")


def can_mend(name: str | Path) -> bool:
    """Whether a model fills holes below the band edge too; see `Network.mend`."""
    classes = [network_class(card.architecture) for card in variants(name)]
    return bool(classes) and all(getattr(one, "can_mend", False) for one in classes)


def load(name: str | Path, band: Band) -> Network:
    """The network of that name for `band`, on the CPU, ready to run.

    Raises:
        ModelError: unknown name, damaged checkpoint, or no variant for the rate and ratio of `band`.
    """
    if name in BASELINES:
        from musr_models import baselines

        return baselines.build(str(name))
    found = variants(name)
    for card in found:
        if not card.is_network:
            raise ModelError(f"model '{name}' is {AIDS[card.architecture]}")
        if fits(card, band):
            network: Network = load_card(card)
            return network
    raise ModelError(_no_variant(name, found, band))


def find(name: str | Path) -> Card:
    """The one card of that name or path; raises `ModelError` where there is none, or several."""
    found = variants(name)
    if len(found) != 1:
        known = ", ".join(card.name for card in found) or "no weights at all"
        raise ModelError(f"'{name}' is {known}: name one checkpoint, or the folder of one")
    return found[0]


def find_aid(architecture: str, sample_rate: int) -> Card | None:
    """The shipped vocoder or encoder for a rate in Hz; see `checkpoint.AIDS`."""
    fitting = (card for card in cards() if card.architecture == architecture and sample_rate in card.sample_rates)
    return next(fitting, None)


def load_card(card: Card) -> Any:
    """What a card describes, on the CPU, ready to run: one copy per process, until training writes the file anew."""
    return _load_cached(card.weights, _changed_at(card))


@lru_cache(maxsize=4)
def _load_cached(path: Path, changed_at: int) -> nn.Module:
    del changed_at
    return load_checkpoint(path)


def _changed_at(card: Card) -> int:
    return card.weights.stat().st_mtime_ns if card.weights.is_file() else 0


def describe_variants(found: tuple[Card, ...]) -> str:
    """ "×2 to 16000 Hz, ×4 to 44100/48000 Hz": what the checkpoints of a family can do."""
    return ", ".join(_describe(card) for card in found if card.ratio is not None or card.cutoffs_hz)


def _describe(card: Card) -> str:
    rates = f"to {'/'.join(map(str, card.sample_rates))} Hz"
    if card.cutoffs_hz:
        lowest_hz, highest_hz = card.cutoffs_hz
        edges = f"any edge of {lowest_hz:g} to" if lowest_hz < highest_hz else "an edge of"
        return f"{edges} {highest_hz:g} Hz {rates}"
    return f"×{card.ratio:g} {rates}"


def _no_variant(name: str | Path, found: tuple[Card, ...], band: Band) -> str:
    return (
        f"model '{name}' has no variant for ×{band.ratio:.3g} to {band.sample_rate} Hz, edge {band.cutoff_hz:.0f} Hz "
        f"(it has {describe_variants(found)}); for this file use one of: {', '.join(usable(band))}"
    )
