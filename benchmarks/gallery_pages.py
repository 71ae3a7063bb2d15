"""What a gallery shows of each task: a CSV of every figure, a table in Markdown and the report page of `musr eval`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from gallery import TaskFolder, as_json, read_json, write_text
from gallery_figures import Measuring, complete, measure
from gallery_tables import Table, as_markdown, make_table, ranked
from gallery_tasks import Task, parse
from musr_cli.metrics import tables
from musr_cli.metrics.pairing import Pair
from musr_cli.metrics.systems import System
from musr_cli.pages.report import build

CSV, TABLE, REPORT, SUMMARY = "figures.csv", "table.md", "report.html", "summary.json"

MOST_CLIPS = 6
SOUNDS = 48
"""On one report page: of many systems there are fewer clips, or no browser would open it."""
EXCERPT_S = 6.0


@dataclass(frozen=True)
class Summary:
    """What is shown of a task.

    Attributes:
        name: of the task.
        clips: how many, of how many sources, how long.
        command: what made it.
        versions: what ran it.
        left_out: why a system or clip is missing, by its name.
        table: of the systems that are not left out.
        notes: what was said of their clips when they were restored, by system and clip.
    """

    name: str
    clips: str
    command: str
    versions: str
    left_out: Mapping[str, str]
    table: Table
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        return parse(self.name)

    @property
    def markdown(self) -> str:
        return f"### {self.task.title}, {self.clips}\n\n{as_markdown(self.table)}"


def publish(folder: TaskFolder, measuring: Measuring) -> Summary:
    """Measure all systems of a task, and write its CSV, table, report and summary."""
    about = folder.about()
    left_out = about.skipped | {name: why for name, why in about.refused.items() if not folder.is_guest(name)}
    left_out |= {name: _why_stale(name) for name in folder.systems() if folder.is_stale(name)}
    names = [name for name in folder.systems() if name not in left_out]
    found = [measure(folder, name, folder.system(name), folder.figures, measuring) for name in names]
    whole, broken = complete(found, [*about.sources])
    write_report(folder.path, folder.path, whole)
    table = make_table(whole, about.sources)
    write_text(folder.path / TABLE, as_markdown(table))
    clips = f"{len(about.sources)} clips of {len(set(about.sources.values()))} sources, {about.seconds:g} s"
    notes = {f"{system.name}, {clip}": note for system in whole for clip, note in folder.notes(system.name).items()}
    summary = Summary(folder.task.name, clips, about.command, about.versions, left_out | broken, table, notes)
    write_text(folder.path / SUMMARY, as_json(asdict(summary)))
    return summary


def read_summaries(gallery: Path) -> list[Summary]:
    """Of all tasks in a gallery."""
    found = [read_json(path) for path in sorted(gallery.glob(f"*/{SUMMARY}"))]
    return [Summary(**{**told, "table": Table.from_dict(told["table"])}) for told in found]


def _why_stale(name: str) -> str:
    return f"restored other inputs than today's; benchmarks/run.py --models {name} makes it anew"


def write_report(task: Path, out: Path, systems: Sequence[System]) -> None:
    """Figures of every clip as CSV and as a page; both are left alone where no figure changed."""
    placed = ranked(systems)
    text, page = tables.as_csv([_as_seen_from(task, system) for system in placed]), out / REPORT
    is_same = (out / CSV).is_file() and (out / CSV).read_text(encoding="utf-8") == text
    if placed and not (is_same and page.is_file()):
        clips = max(1, min(MOST_CLIPS, SOUNDS // (len(placed) + 2)))
        # the page first: the CSV is what says that it was made
        write_text(page, build(task.resolve(), placed, clips, EXCERPT_S))
    write_text(out / CSV, text)


def _as_seen_from(folder: Path, system: System) -> System:
    """The same with paths below a folder, so that a gallery can be moved."""
    results = {name: (_below(folder, pair), comparison) for name, (pair, comparison) in system.results.items()}
    return replace(system, results=results)


def _below(folder: Path, pair: Pair) -> Pair:
    paths = (pair.ref, pair.est, pair.input or folder)
    return Pair(pair.name, *(path.relative_to(folder) if path.is_relative_to(folder) else path for path in paths))
