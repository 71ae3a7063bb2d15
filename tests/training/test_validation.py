"""What validation tells of kinds of music."""

from __future__ import annotations

from pathlib import Path

from musr_cli.training.cache import Clip
from musr_cli.training.validation import Curve, _by_kind


def clip(file: str) -> Clip:
    return Clip(file, 0, 1, 8000.0)


def test_kinds_are_the_folders_at_the_top() -> None:
    clips = [clip("piano/a/1.wav"), clip("piano/2.wav"), clip("rock/3.wav"), clip("4.wav")]
    assert _by_kind(clips, [1.0, 2.0, 4.0, 8.0]) == {"piano": 1.5, "rock": 4.0, "other": 8.0}


def test_one_kind_is_not_told_apart() -> None:
    assert _by_kind([clip("piano/1.wav"), clip("piano/2.wav")], [1.0, 2.0]) == {}


def test_kinds_stand_beside_the_mean(tmp_path: Path) -> None:
    notes: list[str] = []
    Curve(tmp_path, "lsd_hf", notes.append, None).add("restore", 5, 1.0, 1.25, {"piano": 1.5, "rock": 1.0})
    assert notes == ["step 5: restore LSD-HF 1.250 on held-out clips, piano 1.500, rock 1.000"]
