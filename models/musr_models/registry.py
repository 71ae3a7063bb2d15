"""Names → networks: the baselines that need no weights, and the checkpoints beside this package."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from musr_models.checkpoint import Card, load_checkpoint, read_card
from musr_models.contract import Band, ModelError, Network

# networks without weights, in the order in which lists show them
BASELINES = ("linear", "spline", "sinc", "sbr")

# how far rate / (2 · cutoff) may lie from the ratio that a network was trained for
RATIO_TOLERANCE = 0.05


def weights_folder() -> Path:
    """Where the shipped checkpoints lie."""
    return Path(__file__).parent / "weights"


@lru_cache(maxsize=1)
def cards() -> tuple[Card, ...]:
    """The cards of all shipped checkpoints, sorted by name."""
    return tuple(read_card(path) for path in sorted(weights_folder().glob("*.toml")))


def families() -> tuple[str, ...]:
    """What `--model` takes, apart from checkpoint names and paths."""
    return BASELINES + tuple(dict.fromkeys(card.family for card in cards()))


def fits(card: Card, band: Band) -> bool:
    """Whether the checkpoint was trained for this rate and ratio."""
    rate_fits = not card.sample_rates or band.sample_rate in card.sample_rates
    return rate_fits and (card.ratio is None or abs(band.ratio / card.ratio - 1) <= RATIO_TOLERANCE)


def usable(band: Band) -> tuple[str, ...]:
    """Families that have a network for `band`."""
    return BASELINES + tuple(dict.fromkeys(card.family for card in cards() if fits(card, band)))


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
        if fits(card, band):
            return _load_cached(card.weights, _changed_at(card))
    raise ModelError(_no_variant(name, found, band))


@lru_cache(maxsize=4)
def _load_cached(path: Path, changed_at: int) -> Network:
    """One copy per process, until training writes the file anew."""
    del changed_at
    return load_checkpoint(path)


def _changed_at(card: Card) -> int:
    return card.weights.stat().st_mtime_ns if card.weights.is_file() else 0


def describe_variants(found: tuple[Card, ...]) -> str:
    """ "×2 to 16000 Hz, ×4 to 44100/48000 Hz": what the checkpoints of a family can do."""
    return ", ".join(
        f"×{card.ratio:g} to {'/'.join(map(str, card.sample_rates))} Hz" for card in found if card.ratio is not None
    )


def _no_variant(name: str | Path, found: tuple[Card, ...], band: Band) -> str:
    return (
        f"model '{name}' has no variant for ×{band.ratio:.3g} to {band.sample_rate} Hz "
        f"(it has {describe_variants(found)}); for this file use one of: {', '.join(usable(band))}"
    )
