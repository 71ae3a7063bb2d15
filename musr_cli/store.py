"""Where musr keeps what it can make again: the user's cache folder, or the one place that `MUSR_HOME` names."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

# names a folder that takes the place of all the user's folders, for tests and for shared machines
HOME_VARIABLE = "MUSR_HOME"


def cache_folder(name: str = "") -> Path:
    """The cache folder, or the folder `name` in it; not created here, safe to delete at any time."""
    home = os.environ.get(HOME_VARIABLE)
    root = Path(home).expanduser() / "cache" if home else Path(platformdirs.user_cache_dir("musr", appauthor=False))
    return root / name if name else root
