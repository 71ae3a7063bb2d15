"""A folder of short pieces and a recipe that learns from them in a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from musr_cli.training.cache import ClipCache, open_cache
from musr_cli.training.recipe import DataRecipe, DegradationRecipe, LossRecipe, OptimiserRecipe, Recipe
from tests.conftest import Music

RATE = 16000

TINY = Recipe(
    name="tiny-x2-16k",
    family="tiny",
    architecture="stft-gan",
    steps=12,
    network={"widths": (16, 16, 16, 16), "final_activation": False, "level_frames": 5},
    data=DataRecipe(RATE, crop_s=0.5, batch=4, holdout=("held-*",), speed=(0.9, 1.1), mix=0.3, gain_db=(-6.0, 0.0)),
    degradation=DegradationRecipe(("resample", "butterworth"), (3800.0, 4000.0)),
    loss=LossRecipe(content=0.2, resynthesis=1.0, adversarial=0.01, adversarial_end=0.1, form="hinge"),
    optimiser=OptimiserRecipe(1e-3, 1e-4, power=1.0, warmup_steps=2, ema=0.9),
)


@pytest.fixture
def recipe() -> Recipe:
    return dataclasses.replace(TINY)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, music: Music) -> Path:
    """Five pieces in three formats, two rates, mono and stereo; one is held out."""
    root = tmp_path_factory.mktemp("pieces")
    (root / "below").mkdir()
    write = {
        "a.wav": (44100, 2, 0),
        "b.flac": (22050, 1, 1),
        "below/c.ogg": (44100, 2, 2),
        "d.wav": (RATE, 2, 3),
        "held-e.wav": (RATE, 1, 4),
    }
    for name, (rate, channels, seed) in write.items():
        sf.write(root / name, music(rate, 3.0, channels, seed).T, rate)
    (root / "notes.txt").write_text("not audio")
    return root


@pytest.fixture(scope="session")
def cache(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipCache:
    return open_cache(folder, RATE, tmp_path_factory.mktemp("cache"), note=lambda text: None)


def silent_restore(model: str, x: NDArray[np.float32], rate: int, cutoff_hz: float) -> NDArray[np.float32]:
    """A stand-in for the engine that adds nothing."""
    del model, rate, cutoff_hz
    return x
