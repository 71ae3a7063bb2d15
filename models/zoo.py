"""Prints the table of models/README.md from the cards: `python models/zoo.py > models/README.md`."""

from musr_models.checkpoint import Card
from musr_models.registry import cards

HEAD = """# The zoo

Networks and baselines live in `musr_models`, an importable package that knows nothing of files or terminals:
`contract.py` says what a network promises the engine, `checkpoint.py` how it is stored (safetensors and a TOML card),
`registry.py` how it is found. `linear`, `spline`, `sinc` and `sbr` need no weights. The others have these cards in
`musr_models/weights`; the figure is the mean LSD-A above the band edge on sources held out of training (up to 19 kHz;
of `restore` up to where each reference really ends).
`python models/zoo.py > models/README.md` renews the page.

| checkpoint | family | ratio | output rates | parameters | weights | trained on | held-out LSD-HF |
|---|---|---|---|---|---|---|---|"""


def row(card: Card) -> str:
    """One line of the table."""
    ratio = f"×{card.ratio:g}" if card.ratio else "{:g}–{:g} Hz".format(*card.cutoffs_hz) if card.cutoffs_hz else "any"
    rates = ", ".join(map(str, card.sample_rates)) or "any"
    steps = f", {card.training['steps']} steps" if "steps" in card.training else ""
    hours = f"{card.training['hours']:g} h{steps}"
    size = f"{card.weights.stat().st_size / 1e6:.1f} MB"
    figure = card.metrics.get("held_out_lsd_hf")
    cells = (
        card.name,
        card.family,
        ratio,
        rates,
        f"{card.training['parameters']:,}",
        size,
        hours,
        f"{figure:.3f}" if figure else "–",
    )
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """All of models/README.md."""
    return "\n".join([HEAD, *(row(card) for card in cards())]) + "\n"


if __name__ == "__main__":
    print(page(), end="")
