"""The gallery: a folder of music, restored from every task by every model, with tables, reports and an index.

    python benchmarks/run.py --data FOLDER --out GALLERY [--tasks …] [--models …] [--seconds 10] [-j 2] [--also visqol]

For each task (a way in which the upper band is lost, and the rate at which it is to be had back) the folder
GALLERY/TASK gets the first seconds of every clip (reference/), what is left of them (input/), what each model makes of
that (systems/), every figure (figures.csv), a table in Markdown (table.md) and the report of `musr eval` (report.html);
GALLERY/index.html and GALLERY/tables.md hold all tasks. Tasks are named like 4000hz-to-44100 (a low sample rate with
that edge), x2-to-16000, mp3-64k-to-44100 or bessel-4000hz-to-44100 (a low-pass of `musr degrade`).

The command can be stopped at any time, and goes on where it was: what is there is kept, and made anew only where the
music, the seconds or a model's weights changed (or musr's version; after other changes of code, delete the folder in
question). Tasks and models of earlier runs stay in the gallery. Other people's systems are added by compare.py.

References are lowered to a peak of -6 dBFS at most, which leaves room for new bands; what still does not fit into 24
bits is cut, and told. Intervals are 95 % bootstrap intervals over sources (manifest.csv in or beside the data). Models
that have no network for a task, or refuse a clip, are left out and told, as are clips below the task's rate.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clips import Clip, find_clips
from gallery import About, TaskFolder, label, make_inputs, restore, usable_clips
from gallery_command import Parser, command_line, run, versions
from gallery_figures import Measuring, parse_also
from gallery_index import INDEX, write_index
from gallery_pages import publish
from gallery_tasks import DEFAULT, parse
from musr_cli.console import say
from musr_cli.errors import MusrError, UsageError
from musr_cli.plotting.figure import require_matplotlib
from musr_models import registry


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """What is asked for, checked as far as that goes before any work."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music")
    parser.add_argument("--out", type=Path, required=True, metavar="GALLERY", help="folder to make, or to go on with")
    parser.add_argument("--tasks", default=",".join(DEFAULT), help="comma-separated (default: %(default)s)")
    parser.add_argument("--models", default="", help="families, checkpoints or paths (default: all families)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip (default: %(default)s)")
    parser.add_argument("--tier", default="", help="only clips of this tier of the manifest, such as A")
    parser.add_argument("--also", default="", help="visqol, mrstft_sc, mrstft_log: figures that take longer")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="clips at a time (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        raise MusrError(f"{options.data}: no such folder; --data names one with music")
    if not options.seconds > 0 or options.jobs < 1:
        raise UsageError("--seconds and --jobs are numbers above 0")
    options.also = parse_also(options.also)
    options.command = command_line("run.py", arguments)
    options.tasks = [parse(name) for name in options.tasks.split(",")]
    options.models = options.models.split(",") if options.models else [*registry.families()]
    for model in options.models:
        registry.variants(model)
    return options


def run_task(folder: TaskFolder, clips: Sequence[Clip], options: argparse.Namespace) -> None:
    """References, inputs, and what the models make of them."""
    chosen, skipped = usable_clips(clips, options.data, folder.task.rate)
    make_inputs(folder, chosen, options.seconds)
    refused = folder.refused()
    for model in options.models:
        name = label(model)
        say(f"{folder.task.name}: {name}")
        reason = restore(folder, model, options.jobs)
        refused = {other: why for other, why in refused.items() if other != name} | ({name: reason} if reason else {})
    sources = {name: clip.source for name, clip in chosen.items()}
    folder.tell(About(options.seconds, sources, refused, skipped, options.command, versions()))


def main(arguments: list[str]) -> None:
    options = parse_options(arguments)
    require_matplotlib()
    clips = [clip for clip in find_clips(options.data) if options.tier in ("", clip.tier)]
    for task in options.tasks:
        folder = TaskFolder(options.out / task.name)
        run_task(folder, clips, options)
        print(publish(folder, Measuring(options.also, options.jobs)).markdown, flush=True)
        write_index(options.out)
    say(f"{options.out / INDEX}: written, open it in a browser")


if __name__ == "__main__":
    run(main)
