"""Choices of the product that more than one part has to know."""

from __future__ import annotations

# what `--model` means where the user names none
DEFAULT_MODEL = "restore"
