"""The rule for single files that a command writes, told before the work instead of after it."""

from __future__ import annotations

import os
from pathlib import Path

from musr_cli.errors import MusrError


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Stop where the result could not be written, or would replace what nobody gave up.

    Raises:
        MusrError: `path` exists and is not to be replaced, is a folder, or lies in no folder that takes files.
    """
    if path.is_dir():
        raise MusrError(f"{path}: is a folder; name a file")
    if os.path.lexists(path) and not overwrite:
        raise MusrError(f"{path}: exists already; --overwrite replaces it")
    if not path.parent.is_dir():
        raise MusrError(f"{path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise MusrError(f"{path.parent}: no permission to write there; choose another output")
