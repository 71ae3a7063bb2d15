"""A gallery from the data to the index, and a stranger's system beside it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import soundfile as sf

import compare
import run
from gallery_index import write_index
from gallery_tasks import DEFAULT, parse
from musr_cli.errors import MusrError, PartialFailureError, UsageError
from tests.conftest import make_music

RATE = 16_000
TASK = "x2-to-16000"
CLIPS = ["deep/b", "one. a"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two clips, one of them in a folder below, and one of too low a rate."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "deep").mkdir()
    for seed, (name, rate) in enumerate({"one. a.wav": RATE, "deep/b.flac": RATE, "low.wav": 8000}.items()):
        sf.write(folder / name, make_music(rate, 1.5, seed=seed).T, rate)
    text = "file,source,tier\none. a.wav,first,A\ndeep/b.flac,second,A\nlow.wav,third,A\n"
    (folder / "manifest.csv").write_text(text)
    return folder


def make(data: Path, out: Path, *, seconds: str = "1", models: str = "sinc,sbr,stft-any") -> Path:
    options = ["--tasks", TASK, "--models", models, "--seconds", seconds, "--jobs", "1"]
    run.main(["--data", str(data), "--out", str(out), *options])
    return out / TASK


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    return make(data, tmp_path_factory.mktemp("gallery"))


@pytest.fixture
def task(made, tmp_path):
    """A copy of the gallery that a test may spoil, as old as the gallery itself."""
    shutil.copytree(made.parent, tmp_path / "gallery")
    return tmp_path / "gallery" / made.name


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def shown(folder: Path) -> list[str]:
    """First cells of the table's rows, best first."""
    return [line.split("|")[1].strip() for line in (folder / "table.md").read_text().splitlines()[2:]]


def test_everything_is_where_it_should_be(made):
    for folder in ("reference", "input", "systems/sinc", "systems/sbr"):
        assert [(made / folder / f"{name}.flac").is_file() for name in CLIPS] == [True, True], folder
    assert sf.info(made / "input/one. a.flac").samplerate == RATE // 2
    info = sf.info(made / "systems/sbr/deep/b.flac")
    assert (info.samplerate, info.frames, info.subtype) == (RATE, RATE, "PCM_24")
    assert abs(sf.read(made / "reference/one. a.flac")[0]).max() <= 0.5
    assert len((made / "README.txt").read_text().splitlines()) == 7
    assert shown(made) == ["sbr", "sinc"]
    with (made / "figures.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["system"], row["file"]) for row in rows] == [(s, c) for s in ("sbr", "sinc") for c in CLIPS]
    assert all(float(row["snr_given_db"]) > 60 and float(row["cutoff_hz"]) == RATE / 4 for row in rows)


def test_intervals_are_over_the_sources_of_the_manifest(made):
    assert json.loads((made / "task.json").read_text())["sources"] == {"deep/b": "second", "one. a": "first"}
    assert "2 clips of 2 sources, 1 s" in (made.parent / "tables.md").read_text()


def test_index_holds_tables_ways_and_what_is_missing(made):
    page = (made.parent / "index.html").read_text(encoding="utf-8")
    for text in (f'href="{TASK}/report.html"', f'href="{TASK}/figures.csv"', ">sbr<", "stft-any: no network for this"):
        assert text in page
    assert "low: a clip at 8000 Hz" in page
    assert "python benchmarks/run.py" in page
    assert "musr 0." in page


@pytest.fixture
def two_tasks(task):
    """The index of a gallery of two tasks; the second is the first, without `sbr`."""
    summary = json.loads((task / "summary.json").read_text())
    del summary["table"]["rows"]["sbr"]
    summary |= {"name": "3000hz-to-16000", "notes": {"sinc, <b>": "is cut"}}
    (task.parent / "3000hz-to-16000").mkdir()
    (task.parent / "3000hz-to-16000/summary.json").write_text(json.dumps(summary))
    write_index(task.parent)
    return task.parent / "index.html"


def test_overview_sets_systems_against_tasks(two_tasks):
    overview = two_tasks.read_text().partition('id="h-overview"')[2].partition("<section")[0]
    rows = [row.partition("</th>") for row in overview.split('<th scope="row">')[1:]]
    assert [(name, "<td>–</td>" in cells) for name, _, cells in rows] == [("sinc", False), ("sbr", True)]
    assert "### Edge at 3000 Hz, 6 to 16 kHz" in (two_tasks.parent / "tables.md").read_text()


def test_index_in_a_browser(two_tasks, browser):
    browser.open(two_tasks)
    browser.click("details summary")
    browser.check()
    assert browser.text("h1") == "Benchmark gallery"
    browser.click('#h-overview ~ .scroll a[href="#x2-to-16000"]')
    assert "no network for this rate and edge" in browser.text("body")
    browser.click(f'a[href="{TASK}/report.html"]')
    assert browser.text("h1") == f"sbr, sinc against {TASK}"


def test_nothing_is_made_twice_even_in_another_place(data, task):
    before = times(task.parent)
    make(data, task.parent)
    changed = {name for name, at in times(task.parent).items() if before.get(name) != at}
    # the command names another folder, which is all that is new
    assert changed == {f"{TASK}/task.json", f"{TASK}/summary.json", "index.html"}


def test_what_is_missing_is_made_and_the_rest_is_kept(data, task):
    (task / "systems/sbr/deep/b.flac").unlink()
    before = times(task)
    make(data, task.parent)
    now = times(task)
    assert {name for name in now if name.endswith(".flac") and before.get(name) != now[name]} == {
        "systems/sbr/deep/b.flac"
    }
    # the same audio has the same figures
    assert before["figures.csv"] == now["figures.csv"]


def test_other_seconds_renew_what_is_asked_for_and_tell_of_the_rest(data, task):
    before = times(task)
    make(data, task.parent, seconds="0.8", models="sinc")
    now = times(task)
    for name in ("reference/one. a.flac", "input/deep/b.flac", "systems/sinc/deep/b.flac", "report.html"):
        assert now[name] != before[name]
    assert sf.info(task / "systems/sinc/deep/b.flac").frames == 0.8 * RATE
    assert shown(task) == ["sinc"]
    assert "sbr: restored other inputs than today" in (task.parent / "index.html").read_text()


def test_other_weights_renew_a_model(data, task):
    path = task / "systems/sinc/made-of.json"
    path.write_text(path.read_text().replace('"by": "sinc', '"by": "sinc 0123'))
    before = times(task)
    make(data, task.parent)
    now = times(task)
    changed = {name.split("/")[1] for name in now if name.startswith("systems") and before[name] != now[name]}
    assert changed == {"sinc"}


def test_music_that_is_not_the_gallerys_is_left_alone(data, task):
    (task / "systems/sinc/made-of.json").unlink()
    with pytest.raises(MusrError, match=r"holds music that run\.py did not make"):
        make(data, task.parent)
    assert (task / "systems/sinc/deep/b.flac").is_file()


@pytest.fixture
def foreign(task, tmp_path):
    """Two strangers' systems: one good (the references, a little softer), one that lacks a clip."""
    for name in CLIPS:
        x, rate = sf.read(task / "reference" / f"{name}.flac")
        for system in ("theirs", "broken"):
            path = tmp_path / "foreign" / system / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, 0.99 * x, rate, subtype="FLOAT")
    (tmp_path / "foreign/broken/one. a.wav").unlink()
    return tmp_path / "foreign"


def test_a_foreign_system_gets_a_row(task, foreign, capsys):
    before = times(task)
    compare.main([str(foreign / "theirs"), "--gallery", str(task), "-j", "1"])
    names = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines()[2:] if line]
    assert names == ["**theirs**", "sbr", "sinc"]
    assert (foreign / "theirs/report.html").is_file()
    assert "theirs" in (foreign / "theirs/figures.csv").read_text()
    assert times(task) == before


def test_a_foreign_system_that_is_added_stays(data, task, foreign, capsys):
    with pytest.raises(PartialFailureError, match="1 systems are left out"):
        compare.main([str(foreign), "--gallery", str(task), "-j", "1", "--add", "--beside", "sinc"])
    told = capsys.readouterr()
    assert "sbr" not in told.out
    assert "broken: one. a: no estimate of this name" in told.err
    assert shown(task) == ["theirs", "sbr", "sinc"]
    assert ">theirs<" in (task.parent / "index.html").read_text()
    make(data, task.parent)
    assert shown(task) == ["theirs", "sbr", "sinc"]
    # again, over itself
    compare.main([str(foreign / "theirs"), "--gallery", str(task), "-j", "1", "--add"])
    assert shown(task) == ["theirs", "sbr", "sinc"]


def test_names_are_not_taken_from_the_gallerys_own(task, foreign):
    (foreign / "theirs").rename(foreign / "sbr")
    with pytest.raises(MusrError, match="has a system of this name"):
        compare.main([str(foreign), "--gallery", str(task)])


def test_other_lengths_are_left_out(task, foreign, capsys):
    x, rate = sf.read(foreign / "theirs/deep/b.wav")
    sf.write(foreign / "theirs/deep/b.wav", x[:-5000], rate)
    with pytest.raises(MusrError, match="2 systems are left out"):
        compare.main([str(foreign), "--gallery", str(task), "-j", "1"])
    told = capsys.readouterr()
    assert told.out == ""
    assert "theirs: " in told.err and "0.69 s, but" in told.err


@pytest.mark.parametrize("name", [*DEFAULT, "bessel-4000hz-to-44100", "stft-3000hz-to-16000", "opus-24k-to-48000"])
def test_tasks_are_known_by_their_names(name):
    task = parse(name)
    assert task.name == name
    assert 0 < task.edge_hz < task.rate / 2
    assert task.wish.draw(0, task.rate).output_rate == task.input_rate


@pytest.mark.parametrize("name", ["x0-to-16000", "9000hz-to-16000", "4000hz", "flac-64k-to-44100", "../x2-to-16000"])
def test_other_names_are_refused_in_one_line(name):
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        parse(name)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: --data, --out"),
        (["--data", "nowhere", "--out", "x"], "nowhere: no such folder"),
        (["--data", ".", "--out", "x", "--also", "lsd_a"], "--also lsd_a: there are"),
        (["--data", ".", "--out", "x", "--seconds", "0"], "above 0"),
        (["--data", ".", "--out", "x", "--models", "gann"], "did you mean"),
    ],
)
def test_mistakes_are_told_before_any_work(arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=told):
        run.main(arguments)
    assert not list(tmp_path.iterdir())
