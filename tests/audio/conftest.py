"""Files and processes for the tests of audio."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from musr_cli.audio.formats import subtype_for
from musr_cli.audio.reading import open_source
from musr_cli.audio.writing import AudioWriter

Write = Callable[..., Path]
Read = Callable[..., NDArray[Any]]
RunPython = Callable[..., "subprocess.CompletedProcess[bytes]"]


def write_audio(
    path: Path, x: NDArray[Any], container: str = "WAV", *, rate: int = 48_000, depth: str = "16", **more: Any
) -> Path:
    """[C, n] into a file; further keywords go to `AudioWriter`."""
    subtype = subtype_for(container, depth) if depth in ("same", "16", "24", "32", "float") else depth
    with AudioWriter(path, rate, len(x), container, subtype, **more) as writer:
        writer.write(x)
    return path


def read_audio(path: Path, block_frames: int = 4096) -> NDArray[Any]:
    """All of a file, [C, n]."""
    with open_source(path) as source:
        blocks = list(source.blocks(block_frames))
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((source.info.channels, 0), source.dtype)


@pytest.fixture
def noise() -> Callable[..., NDArray[np.float32]]:
    """`noise(frames, channels=2, level=0.1, seed=0)` → [channels, frames] float32."""

    def make(frames: int, channels: int = 2, level: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
        return (level * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)

    return make


@pytest.fixture
def run_python() -> RunPython:
    """`run_python(code, *arguments, **keywords)`: in a process of its own; keywords go to `subprocess.run`."""

    def run(code: str, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60, **more)

    return run
