from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from musr_cli.app import app
from musr_models import registry
from musr_models.checkpoint import Card, build, save_checkpoint


def models(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, args)], prog_name="musr")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Card:
    """A small network, as 'musr train' would have written it."""
    network = build("dnn", {"widths": (8,), "n_fft": 64})
    card = Card("tiny", "dnn", "dnn", sample_rates=(16000,), ratio=2.0, training={"steps": 5})
    return save_checkpoint(tmp_path / "run", network, card)


@pytest.mark.parametrize("args", [[], ["list"]])
def test_the_table_names_every_model(args: list[str]) -> None:
    result = models(*args)
    assert (result.exit_code, result.stdout) == (0, "")
    for name in (*registry.BASELINES, *(card.name for card in registry.cards())):
        assert f" {name} " in result.stderr


def test_the_list_as_json() -> None:
    result = models("list", "--json")
    listed = {model["name"]: model for model in json.loads(result.stdout)}
    assert set(listed) == {*registry.BASELINES, *(card.name for card in registry.cards())}
    assert listed["sinc"]["ratio"] is None


def test_info_tells_what_the_card_says(checkpoint: Card) -> None:
    table = models("info", checkpoint.weights.parent)
    assert table.exit_code == 0
    assert "training.steps" in table.stderr
    told = json.loads(models("info", checkpoint.weights, "--json").stdout)
    assert [(card["name"], card["config"]["n_fft"], card["sha256"]) for card in told] == [
        ("tiny", 64, checkpoint.sha256)
    ]
    assert json.loads(models("info", "sinc", "--json").stdout)[0]["name"] == "sinc"


def test_path_is_data_for_scripts(checkpoint: Card) -> None:
    result = models("path", checkpoint.weights.parent)
    assert Path(result.stdout.strip()) == checkpoint.weights
    assert result.stderr == ""
    nothing = models("path", "linear")
    assert (nothing.exit_code, nothing.stdout) == (4, "")
    assert nothing.stderr.startswith("error: linear: a baseline")


def test_what_is_shipped_verifies() -> None:
    assert models("verify").exit_code == 0


def test_verify_tells_sound_from_damaged(checkpoint: Card) -> None:
    assert models("verify", checkpoint.weights.parent).exit_code == 0
    content = bytearray(checkpoint.weights.read_bytes())
    content[-1] ^= 1
    checkpoint.weights.write_bytes(content)
    result = models("verify", checkpoint.weights.parent, "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)[0]["ok"] is False
    assert "tiny.safetensors: not the file its card names" in result.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["info", "linaer"], "unknown model 'linaer'; did you mean 'linear'?"),
        (["path", "zzz"], "unknown model 'zzz'; known: linear"),
        (["verify", "zzz"], "unknown model 'zzz'"),
    ],
)
def test_unknown_names_are_one_line_with_the_way_out(args: list[str], told: str) -> None:
    result = models(*args)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith(f"error: {told}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda card: card.replace("format_version = 1", "format_version = 99"), "card format 99, this musr reads 1"),
        (lambda card: card + 'flux = "high"\n', "unknown entries flux"),
        (lambda card: card.replace('architecture = "dnn"', 'architecture = "hyena"'), "unknown architecture 'hyena'"),
        (lambda card: "not = [a card", "not a readable model card"),
    ],
)
def test_cards_from_elsewhere_are_refused(checkpoint: Card, change: object, told: str) -> None:
    assert callable(change)
    assert checkpoint.path is not None
    text = checkpoint.path.read_text(encoding="utf-8")
    # entries of the card itself come before its first table
    head, table, rest = text.partition("\n[")
    checkpoint.path.write_text(change(f"{head}\n") + table.lstrip("\n") + rest, encoding="utf-8")
    result = models("verify", checkpoint.path)
    assert result.exit_code == 4
    assert told in result.stderr
