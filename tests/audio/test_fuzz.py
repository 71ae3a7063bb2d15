"""A share of the fuzzing that `python tests/fuzz.py` does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import fuzz

SCRIPT = Path(fuzz.__file__)


def test_damaged_files_are_read_or_refused_with_one_line() -> None:
    command = [sys.executable, str(SCRIPT), "--cases", "150", "--seed", "7"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "150 cases" in result.stdout
    # both must happen, or the damage is too little or too much to test anything
    assert " read" in result.stdout
    assert " refused" in result.stdout


def test_a_case_is_always_the_same(tmp_path: Path) -> None:
    seeds = [fuzz.Seed(".wav", bytes(range(256)) * 9), fuzz.Seed(".flac", b"fLaC" * 99)]
    cases = [fuzz.damaged(case, 3, seeds) for case in range(40)]
    assert cases == [fuzz.damaged(case, 3, seeds) for case in range(40)]
    assert len(set(cases)) == 40
    assert all(data != seed.data for (_, data), seed in zip(cases, seeds * 20, strict=True))


def test_what_is_no_message_for_people_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "open_source", crash)
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(ZeroDivisionError):
        fuzz.outcome(tmp_path / "a")
