from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import musr_cli
from musr_cli.app import VERBS, app
from musr_cli.console import emit_json, minutes, report_errors
from musr_cli.errors import MusrError, PartialFailureError, UnavailableError, UsageError
from musr_cli.store import cache_folder
from tests.conftest import RunMusr

HEAVY = ("torch", "scipy", "numpy", "soundfile", "soxr", "matplotlib", "musr_models", "musr_cli.engine")


REPORT_MODULES = """
import sys, musr_cli.app
try:
    musr_cli.app.main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported_by(*args: str, exit_code: int = 0) -> set[str]:
    """Names of all modules that the command imports."""
    command = [sys.executable, "-c", REPORT_MODULES, *args]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == exit_code, result.stderr
    return set(result.stderr.split())


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith(HEAVY)}


def test_help_lists_every_verb_and_imports_none_of_them() -> None:
    modules = imported_by("--help")
    assert heavy(modules) == set()
    assert not any(name.startswith("musr_cli.commands") for name in modules)
    help_text = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout.split())
    for verb, (_, line) in VERBS.items():
        assert f"{verb} {line}" in help_text


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_is_light_and_imports_no_other(verb: str) -> None:
    modules = imported_by(verb, "--help")
    assert heavy(modules) == set()
    assert {name for name in modules if name.startswith("musr_cli.commands.")} == {f"musr_cli.commands.{verb}"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "-h"], prog_name="musr")
    assert result.exit_code == 0
    assert f"Usage: musr {verb}" in result.stdout


def test_version_goes_to_stdout(run_musr: RunMusr) -> None:
    result = run_musr("--version")
    assert (result.returncode, result.stdout.decode().strip()) == (0, f"musr {musr_cli.__version__}")


def test_a_refusal_does_not_wait_for_torch(tmp_path: Path) -> None:
    (tmp_path / "in.wav").touch()
    modules = imported_by("enhance", str(tmp_path / "in.wav"), str(tmp_path / "in.wav"), exit_code=1)
    assert "musr_cli.engine.outputs" in modules
    assert not {"torch", "scipy", "numpy"} & modules


def test_without_a_verb_the_help_is_shown() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert "enhance" in result.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["enhnce", "a.wav", "b.wav"], "no command 'enhnce'; did you mean 'enhance'?"),
        (["zzz"], "no command 'zzz'; there are enhance, "),
        (["--bogus"], "--bogus"),
        (["enhance", "a.wav", "b.wav", "--ratoi", "2"], "--ratio"),
        (["enhance"], "IN"),
        (["enhance", "a.wav", "b.wav", "--bit-depth", "12"], "24"),
        (["models", "lst"], "lst"),
    ],
)
def test_usage_errors_are_one_line_with_the_way_out(args: list[str], told: str) -> None:
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert told in result.stderr


@pytest.mark.parametrize(
    ("error", "exit_code", "told"),
    [
        (MusrError("a.wav: broken; try another"), 1, "a.wav: broken; try another"),
        (UsageError("one of the two"), 2, "one of the two"),
        (PartialFailureError("2 of 3 failed"), 3, "2 of 3 failed"),
        (UnavailableError("no cuda"), 4, "no cuda"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.Abort(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "out.wav"), 1, "out.wav: No space left on device"),
        (MemoryError(), 1, "out of memory; try a smaller --chunk-s or fewer --jobs"),
        (MusrError("evil\nname\x1b[31m.wav: broken"), 1, "evil\\nname\\x1b[31m.wav: broken"),
        (ZeroDivisionError("oops"), 1, "internal error: ZeroDivisionError: oops"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    error: BaseException, exit_code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left, report_errors():
        raise error
    assert left.value.code == exit_code
    told_lines = capsys.readouterr().err.splitlines()
    assert len(told_lines) == 1
    assert told_lines[0].startswith(f"error: {told}")


def test_model_errors_mean_not_available() -> None:
    from musr_models.contract import ModelError

    with pytest.raises(SystemExit) as left, report_errors():
        raise ModelError("unknown model 'gam'; did you mean 'gan'?")
    assert left.value.code == 4


def test_exits_pass_through() -> None:
    with pytest.raises(typer.Exit), report_errors():
        raise typer.Exit(3)


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    from musr_cli.console import configure

    try:
        with pytest.raises(SystemExit), report_errors(debug=True):
            raise ZeroDivisionError("oops")
    finally:
        configure()
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "test_app.py" in told


def test_json_is_standard_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    import numpy as np

    emit_json({"level_db": float("-inf"), "rates": (1, 2), "lsd": np.float32(0.5), "name": "a\udcff→.wav"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"level_db": None, "rates": [1, 2], "lsd": 0.5, "name": "a\udcff→.wav"}
    assert printed.isascii()


def test_tables_keep_long_names_whole_where_there_is_no_terminal() -> None:
    name = "folder/" + "long" * 25 + "[bold].wav"
    script = f"from musr_cli.console import table; table([{{'file': {name!r}, 'level': 0.25}}])"
    # test runners in processes tell their workers how wide the terminal is; a log or a pipe tells nobody
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    printed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    assert printed.stdout == b""
    assert name in printed.stderr.decode()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_bars_are_for_terminals(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from musr_cli import console

    told = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=told, force_terminal=is_terminal, width=100))
    with console.Progress(files=2) as bars:
        bar = bars.add("a[1].wav", 60.0)
        bars.update(bar, 30.0)
        bars._bars.refresh()
        bars.remove(bar, 60.0)
        bars.finish()
    if not is_terminal:
        assert told.getvalue().strip() == ""
        return
    for part in ("a[1].wav", "0:30/1:00", "× real time", "0/2 files", "2/2 files"):
        assert part in told.getvalue()


def test_one_variable_moves_all_that_musr_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSR_HOME", raising=False)
    usual = cache_folder("music")
    assert usual.is_absolute()
    monkeypatch.setenv("MUSR_HOME", str(tmp_path))
    assert cache_folder("music") == tmp_path / "cache" / "music" != usual


def test_minutes() -> None:
    assert [minutes(s) for s in (0, 75.9, 3600, 36000 + 125)] == ["0:00", "1:15", "1:00:00", "10:02:05"]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
@pytest.mark.parametrize(("variable", "coloured"), [("TERM", True), ("NO_COLOR", False)])
def test_colour_on_a_terminal_unless_no_color(variable: str, coloured: bool) -> None:
    import pty

    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    environment = {**environment, "TERM": "xterm-256color", **({} if coloured else {variable: "1"})}
    near, far = pty.openpty()
    subprocess.run([sys.executable, "-m", "musr_cli", "zzz"], stderr=far, env=environment, check=False, timeout=240)
    told = os.read(near, 4096)
    os.close(near)
    os.close(far)
    assert b"no command 'zzz'" in told
    assert (b"31m" in told) == coloured


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_closed_pipe_ends_quietly() -> None:
    # `yes | musr … | head`: whoever reads stdout goes away first
    script = "from musr_cli.console import report_errors\nwith report_errors():\n    while True: print('x' * 999)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=240) == 1
