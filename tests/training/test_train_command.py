"""`musr train`, from a folder of music to a model that `musr enhance` takes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import soundfile as sf
import tomli_w

from musr_cli.training.recipe import Recipe, recipe_values
from tests.conftest import RunMusr


def test_trained_model_enhances(recipe: Recipe, folder: Path, tmp_path: Path, run_musr: RunMusr) -> None:
    toml = tmp_path / "recipe.toml"
    toml.write_text(tomli_w.dumps(json.loads(json.dumps(recipe_values(dataclasses.replace(recipe, steps=3))))))
    out = tmp_path / "run"
    done = run_musr("train", "--recipe", toml, "--data", folder, "--out", out, "--precision", "fp32")
    assert done.returncode == 0, done.stderr.decode()
    assert b"LSD-HF" in done.stderr
    low = tmp_path / "low.wav"
    sf.write(low, sf.read(folder / "d.wav")[0][::2], 8000)
    done = run_musr("enhance", low, tmp_path / "high.wav", "--model", out, "--ratio", "2")
    assert done.returncode == 0, done.stderr.decode()
    assert sf.info(tmp_path / "high.wav").samplerate == 16000
    again = run_musr("train", "--recipe", toml, "--data", folder, "--out", out)
    assert again.returncode == 2
    assert b"--resume" in again.stderr
    further = run_musr(
        "train", "--recipe", toml, "--data", folder, "--out", tmp_path / "on", "--steps", "1", "--start-from", out
    )
    assert further.returncode == 0, further.stderr.decode()
    other = run_musr("train", "--recipe", toml, "--data", folder, "--out", tmp_path / "no", "--start-from", "demucs")
    assert other.returncode == 2
    assert b"do not fit" in other.stderr
    assert other.stderr.count(b"\n") == 1


def test_what_to_train_must_be_clear(folder: Path, run_musr: RunMusr) -> None:
    done = run_musr("train", "gan", "--data", folder)
    assert done.returncode == 2
    assert b"gan-x2-16k" in done.stderr
    assert done.stderr.count(b"\n") == 1
