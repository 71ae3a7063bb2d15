"""Somebody else's systems beside those of a gallery: rows for its table, a report, and a CSV of every figure.

    python benchmarks/compare.py FOLDER --gallery GALLERY/TASK [--beside sinc,restore] [--add] [--also visqol] [-j 2]

FOLDER holds what systems made of GALLERY/TASK/input: one folder for each system, or the files of a single one; under
the same names, in any format, as long as the references. The table goes to stdout, with the new rows in bold;
report.html and figures.csv go into FOLDER (or --out). It takes the references and inputs of the gallery, and what lies
in its systems/, but no models. A system that lacks clips, or whose clips are of other lengths, is left out and told.

--add copies the systems into the gallery and writes its table, report and index anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from gallery import KEPT, TaskFolder, add_guest, stems
from gallery_command import Parser, run
from gallery_figures import Measuring, complete, measure, parse_also
from gallery_index import INDEX, write_index
from gallery_pages import REPORT, publish, write_report
from gallery_tables import as_markdown, make_table
from musr_cli.console import fail, say
from musr_cli.errors import MusrError, PartialFailureError, UsageError
from musr_cli.metrics.systems import System
from musr_cli.plotting.figure import require_matplotlib


def parse_options(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder for each system, or a system's files")
    parser.add_argument("--gallery", type=Path, required=True, metavar="GALLERY/TASK", help="a task that run.py made")
    parser.add_argument("--out", type=Path, help="for report and CSV (default: FOLDER)")
    parser.add_argument("--beside", help="only these systems of the gallery, comma-separated; '' for none")
    parser.add_argument("--add", action="store_true", help="put the systems into the gallery")
    parser.add_argument("--also", default="", help="visqol, mrstft_sc, mrstft_log: figures that take longer")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="clips at a time (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        raise MusrError(f"{options.folder}: no such folder; name one that holds what systems made")
    if options.jobs < 1:
        raise UsageError("--jobs is a number above 0")
    options.also = parse_also(options.also)
    return options


def find_systems(folder: Path, clips: Sequence[str]) -> dict[str, Path]:
    """Folders of systems by name: the folder itself where it holds a clip, else those in it that hold music.

    Raises:
        MusrError: nothing of either kind.
    """
    if stems(folder) & set(clips):
        return {folder.resolve().name: folder}
    found = {place.name: place for place in sorted(folder.iterdir()) if place.is_dir() and stems(place)}
    if not found:
        raise MusrError(f"{folder}: neither clips of the gallery (such as {clips[0]}) nor folders with music")
    return found


def gallery_systems(folder: TaskFolder, new: Mapping[str, Path], beside: str | None) -> dict[str, Path]:
    """Those of the gallery to stand beside the new ones; a guest of the same name gives way."""
    known = [name for name in folder.systems() if not folder.is_stale(name) and name not in folder.refused()]
    wanted = known if beside is None else list(filter(None, beside.split(",")))
    for name in wanted:
        if name not in known:
            raise UsageError(f"--beside {name}: {folder.path} has {', '.join(known) or 'no systems'}")
    for name in new:
        if name in wanted and not folder.is_guest(name):
            raise MusrError(f"{new[name]}: {folder.path} has a system of this name; rename the folder")
    return {name: folder.system(name) for name in wanted if name not in new}


def compare(folder: TaskFolder, options: argparse.Namespace, out: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Measure, print and write; new systems that are whole, and why others are not."""
    about, measuring = folder.about(), Measuring(options.also, options.jobs)
    new = find_systems(options.folder, [*about.sources])
    old = gallery_systems(folder, new, options.beside)
    found = [measure(folder, name, place, folder.figures, measuring) for name, place in old.items()]
    found += [measure(folder, name, place, out / KEPT, measuring) for name, place in new.items()]
    whole, broken = complete(found, [*about.sources])
    added = {name: place for name, place in new.items() if name not in broken}
    if added:
        _show(folder, whole, about.sources, [*added], out)
    return added, {name: problem for name, problem in broken.items() if name in new}


def _show(folder: TaskFolder, systems: Sequence[System], sources: Mapping[str, str], new: list[str], out: Path) -> None:
    print(as_markdown(make_table(systems, sources), new), flush=True)
    write_report(folder.path, out, systems)
    say(f"{out / REPORT}: written, open it in a browser")


def main(arguments: list[str]) -> None:
    options = parse_options(arguments)
    require_matplotlib()
    folder = TaskFolder(options.gallery)
    added, broken = compare(folder, options, options.out or options.folder)
    if options.add and added:
        for name, place in added.items():
            add_guest(folder, name, place, (options.out or options.folder) / KEPT)
        publish(folder, Measuring(options.also, options.jobs))
        write_index(folder.path.resolve().parent)
        say(f"{folder.path.resolve().parent / INDEX}: {', '.join(added)} added")
    for name, problem in broken.items():
        fail(f"{name}: {problem}")
    if broken:
        raise (PartialFailureError if added else MusrError)(f"{len(broken)} systems are left out")


if __name__ == "__main__":
    run(main)
