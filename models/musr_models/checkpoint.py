"""Checkpoints: tensors in safetensors, everything else in a TOML card beside them. Nothing is pickled.

`load_checkpoint` rebuilds a network from the card alone: architecture and configuration from it, weights from the file
it names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import sys
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from musr_models.contract import ModelError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT_VERSION = 1

# architecture → (module, network class, configuration class); modules are imported when they are needed
ARCHITECTURES = {
    "dnn": ("musr_models.dnn", "Dnn", "DnnConfig"),
    "cnn": ("musr_models.cnn", "Cnn", "CnnConfig"),
    "stft-gan": ("musr_models.stft_gan", "StftGan", "StftGanConfig"),
    "restore": ("musr_models.restore", "Restore", "RestoreConfig"),
    "audio-unet": ("musr_models.audio_unet", "AudioUnet", "AudioUnetConfig"),
    "seanet": ("musr_models.seanet", "Seanet", "SeanetConfig"),
    "demucs": ("musr_models.demucs", "Demucs", "DemucsConfig"),
    "resgan": ("musr_models.resgan", "ResGan", "ResGanConfig"),
    "bottleneck": ("musr_models.autoencoder", "Bottleneck", "AutoencoderConfig"),
    "stride2": ("musr_models.autoencoder", "Stride2", "AutoencoderConfig"),
    "envelope": ("musr_models.envelope", "Envelope", "EnvelopeConfig"),
    "tfgan": ("musr_models.tfgan", "TfGan", "TfGanConfig"),
    "features": ("musr_models.features", "Features", "FeaturesConfig"),
}

# what is no network that restores anything, and what it is for
AIDS = {
    "tfgan": "a vocoder, which gives another model its phases: choose that one, and --phase vocoder",
    "features": "a feature encoder, which other models are trained with",
}


@dataclass(frozen=True)
class Card:
    """What a checkpoint says of itself.

    Attributes:
        name: checkpoint name, "gan-x2-16k".
        family: what `--model` calls it, "gan".
        architecture: key of `ARCHITECTURES`.
        config: fields of the configuration dataclass.
        sample_rates: output rates in Hz; empty for any.
        ratio: super-resolution factor it was trained for; None for any.
        cutoffs_hz: lowest and highest band edge in Hz that it was trained for; empty where they do not limit it.
        description: one sentence for people.
        training: data, licences, degradation, recipe, steps, seed.
        metrics: measured figures and the command that printed them.
        known_failures: where it does badly.
        sha256: of the safetensors file.
        path: the card's own path; None before it is saved.
    """

    name: str
    family: str
    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    sample_rates: tuple[int, ...] = ()
    ratio: float | None = None
    cutoffs_hz: tuple[float, ...] = ()
    description: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    known_failures: str = ""
    sha256: str = ""
    path: Path | None = None

    @property
    def is_network(self) -> bool:
        """Whether it restores signals by itself (see `AIDS`)."""
        return self.architecture not in AIDS

    @property
    def weights(self) -> Path:
        """The safetensors file beside the card."""
        if self.path is None:
            raise ModelError(f"the card of {self.name} was not saved yet, so it has no weights")
        return self.path.with_suffix(".safetensors")


def build(architecture: str, config: dict[str, Any]) -> nn.Module:
    """A network, vocoder or encoder with fresh weights; raises `ModelError` for an unknown architecture or field."""
    network, configuration = _classes(architecture)
    return network(_configure(configuration, config))


def network_class(architecture: str) -> type[nn.Module]:
    """The class of an architecture; raises `ModelError` for an unknown one."""
    return _classes(architecture)[0]


def _classes(architecture: str) -> tuple[type[nn.Module], type[Any]]:
    """Network and configuration."""
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"unknown architecture '{architecture}'; this version of musr knows {', '.join(ARCHITECTURES)}"
        )
    module_name, network_name, config_name = ARCHITECTURES[architecture]
    module = importlib.import_module(module_name)
    return getattr(module, network_name), getattr(module, config_name)


def _configure(cls: type[Any], values: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(cls)
    unknown = set(values) - set(hints)
    if unknown:
        raise ModelError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}; was it written by a newer musr?")
    is_tuple = {name: typing.get_origin(hint) is tuple for name, hint in hints.items()}
    return cls(**{name: tuple(value) if is_tuple[name] else value for name, value in values.items()})


def find_card(path: Path) -> Path:
    """The card that `path` means: a card, the weights beside one, or a folder that holds exactly one."""
    if path.is_dir():
        found = sorted(path.glob("*.toml"))
        if len(found) != 1:
            raise ModelError(
                f"{path}: a model folder holds one card (*.toml), this one {len(found)}; name the card itself"
            )
        return found[0]
    card = path.with_suffix(".toml")
    if not card.is_file():
        raise ModelError(f"{path}: no model card (.toml) there; give a folder, card or weights that 'musr train' wrote")
    return card


def read_card(path: Path) -> Card:
    """Read a card; raises `ModelError` where it is damaged or of a newer format."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: not a readable model card ({error}); train or install the model again") from error
    version = values.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise ModelError(f"{path}: card format {version}, this musr reads {FORMAT_VERSION}; install a matching musr")
    missing = {"name", "family", "architecture"} - set(values)
    unknown = set(values) - {f.name for f in dataclasses.fields(Card)}
    if missing or unknown:
        what = f"lacks {', '.join(sorted(missing))}" if missing else f"has unknown entries {', '.join(sorted(unknown))}"
        raise ModelError(f"{path}: the card {what}; it was not written by this version of musr")
    for name in ("sample_rates", "cutoffs_hz"):
        values[name] = tuple(values.get(name, ()))
    return Card(**values, path=path)


def load_checkpoint(path: Path) -> nn.Module:
    """Rebuild the network of a card, weights included, in float32 and evaluation mode."""
    card = read_card(find_card(path))
    network = build(card.architecture, card.config)
    tensors = {name: _as_float32(tensor) for name, tensor in _read_tensors(card).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"{card.weights}: the weights do not fit the card {card.path}; run 'musr models verify'"
        ) from error
    return network.eval()


def save_checkpoint(folder: Path, network: nn.Module, card: Card) -> Card:
    """Write `card.name`.safetensors (fp16) and .toml into `folder`; returns the card as written."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{card.name}.safetensors"
    tensors = {name: _as_float16(tensor).contiguous() for name, tensor in network.state_dict().items()}
    # not `save_file`, whose files only their owner can read
    weights.write_bytes(save(tensors))
    config = getattr(network, "config", None)
    card = dataclasses.replace(
        card,
        sha256=_sha256(weights),
        path=folder / f"{card.name}.toml",
        config=dataclasses.asdict(config) if config else {},
    )
    values = {"format_version": FORMAT_VERSION, **dataclasses.asdict(card)}
    kept = {key: value for key, value in values.items() if value is not None and key != "path"}
    (folder / f"{card.name}.toml").write_text(tomli_w.dumps(kept), encoding="utf-8")
    return card


def verify(card: Card) -> None:
    """Raise `ModelError` unless the weights are those that the card was written for."""
    if not card.weights.is_file():
        raise ModelError(f"{card.weights}: missing; install musr again, or copy the weights beside the card")
    if _sha256(card.weights) != card.sha256:
        raise ModelError(f"{card.weights}: not the file its card names (sha256 differs); install the model again")
    load_checkpoint(card.weights)


def _read_tensors(card: Card) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = load_file(card.weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{card.weights}: unreadable weights ({error}); install or train the model again") from error
    return tensors


def _as_float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _as_float16(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
