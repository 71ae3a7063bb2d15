"""`musr train`: train a model on a folder of music."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musr_cli import console, options
from musr_cli.errors import UsageError
from musr_cli.store import cache_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from musr_cli.training.loop import Report
    from musr_cli.training.recipe import Recipe

TELL_EVERY_S = 15.0


def train(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of music, in any format and rate.")],
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Family, such as gan; with --ratio.")] = None,
    ratio: Annotated[float | None, typer.Option("--ratio", "-r", metavar="N", help="Which of its ratios.")] = None,
    rate: Annotated[int | None, typer.Option("--rate", metavar="HZ", help="Which of its output rates.")] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", metavar="NAME|FILE", help="Names model, data and all else.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Default: runs/NAME.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.01, help="Stop, annealed, after so long.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Stop after so many steps.")] = None,
    start_from: Annotated[
        str | None, typer.Option("--start-from", metavar="NAME|DIR", help="Begin with these weights, not fresh ones.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in --out stopped.")] = False,
    cache_dir: Annotated[Path | None, typer.Option("--cache-dir", metavar="DIR", help="For decoded music.")] = None,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_progress: options.NoProgress = False,
    debug: options.Debug = False,
) -> None:
    """Train a model on a folder of music.

    musr train gan --ratio 2 --rate 16000 --data music/ --minutes 30

    What it writes works as a model: musr enhance in.wav out.wav --model runs/gan-x2-16k
    """
    console.configure(quiet=quiet, verbose=verbose, progress=not no_progress, debug=debug)
    import torch

    from musr_cli.engine.device import pick_device, use_bf16
    from musr_cli.training.loop import Limits
    from musr_cli.training.recipe import read_recipe
    from musr_cli.training.session import Session, run

    torch.set_flush_denormal(True)
    chosen = read_recipe(recipe or _recipe_name(model, ratio, rate))
    chosen = replace(chosen, start_from=start_from or chosen.start_from)
    where = pick_device(device)
    session = Session(
        recipe=chosen,
        data=data,
        out=out or Path("runs") / chosen.name,
        cache_dir=cache_dir or cache_folder("training"),
        limits=Limits(steps or chosen.steps, minutes * 60 if minutes else None),
        restore=_restore,
        device=where,
        bf16=use_bf16(precision.value, where),
        resume=resume,
        note=console.say,
        on_report=_Teller(),
    )
    card = run(session)
    console.say(f"{session.out}: {card.name} is ready; use it with --model {session.out}")


def _recipe_name(model: str | None, ratio: float | None, rate: int | None) -> str:
    """The one shipped recipe of this family, ratio and rate."""
    from musr_cli.training.recipe import read_recipe, shipped_recipes

    if model is None:
        raise UsageError(f"what to train? Name a model or a --recipe: {', '.join(shipped_recipes())}")
    recipes = [read_recipe(name) for name in shipped_recipes()]
    fitting = [r.name for r in recipes if _fits(r, model, ratio, rate)]
    if len(fitting) != 1:
        names = fitting or [r.name for r in recipes if r.family == model] or shipped_recipes()
        raise UsageError(
            f"'{model}' with this --ratio and --rate is not one recipe; choose a --recipe: {', '.join(names)}"
        )
    return fitting[0]


def _fits(recipe: Recipe, model: str, ratio: float | None, rate: int | None) -> bool:
    its_ratio, its_rates = recipe.network.get("ratio"), recipe.network.get("sample_rates", ())
    if recipe.family != model or recipe.name.endswith("-paper"):
        return False
    return (ratio is None or ratio == its_ratio) and (rate is None or rate in its_rates)


def _restore(model: str, x: NDArray[np.float32], rate: int, cutoff_hz: float) -> NDArray[np.float32]:
    """The engine, as training validates with it."""
    from musr_cli.engine.enhancer import Settings, enhance

    restored, _ = enhance(x, rate, Settings(model=model, rate=rate, cutoff=cutoff_hz))
    return restored


class _Teller:
    """Tells losses, speed and time left: every few seconds, with --verbose every time."""

    def __init__(self) -> None:
        self._told_at = 0.0

    def __call__(self, report: Report) -> None:
        losses = ", ".join(f"{name} {loss:.4g}" for name, loss in report.losses.items())
        line = (
            f"step {report.step}, {100 * report.progress:.1f} %: {losses}; "
            f"{report.audio_s_per_s:.0f} audio-seconds per second, {console.minutes(report.left_s)} left"
        )
        if time.monotonic() - self._told_at < TELL_EVERY_S:
            console.detail(line)
        else:
            console.say(line)
            self._told_at = time.monotonic()
