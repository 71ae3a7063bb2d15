"""The page of the zoo says what the cards say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODELS = Path(__file__).parents[2] / "models"


def test_page_is_up_to_date() -> None:
    printed = subprocess.run([sys.executable, MODELS / "zoo.py"], capture_output=True, check=True).stdout
    assert printed.decode().split() == (MODELS / "README.md").read_text(encoding="utf-8").split()
