"""The page of the zoo says what the cards say."""

from __future__ import annotations

import runpy
from pathlib import Path

MODELS = Path(__file__).parents[2] / "models"


def test_page_is_up_to_date() -> None:
    page = runpy.run_path(str(MODELS / "zoo.py"))["page"]()
    shown = (MODELS / "README.md").read_text(encoding="utf-8")
    assert shown.splitlines() == page.splitlines(), "run: python models/zoo.py > models/README.md"
