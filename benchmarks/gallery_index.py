"""The first page of a gallery, in the looks of musr's reports: all tables, and the ways to everything else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template

from gallery import write_text
from gallery_pages import CSV, REPORT, TABLE, Summary, read_summaries
from gallery_tables import NONE, RANKED_BY, Cell, mark_best
from gallery_tasks import DEFAULT
from musr_cli.metrics.registry import METRICS

INDEX, TABLES = "index.html", "tables.md"

_ASSETS = resources.files("musr_cli.pages") / "assets"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'"

_INTRO = """<p>Music that lost its upper band, and what several systems make of it. Each report has sound and pictures
of some clips, every figure of every clip, and tests in pairs.</p>
<p class="faint">Means over clips; in small print 95 % bootstrap intervals over sources, so that many clips of one
source do not pass for many sources (those of the reports are over clips). The best above the edge come first; the best
figure of a column is bold.</p>"""

_JOIN = """<section aria-labelledby="h-join">
<h2 id="h-join">Add a system</h2>
<p>Restore the files in a task's <code>input</code> with anything, into one folder for each system, under the same
names. <code>python benchmarks/compare.py FOLDER --gallery GALLERY/TASK</code> prints the table with the new rows and
writes a report; <code>--add</code> puts the system into this gallery.</p>
</section>"""


def write_index(gallery: Path) -> None:
    """The page and the Markdown of all tasks that are there."""
    place = {name: index for index, name in enumerate(DEFAULT)}
    tasks = sorted(read_summaries(gallery), key=lambda summary: (place.get(summary.name, len(place)), summary.name))
    write_text(gallery / TABLES, "\n".join(summary.markdown for summary in tasks))
    body = [_INTRO, *_overview(tasks), *map(_section, tasks), _conventions(tasks), _JOIN]
    page = Template(_asset("page.html")).substitute(
        policy=html.escape(_POLICY),
        title="Benchmark gallery",
        style=_asset("page.css"),
        body="\n".join(body),
        data="null",
        scripts=_asset("page.js"),
    )
    write_text(gallery / INDEX, page)


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _overview(tasks: Sequence[Summary]) -> Iterable[str]:
    """All systems by all tasks in one figure; those that do most tasks first."""
    columns = [summary.table.column(RANKED_BY) for summary in tasks]
    if len(tasks) < 2 or not all(columns):
        return
    names = sorted({name for column in columns for name in column}, key=lambda name: _merit(name, columns))
    table = [[column.get(name, Cell(NONE)) for name in names] for column in columns]
    cells = zip(*(mark_best(RANKED_BY, column) for column in table), strict=True)
    heads = [f'<a href="#{summary.name}">{html.escape(summary.task.title)}</a>' for summary in tasks]
    label = METRICS[RANKED_BY].label
    yield f'<h2 id="h-overview">Overview</h2>\n<p class="faint">{label}: {METRICS[RANKED_BY].convention}.</p>'
    yield _table("h-overview", ["system", *heads], dict(zip(names, cells, strict=True)))


def _merit(name: str, columns: Sequence[Mapping[str, Cell]]) -> tuple[int, float]:
    figures = [float(column[name].text) for column in columns if name in column and column[name].text != NONE]
    return -len(figures), sum(figures)


def _section(summary: Summary) -> str:
    name = summary.name
    ways = {"Report, with sound": REPORT, "figures (CSV)": CSV, "table (Markdown)": TABLE, "inputs": "input"}
    links = " · ".join(f'<a href="{name}/{place}">{text}</a>' for text, place in ways.items())
    heads = ["system", *map(html.escape, summary.table.headings)]
    command, versions = html.escape(summary.command), html.escape(summary.versions)
    parts = [
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{html.escape(summary.task.title)}</h2>',
        f"<p>{html.escape(summary.clips)}. {links}</p>",
        _table(name, heads, summary.table.rows) if summary.table.rows else "<p>No system has restored every clip.</p>",
        *_list("Left out", summary.left_out),
        *_list("Notes", summary.notes),
        f'<p class="faint">Made by <code>{command}</code> with {versions}.</p>',
        "</section>",
    ]
    return "\n".join(parts)


def _list(title: str, said: Mapping[str, str]) -> Iterable[str]:
    """What is said of names, one line for all of whom the same is said."""
    names: dict[str, list[str]] = {}
    for name, text in said.items():
        names.setdefault(text, []).append(name)
    if names:
        told = (html.escape(f"{', '.join(of)}: {text}") for text, of in names.items())
        lines = "".join(f"<li>{line}</li>" for line in told)
        yield f"<details>\n<summary>{title}: {len(said)}</summary>\n<ul>{lines}</ul>\n</details>"


def _conventions(tasks: Sequence[Summary]) -> str:
    shown = [metric for metric in METRICS.values() if any(metric.name in summary.table.metrics for summary in tasks)]
    rows = (
        f'<tr><th scope="row">{html.escape(metric.label)}</th><td class="text">{html.escape(metric.unit)}</td>'
        f'<td class="text">{metric.better}</td><td class="text">{html.escape(metric.convention)}</td></tr>'
        for metric in shown
    )
    head = "".join(f'<th scope="col" class="text">{text}</th>' for text in ("figure", "unit", "better", "how"))
    return f'<h2 id="h-how">How each figure is measured</h2>\n{_scrolled("h-how", head, rows)}'


def _table(heading: str, heads: Sequence[str], rows: Mapping[str, Sequence[Cell]]) -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    shown = ((html.escape(name), "".join(map(_cell, cells))) for name, cells in rows.items())
    return _scrolled(heading, head, (f'<tr><th scope="row">{name}</th>{cells}</tr>' for name, cells in shown))


def _scrolled(heading: str, head: str, rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{heading}">{table}</div>'


def _cell(cell: Cell) -> str:
    sure = f"<small>{cell.sure}</small>" if cell.sure else ""
    mark = ' class="best"' if cell.is_best else ""
    return f"<td{mark}>{html.escape(cell.text)}{sure}</td>"
