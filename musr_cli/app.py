"""The `musr` command: a table of verbs, each imported only when it is run or its own help is asked."""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from musr_cli import __version__
from musr_cli.console import report_errors
from musr_cli.errors import INTERRUPTED, USAGE, UsageError

# verb → (name in musr_cli.commands.<verb>: a function or a Typer of subcommands, one line for `musr --help`)
VERBS = {
    "enhance": ("enhance", "Give a file, a folder or a pipe its high frequencies back."),
    "inspect": ("inspect", "Say what a file holds: rate, level, band edge, and what enhance would do."),
    "eval": ("evaluate", "Measure restored files against their originals."),
    "plot": ("plot", "Draw files side by side: spectrograms, differences, spectra, band edges, phases."),
    "listen": ("listen", "Make a listening test, or evaluate its results."),
    "degrade": ("degrade", "Take high frequencies away: low-pass, resampling, codec."),
    "train": ("train", "Train a model on your own music."),
    "models": ("app", "List, describe, locate and verify the models."),
}

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class LazyGroup(TyperGroup):
    """Knows its verbs by name and one line each; swaps in the real command when one is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the verb that is to run, or whose help is asked."""
        verb = args[0]
        if verb in VERBS:
            return verb, load_verb(verb), args[1:]
        if verb.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        close = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(VERBS)}"
        raise UsageError(f"no command '{verb}'; {hint}")

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and turn every error into one line and an exit code."""
        extra["standalone_mode"] = False
        with report_errors():
            code = super().main(*args, **extra)
            if code == INTERRUPTED:
                # Typer has made an exit of it; it is told like all that ends a command early
                raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    name="musr",
    cls=LazyGroup,
    help="musr gives music back the high frequencies it lost. Try: musr enhance IN OUT",
    context_settings=HELP_OPTIONS,
    pretty_exceptions_enable=False,
)


def load_verb(verb: str) -> Any:
    """The command behind a verb, with its module imported."""
    attribute, _ = VERBS[verb]
    entry = getattr(importlib.import_module(f"musr_cli.commands.{verb}"), attribute)
    if isinstance(entry, typer.Typer):
        return typer.main.get_command(entry)
    single = typer.Typer(add_completion=False, context_settings=HELP_OPTIONS, pretty_exceptions_enable=False)
    single.command(verb)(entry)
    return typer.main.get_command(single)


def main() -> None:
    """Entry point of the `musr` script."""
    # before torch is imported: threads that spin while they wait cost a loaded machine five sixths of its speed
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # what `timeout` and service managers send: leave through the same clean-up as any error
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app(prog_name="musr")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"musr {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(USAGE)


def _placeholder(verb: str) -> Callable[[], None]:
    # only its name and help are ever used: `LazyGroup` puts the real command in its place
    def stand_in() -> None:
        raise NotImplementedError(verb)

    return stand_in


for _verb, (_, _line) in VERBS.items():
    app.command(_verb, help=_line)(_placeholder(_verb))
