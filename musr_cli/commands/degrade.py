"""`musr degrade`: what a recording goes through before musr is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musr_cli import options
from musr_cli.console import Progress, configure, emit_json, fail, say, warn
from musr_cli.errors import FAILED, PARTIAL, MusrError, UsageError
from musr_cli.failure import explain

if TYPE_CHECKING:
    from musr_cli.degrade import Wish
    from musr_cli.engine.outputs import Task

_WHAT = "What to take away"

Inputs = Annotated[list[str], typer.Argument(metavar="IN...", help="Files, folders, patterns, or - for a pipe.")]
Out = Annotated[str, typer.Argument(metavar="OUT", help="A file, a folder, or - for a pipe.")]
Family = Annotated[
    str | None,
    typer.Option(
        "--family", metavar="NAME", rich_help_panel=_WHAT, show_default=False,
        help="butterworth, chebyshev1, chebyshev2, elliptic, bessel, subsampling, stft or resample (default: drawn).",
    ),
]  # fmt: skip
Order = Annotated[
    int | None,
    typer.Option(
        "--order", metavar="N", min=1, max=20, rich_help_panel=_WHAT, show_default=False,
        help="Of the filter, one pass (default: 6 to 10, drawn).",
    ),
]  # fmt: skip
Cutoff = Annotated[
    float | None,
    typer.Option(
        "--cutoff", metavar="HZ", min=20.0, rich_help_panel=_WHAT, show_default=False,
        help="Nominal; the edge that it makes is printed (default: 2 to 16 kHz, drawn).",
    ),
]  # fmt: skip
Causal = Annotated[
    bool, typer.Option("--causal", rich_help_panel=_WHAT, help="Filter forwards only, which shifts phase.")
]
Rate = Annotated[
    int | None,
    typer.Option("--rate", metavar="HZ", min=1, rich_help_panel=_WHAT, show_default=False, help="Lower sample rate."),
]
Codec = Annotated[
    str | None,
    typer.Option(
        "--codec", metavar="NAME", rich_help_panel=_WHAT, show_default=False,
        help="mp3, mp3-vbr, aac, vorbis, opus or wma.",
    ),
]  # fmt: skip
Bitrate = Annotated[
    float,
    typer.Option("--bitrate", metavar="KBPS", min=1.0, rich_help_panel=_WHAT, help="Of the codec, for two channels."),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", min=0, rich_help_panel=_WHAT,
        help="Of what is drawn; every further file of a batch takes the next number.",
    ),
]  # fmt: skip


def degrade(
    inputs: Inputs,
    out: Out,
    *,
    family: Family = None,
    order: Order = None,
    cutoff: Cutoff = None,
    causal: Causal = False,
    rate: Rate = None,
    codec: Codec = None,
    bitrate: Bitrate = 128.0,
    seed: Seed = 0,
    audio_format: options.Format = None,
    bit_depth: options.BitDepthOption = options.BitDepth.SAME,
    overwrite: options.Overwrite = False,
    recursive: options.Recursive = True,
    glob: options.Glob = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
    debug: options.Debug = False,
) -> None:
    """Take high frequencies away, to train or to measure what brings them back.

    musr degrade in.wav out.wav --family butterworth --order 8 --cutoff 4000

    musr degrade in.wav low.wav --rate 22050

    musr degrade music/ worse/ --codec mp3 --bitrate 64

    A low-pass, a lower rate and a codec, in this order, each if asked for; without any, a low-pass that the seed draws.
    Filters have no phase shift unless --causal. The −12 dB edge of what is left is printed.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    if as_json and out == "-":
        raise UsageError("--json and the output '-' both need stdout; leave one out")
    from musr_cli.audio.formats import container_named, suffix_of
    from musr_cli.degrade import Wish
    from musr_cli.engine.outputs import Existing, Selection, plan_outputs

    container = container_named(audio_format) if audio_format else None
    plan = plan_outputs(
        inputs,
        out,
        selection=Selection(glob, recursive),
        suffix=suffix_of(container) if container else None,
        existing=Existing.REPLACE if overwrite else Existing.REFUSE,
    )
    wish = Wish(family, order, cutoff, causal, rate, codec, bitrate)
    results = [_failed(folder, MusrError(reason)) for folder, reason in plan.unreadable]
    with Progress(len(plan.tasks)) as progress:
        for number, task in enumerate(plan.tasks):
            results.append(_make(task, wish, seed + number, container, bit_depth.value, progress))
    _leave(results, as_json)


def _make(
    task: Task, wish: Wish, seed: int, container: str | None, bit_depth: str, progress: Progress
) -> dict[str, Any]:
    """What became of one file, ready for JSON; people are told as well. A failure does not stop the others."""
    from musr_cli.degrade import degrade_file

    bar = progress.add(str(task.source), None)
    try:
        outcome = degrade_file(
            task.source, task.output, wish, seed, container=container, bit_depth=bit_depth,
            progress=lambda done_s: progress.update(bar, done_s),
        )  # fmt: skip
    except Exception as error:
        return _failed(task.source, error)
    finally:
        progress.remove(bar, 0.0)
    chain = outcome.chain
    say(f"{task.output}: {chain.describe()}; −12 dB edge at {chain.edge_hz():.0f} Hz")
    if outcome.clipped:
        warn(f"{task.output}: {outcome.clipped} samples above full scale are clipped; --bit-depth float keeps them")
    return {"source": task.source, "output": task.output, "status": "done", "seed": seed, **chain.to_dict()}


def _failed(source: object, error: Exception) -> dict[str, Any]:
    failure = explain(error)
    message = failure.message if str(source) in failure.message else f"{source}: {failure.message}"
    fail(message, failure.trace)
    return {"source": source, "status": "failed", "message": message, "exit_code": failure.exit_code}


def _leave(results: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print the outcome, and leave with the exit code that it comes to."""
    if as_json:
        emit_json({"files": results})
    codes = {result["exit_code"] for result in results if result["status"] == "failed"}
    if codes:
        is_partial = any(result["status"] == "done" for result in results)
        raise typer.Exit(PARTIAL if is_partial else codes.pop() if len(codes) == 1 else FAILED)
