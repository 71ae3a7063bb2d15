from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

from musr_cli.app import app
from tests.conftest import Music, RunMusr

FAST = ("--model", "linear", "--ratio", "2", "--no-progress")


def enhance(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["enhance", *map(str, args)], prog_name="musr")


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def library(tmp_path: Path, music: Music) -> Path:
    """A folder of four short files, one of them not audio, and a picture."""
    folder = tmp_path / "library"
    for number, name in enumerate(("a.wav", "disc 1/b.flac", "disc 1/live/c.wav")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, music(8000, 0.3 + 0.1 * number, seed=number).T, 8000)
    (folder / "disc 1" / "broken.wav").write_bytes(b"this is not audio at all")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


GOOD = ["a.wav", "disc 1/b.flac", "disc 1/live/c.wav"]


def test_one_bad_file_does_not_stop_the_rest(library: Path) -> None:
    out = library.with_name("out")
    result = enhance(library, out, *FAST)
    assert (result.exit_code, result.stdout) == (3, "")
    assert files_below(out) == GOOD
    error, *_, last = result.stderr.strip().splitlines()
    assert error.startswith("error: ")
    assert "broken.wav" in error
    assert last == "error: 1 of 4 files failed"
    table = result.stderr.splitlines()
    for name in ("a.wav", "b.flac", "broken.wav", "c.wav"):
        assert any(name in line and ("done" in line or "failed" in line) for line in table)


def test_a_batch_is_resumed_with_skip_existing(library: Path) -> None:
    out = library.with_name("out")
    assert enhance(library / "a.wav", out / "a.wav", *FAST).exit_code == 0
    before = (out / "a.wav").stat().st_mtime_ns
    refused = enhance(library, out, *FAST)
    assert refused.exit_code == 1
    assert "--skip-existing" in refused.stderr
    assert files_below(out) == ["a.wav"]
    resumed = enhance(library, out, *FAST, "--skip-existing", "--json")
    assert resumed.exit_code == 3
    assert files_below(out) == GOOD
    assert (out / "a.wav").stat().st_mtime_ns == before
    statuses = {Path(file["source"]).name: file["status"] for file in json.loads(resumed.stdout)["files"]}
    assert statuses == {"a.wav": "skipped", "b.flac": "done", "c.wav": "done", "broken.wav": "failed"}
    (library / "disc 1" / "broken.wav").unlink()
    assert enhance(library, out, *FAST, "--skip-existing").exit_code == 0


def test_processes_make_the_same_files_and_tell_the_same(library: Path) -> None:
    told = []
    for jobs in ("1", "2"):
        result = enhance(library, library.with_name(jobs), "--model", "sbr", "--ratio", "2", "--jobs", jobs, "--json")
        assert result.exit_code == 3
        assert files_below(library.with_name(jobs)) == GOOD
        files = json.loads(result.stdout)["files"]
        told.append(
            [{key: file[key] for key in ("source", "status", "audio_s", "details", "messages")} for file in files]
        )
    assert told[0] == told[1]
    for name in GOOD:
        one, two = (library.with_name(jobs) / name for jobs in ("1", "2"))
        assert one.read_bytes() == two.read_bytes()


def test_when_every_file_fails_for_one_reason_that_is_the_exit_code(library: Path) -> None:
    for name in GOOD:
        (library / name).write_bytes(b"")
    result = enhance(library, library.with_name("out"), *FAST)
    assert result.exit_code == 1
    assert "error: 4 of 4 files failed" in result.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_model_that_is_not_there_stops_a_batch_at_once(library: Path, jobs: str) -> None:
    result = enhance(library, library.with_name("out"), "--model", "linaer", "--ratio", "2", "--jobs", jobs)
    assert result.exit_code == 4
    assert result.stderr == "error: unknown model 'linaer'; did you mean 'linear'?\n"
    assert not library.with_name("out").exists()


def test_a_new_format_in_a_tree(library: Path) -> None:
    out = library.with_name("out")
    enhance(library, out, *FAST, "--format", "flac", "--glob", "disc 1/**/*.wav")
    assert files_below(out) == ["disc 1/live/c.flac"]


def test_a_dry_run_of_a_tree_writes_nothing(library: Path) -> None:
    (library / "disc 1" / "broken.wav").unlink()
    result = enhance(library, library.with_name("out"), *FAST, "--dry-run")
    assert result.exit_code == 0
    assert not library.with_name("out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "jobs", "exit_code"), [(signal.SIGINT, "1", 130), (signal.SIGINT, "2", 130), (signal.SIGTERM, "1", 143)]
)
def test_a_signal_leaves_what_is_done_and_nothing_partial(
    tmp_path: Path, music: Music, number: signal.Signals, jobs: str, exit_code: int
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    soundfile.write(source / "a short.wav", music(8000, 0.3).T, 8000)
    for name in ("b long.wav", "c long.wav"):
        # 30 minutes: long enough to be caught at work
        soundfile.write(source / name, music(8000, 10.0, channels=1)[0].repeat(180), 8000)
    command = [sys.executable, "-m", "musr_cli", "enhance", source, out, "--model", "sbr", "--ratio", "2", "-j", jobs]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while not ((out / "a short.wav").exists() and len(list(out.iterdir())) > 1):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    assert process.returncode == exit_code
    assert files_below(out) == ["a short.wav"]
    assert soundfile.info(out / "a short.wav").frames == 4800
    assert b"Traceback" not in told


def test_a_hundred_small_files_need_one_start(tmp_path: Path, music: Music, run_musr: RunMusr) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(100):
        soundfile.write(folder / f"{number:03}.wav", music(8000, 0.05, seed=number).T, 8000)
    result = run_musr("enhance", folder, tmp_path / "out", *FAST, "--json")
    assert result.returncode == 0
    assert len(files_below(tmp_path / "out")) == 100
    # longer tables are cut to what needs a look
    assert len(result.stderr.splitlines()) < 50
    assert len(json.loads(result.stdout)["files"]) == 100
