"""`musr models`: what `--model` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musr_cli.console import configure, emit_json, fail, say, table
from musr_cli.errors import UnavailableError
from musr_cli.options import Debug, Json, Quiet

if TYPE_CHECKING:
    from musr_models.checkpoint import Card

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from 'musr models list', or a path.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List, describe, locate and verify the models."""
    if context.invoked_subcommand is None:
        list_models(as_json=False)


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """All models: baselines, which need no weights, and the shipped checkpoints."""
    from musr_models import registry

    rows = [_baseline(name) for name in registry.BASELINES] + [_row(card) for card in registry.cards()]
    if as_json:
        emit_json(rows)
    else:
        table([{**row, "ratio": row["ratio"] or "any", "rates": row["rates"] or "any"} for row in rows])
        say("enhance -m takes a family (it finds the variant), an exact name, or a path that 'musr train' wrote")


@app.command()
def info(name: Name, as_json: Json = False) -> None:
    """Everything that a model's card says; of a family, every variant's."""
    from musr_models import registry

    found = registry.variants(name)
    described = [_described(card) for card in found] or [_baseline(name)]
    if as_json:
        emit_json(described)
        return
    for card in described:
        table([{"entry": key, "value": value} for key, value in _flat(card)])


@app.command()
def path(name: Name) -> None:
    """Print where a model's weights lie, one line per variant."""
    from musr_models import registry

    found = registry.variants(name)
    if not found:
        raise UnavailableError(f"{name}: a baseline, which has no weights; 'musr models list' shows which models do")
    for card in found:
        typer.echo(str(card.weights))


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One model (default: all).")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check that weights are those their cards were written for, and that they load."""
    from musr_models import registry

    configure(quiet=quiet, debug=debug)
    found = registry.variants(name) if name else registry.cards()
    problems = {card.name: _problem(card) for card in found}
    broken = {model: problem for model, problem in problems.items() if problem}
    if as_json:
        emit_json([{"name": model, "ok": not problem, "problem": problem} for model, problem in problems.items()])
    for problem in broken.values():
        fail(problem)
    if broken:
        raise UnavailableError(f"{len(broken)} of {len(found)} models are damaged: {', '.join(broken)}")
    say(f"{len(found)} models verified" if found else f"{name or 'baselines'}: no weights, nothing to verify")


def _baseline(name: str) -> dict[str, Any]:
    return {"name": name, "family": name, "ratio": None, "rates": [], "size_mb": 0.0, "about": "needs no weights"}


def _row(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "family": card.family,
        "ratio": card.ratio,
        "rates": list(card.sample_rates),
        "size_mb": _size_mb(card.weights),
        "about": card.description,
    }


def _described(card: Card) -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(card), "size_mb": _size_mb(card.weights), "weights": card.weights}


def _size_mb(weights: Path) -> float:
    return round(weights.stat().st_size / 1e6, 2) if weights.is_file() else 0.0


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """{"training": {"steps": 5}} → ("training.steps", 5)."""
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _problem(card: Card) -> str:
    from musr_models.checkpoint import verify as verify_card
    from musr_models.contract import ModelError

    try:
        verify_card(card)
    except ModelError as error:
        return str(error)
    return ""
