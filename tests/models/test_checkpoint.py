"""Checkpoints come back as they went, and whatever is wrong with one is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from musr_models import registry
from musr_models.checkpoint import Card, build, load_checkpoint, read_card, save_checkpoint, verify
from musr_models.contract import Band, ModelError

CONFIG = {"widths": [8, 8], "sample_rates": [16000], "ratio": 4}


@pytest.fixture
def saved(tmp_path: Path) -> Card:
    torch.manual_seed(0)
    network = build("dnn", CONFIG)
    return save_checkpoint(tmp_path / "run", network, Card("tiny", "dnn", "dnn", sample_rates=(16000,), ratio=4.0))


def one_line(error: pytest.ExceptionInfo[ModelError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_card_alone_rebuilds_the_network(saved: Card) -> None:
    torch.manual_seed(0)
    before, after = build("dnn", CONFIG), load_checkpoint(saved.weights.parent)
    assert after.ratio == 4
    for name, value in before.state_dict().items():
        torch.testing.assert_close(after.state_dict()[name], value.half().to(value.dtype))
    assert not after.training


@pytest.mark.parametrize("way", ["folder", "card", "weights"])
def test_a_run_is_named_by_folder_card_or_weights(saved: Card, way: str) -> None:
    path = {"folder": saved.weights.parent, "card": saved.path, "weights": saved.weights}[way]
    assert path is not None
    network = registry.load(path, Band(16000, 2000.0))
    assert network.ratio == 4


def test_flipped_bit_is_found(saved: Card) -> None:
    verify(saved)
    content = bytearray(saved.weights.read_bytes())
    content[-1] ^= 1
    saved.weights.write_bytes(content)
    with pytest.raises(ModelError) as error:
        verify(saved)
    assert saved.weights.name in one_line(error)


def test_truncated_weights(saved: Card) -> None:
    saved.weights.write_bytes(saved.weights.read_bytes()[:100])
    with pytest.raises(ModelError) as error:
        load_checkpoint(saved.weights)
    assert "unreadable" in one_line(error)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format_version = 1", "format_version = 99", "format 99"),
        ('architecture = "dnn"', 'architecture = "transformer"', "transformer"),
        ("widths", "depths", "depths"),
        ('family = "dnn"', "", "family"),
        ("= ", "", "readable"),
    ],
)
def test_foreign_cards(saved: Card, old: str, new: str, says: str) -> None:
    assert saved.path is not None
    saved.path.write_text(saved.path.read_text().replace(old, new))
    with pytest.raises(ModelError) as error:
        load_checkpoint(saved.path)
    assert says in one_line(error)


def test_weights_of_another_size(saved: Card) -> None:
    assert saved.path is not None
    saved.path.write_text(saved.path.read_text().replace("ratio = 4\n", "ratio = 2\n"))
    with pytest.raises(ModelError) as error:
        load_checkpoint(saved.path)
    assert "do not fit" in one_line(error)


def test_unknown_model_gets_a_suggestion() -> None:
    with pytest.raises(ModelError) as error:
        registry.load("lineal", Band(16000, 4000.0))
    assert "did you mean 'linear'" in one_line(error)


def test_ratio_without_a_variant_names_what_works(saved: Card) -> None:
    with pytest.raises(ModelError) as error:
        registry.load(saved.weights, Band(16000, 3000.0))
    message = one_line(error)
    assert "×4 to 16000 Hz" in message
    assert "sinc" in message


@pytest.mark.parametrize("card", registry.cards(), ids=lambda card: card.name)
def test_shipped_checkpoints_are_whole(card: Card) -> None:
    verify(card)
    assert card.path is not None
    assert read_card(card.path) == card
    assert card.training["recipe"] == card.name
    assert card.metrics
    assert card.description


def test_shipped_weights_are_small_together() -> None:
    assert sum(path.stat().st_size for path in registry.weights_folder().glob("*.safetensors")) < 90e6
