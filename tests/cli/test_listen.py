from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli.app import app
from tests.listening.answers import preferring, rating, save

RATE = 16_000


def musr(*args: str | Path):
    return CliRunner().invoke(app, ["listen", *map(str, args)])


def refused(result, exit_code: int, *told: str) -> None:
    assert (result.exit_code, result.stdout) == (exit_code, ""), result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for part in told:
        assert part in result.stderr


@pytest.fixture
def folders(tmp_path, music, monkeypatch):
    """Three recordings, their input, and what two systems made of them."""
    for index, name in enumerate(("a", "b", "sub/c")):
        x = music(RATE, 2.0, seed=index)
        for folder, gain in (("ref", 1.0), ("new", 0.5), ("old", 0.8), ("low", 0.7)):
            path = tmp_path / folder / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, gain * x.T, RATE, subtype="FLOAT")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page_of(path: str) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])


def key_of(data: dict) -> dict:
    return json.loads(base64.b64decode(data["key"]))


# --- making ---


def test_an_ab_test(folders):
    result = musr("new", "old", "--out", "test.html", "--clips", 2, "--seconds", 1)
    assert (result.exit_code, result.stdout) == (0, "")
    assert re.fullmatch(
        r"test\.html: written: AB test, 3 screens, 1 of them for practice, about 1 min a listener, 0\.\d MB; .*\n",
        result.stderr,
    )
    data = page_of("test.html")
    assert (data["kind"], data["question"], data["rate"]) == ("ab", "Which version has fewer artifacts?", RATE)
    assert sorted(key_of(data)["clips"].values()) == ["a", "b", "sub/c"]
    assert set(key_of(data)["versions"].values()) == {"new", "old"}


def test_a_mushra_test_with_all_there_is(folders):
    result = musr(
        "new", "old", "--reference", "ref", "--input", "low", "--test", "mushra", "--anchor", 3500, "--anchor", 7000,
        "--title", "Piano <1>", "--question", "How good?", "-o", "test.html", "--clips", 1, "--seed", 5,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    data = page_of("test.html")
    test = key_of(data)["test"]
    assert (test["title"], test["question"]) == ("Piano <1>", "How good?")
    expected = ["reference", "new", "old", "input", "anchor 3.5 kHz", "anchor 7 kHz"]
    assert [condition["name"] for condition in test["conditions"]] == expected
    assert [len(trial["versions"]) for trial in data["trials"]] == [6, 6]
    assert "<title>Piano &lt;1&gt;</title>" in Path("test.html").read_text()


def test_a_mos_test_of_single_files(folders):
    result = musr("new/a.wav", "old/b.wav", "--reference", "ref/a.wav", "--test", "mos", "-o", "test.html")
    assert result.exit_code == 0, result.stderr
    assert "only one recording" in result.stderr
    data = page_of("test.html")
    assert set(key_of(data)["versions"].values()) == {"reference", "a", "b"}
    assert [trial["practice"] for trial in data["trials"]] == [False] * 3


def test_the_same_command_makes_the_same_test(folders):
    for name in ("one.html", "two.html"):
        assert musr("new", "old", "-o", name, "-q").exit_code == 0
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_missing_and_broken_files_are_told_and_the_rest_goes_on(folders):
    Path("old/a.wav").unlink()
    Path("new/b.wav").write_bytes(b"not audio at all")
    result = musr("new", "old", "-o", "test.html")
    assert result.exit_code == 3
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert errors[0] == "error: a: no file of this name in old"
    assert errors[1].startswith("error: new/b.wav: not audio")
    assert errors[2] == "error: 2 of 3 recordings could not be used"
    assert set(key_of(page_of("test.html"))["clips"].values()) == {"sub/c"}


def test_other_lengths_are_one_line_and_nothing_is_written(folders, music):
    for name in ("a", "b", "sub/c"):
        soundfile.write(f"old/{name}.wav", music(RATE, 1.0).T, RATE)
    result = musr("new", "old", "-o", "test.html")
    assert result.exit_code == 1
    assert result.stderr.count("cut them to one length first") == 3
    assert "3 of 3 recordings could not be used" in result.stderr
    assert not Path("test.html").exists()


def test_delays_are_told(folders):
    x = soundfile.read("old/a.wav")[0]
    soundfile.write("old/a.wav", np.concatenate([np.zeros((160, 2)), x])[: len(x)], RATE, subtype="FLOAT")
    result = musr("new", "old", "-o", "test.html")
    assert "warning: old/a.wav is 160 samples (10.0 ms) late: aligned" in result.stderr
    assert musr("new", "old", "-o", "test.html", "--overwrite", "-q").stderr == ""


@pytest.mark.parametrize(
    ("args", "exit_code", "told"),
    [
        (["new", "old"], 2, "--out test.html"),
        (["new", "old", "-o", "test.txt"], 2, "one that ends in .html"),
        (["new", "old", "-o", "there.html"], 1, "--overwrite replaces it"),
        (["new", "old", "-o", "nowhere/test.html"], 1, "make it first"),
        (["new", "-o", "t.html"], 2, "name another folder"),
        (["new", "old", "--input", "low", "-o", "t.html"], 2, "name it as one of them"),
        (["new", "--test", "mos", "-o", "t.html"], 2, "--reference"),
        (["new", "old", "--anchor", "3500", "-o", "t.html"], 2, "--test mushra"),
        (
            ["new", "--reference", "ref", "--test", "mushra", "--anchor", "9000", "-o", "t.html"],
            2,
            "ends at 8000 Hz; choose a lower one",
        ),
        (["new", "missing", "-o", "t.html"], 2, "give files or folders, not both"),
        (["empty", "new", "-o", "t.html"], 1, "empty: no audio files"),
        (["new", "old", "-o", "t.html", "--port", "8000"], 2, "--port is for a page that is shown; add --serve"),
        (["new", "old", "-o", "t.html", "--results", "r"], 2, "--results is for a page that is shown"),
        (["new", "old", "-o", "t.html", "--json"], 2, "--json is for results; add --analyse"),
        (["new", "old", "-o", "t.html", "--keep-all"], 2, "--keep-all is for results"),
        (["new", "old", "-o", "t.html", "--test", "abx"], 2, "mushra"),
        (["there.html"], 2, "open this page in a browser"),
        (["there.html", "--serve", "--out", "t.html"], 2, "--out makes a test, but there.html is one already"),
        (["there.html", "--serve"], 1, "not the page of a listening test"),
        (["missing.html", "--serve"], 1, "missing.html: cannot be read"),
        (["--analyse", "missing.json"], 1, "missing.json: cannot be read"),
        (["--analyse", "there.html"], 1, "there.html: not results of a listening test"),
        (["--analyse", "new"], 1, "new: no results"),
        (["--analyse", "x.json", "--serve"], 2, "--serve has nothing to do with results"),
        (["--analyse", "x.json", "--reference", "ref"], 2, "--reference has nothing to do with results"),
        (["--analyse", "x.json", "-o", "x.txt"], 2, "x.txt: pictures are written as"),
        ([], 2, "DIR"),
    ],
)
def test_bad_input_is_one_line_with_the_way_out(folders, args, exit_code, told):
    Path("there.html").write_text("mine")
    Path("empty").mkdir()
    refused(musr(*args), exit_code, told)
    assert not Path("t.html").exists()
    assert Path("there.html").read_text() == "mine"


# --- evaluating ---


def fair(condition: str, clip: int) -> float:
    return {"reference": 100, "new": 80 - clip, "old": 60, "input": 40, "anchor 3.5 kHz": 20}[condition]


def test_results_become_table_picture_csv_and_json(tmp_path):
    files = save(tmp_path / "results", *(rating("mushra", name, fair) for name in "abcdefg"))
    picture, rows = tmp_path / "figure.png", tmp_path / "rows.csv"
    result = musr("--analyse", tmp_path / "results", "-o", picture, "--csv", rows)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Piano, restored (MUSHRA): 7 listeners, 10 clips; Which is better?\n\ncondition")
    assert result.stderr == f"{picture}: written\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(rows.read_text().splitlines()) == 1 + 7 * 10 * 5
    told = json.loads(musr("--analyse", *files, "--json").stdout)
    assert [(one["condition"], one["mean"]) for one in told["opinions"]][:2] == [("reference", 100), ("new", 75.5)]
    assert told["differences"][0]["p"] == pytest.approx(2 / 2**7)


def test_who_misses_the_reference_is_named(tmp_path):
    save(tmp_path, rating("mushra", "ann", fair), rating("mushra", "bob", lambda name, clip: 50))
    result = musr("--analyse", tmp_path)
    assert "bob: below 90 in 10 of 10: left out (--keep-all counts them)" in result.stderr
    assert "1 listener, 10 clips" in result.stdout
    assert "2 listeners" in musr("--analyse", tmp_path, "--keep-all").stdout


def test_mixed_tests_are_refused(tmp_path):
    save(tmp_path, preferring("ann", 5), rating("mos", "bob", lambda name, clip: 3))
    refused(musr("--analyse", tmp_path), 2, "results-bob.json", "results-ann.json", "one test at a time")


def test_existing_outputs_are_kept_without_overwrite(tmp_path):
    save(tmp_path / "r", preferring("ann", 5))
    (tmp_path / "f.svg").write_text("mine")
    refused(musr("--analyse", tmp_path / "r", "-o", tmp_path / "f.svg"), 1, "--overwrite")
    assert musr("--analyse", tmp_path / "r", "-o", tmp_path / "f.svg", "--overwrite").exit_code == 0
    assert "<svg" in (tmp_path / "f.svg").read_text()


# --- showing ---


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_page_is_made_shown_and_its_results_collected(folders):
    command = [
        sys.executable,
        "-m",
        "musr_cli",
        "listen",
        "new",
        "old",
        "-o",
        "test.html",
        "--serve",
        "--results",
        "in",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = []
    while not lines or "Ctrl-C" not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    url = lines[-1].split()[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.read() == Path("test.html").read_bytes()
    file = preferring("Ann", 2, clips=("a", "b"))
    file["test"]["id"] = page_of("test.html")["id"]
    headers = {"Content-Type": "application/json", "Origin": url.rstrip("/")}
    request = urllib.request.Request(f"{url}results", json.dumps(file).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 201
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 0, told
    assert told.splitlines() == [
        "in/results-piano-restored-ann.json: results of Ann",
        "in: 1 result collected; musr listen --analyse in evaluates them",
    ]
    assert json.loads(Path("in/results-piano-restored-ann.json").read_text()) == file
