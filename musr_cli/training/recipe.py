"""Recipes: TOML files that say everything about a training run, one per shipped checkpoint."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from musr_cli.degrade.degradation import ORDERS
from musr_cli.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = Path(__file__).parent / "recipes"

T = TypeVar("T")

AdversarialForm = Literal["saturating", "non-saturating", "hinge", "wasserstein"]


@dataclass(frozen=True)
class DataRecipe:
    """What a batch is made of.

    Attributes:
        sample_rate: rate in Hz at which clips are cached and cropped.
        crop_s: length of a crop in seconds.
        batch: crops in a batch, over all processes.
        holdout: patterns of file names kept for validation (whole sources, so that no piece is on both sides).
        exclude: patterns of file names not used at all.
        favoured: patterns of file names of which more crops are drawn than by their length.
        favoured_share: of all crops, those from favoured files.
        is_stereo: crops have two channels: as they are, exchanged, or twice the middle; otherwise one of the three.
        gain_db: range of random gain.
        speed: range of random speed (and pitch) of half of the crops; (1, 1) for none.
        mix: share of crops that are the sum of two clips.
        equaliser_db: how far the gain of a random equaliser goes from one octave to the next (standard deviation).
        tilt_db: range of a random tilt: the level at 16 kHz relative to that at 1 kHz.
        highpass: share of crops without their lowest octaves, like telephones and old discs.
        noise: share of crops with coloured stationary noise, half of it added after the band was lost, to both sides.
        noise_dbfs: range of its level, RMS.
        chunk_share: of an autoencoder's chunks of a batch, those that a step learns from, drawn at random (Miron &
            Davies, 4.1.2): neighbours are much alike, and more crops for the same work teach more.
        credit: what the music is and under which licences it stands, for the card.
    """

    sample_rate: int
    crop_s: float = 2.0
    batch: int = 16
    holdout: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    favoured: tuple[str, ...] = ()
    favoured_share: float = 0.5
    is_stereo: bool = False
    gain_db: tuple[float, float] = (0.0, 0.0)
    speed: tuple[float, float] = (1.0, 1.0)
    mix: float = 0.0
    equaliser_db: float = 0.0
    tilt_db: tuple[float, float] = (0.0, 0.0)
    highpass: float = 0.0
    noise: float = 0.0
    noise_dbfs: tuple[float, float] = (-85.0, -45.0)
    chunk_share: float = 1.0
    credit: str = ""


@dataclass(frozen=True)
class DegradationRecipe:
    """How the input loses its band; see `musr_cli.degrade`.

    Attributes:
        families: low-pass families, drawn uniformly; naming one twice doubles its share.
        cutoff_hz: range of the nominal cutoff in Hz.
        cutoffs_per_octave: for networks that work at any band edge: cutoffs are drawn from a grid of so many an octave,
            none above what the crop's own spectrum leaves to learn; 0 for a uniform draw in hertz.
        validate_hz: cutoffs at which held-out clips are restored, one after the other; the highest of `cutoff_hz` where
            there are none.
        orders: lowest and highest order of recursive filters.
        causal_share: of recursive filters, those that run forwards only.
        intact: share of crops that lose nothing.
        hint_withheld: share of crops of which a network is not told the edge, but the Nyquist frequency.
        hint_wrong: share of crops of which it is told an edge that is wrong by up to a half.
    """

    families: tuple[str, ...] = ("resample",)
    cutoff_hz: tuple[float, float] = (4000.0, 4000.0)
    cutoffs_per_octave: int = 0
    validate_hz: tuple[float, ...] = ()
    orders: tuple[int, int] = ORDERS
    causal_share: float = 0.0
    intact: float = 0.0
    hint_withheld: float = 0.0
    hint_wrong: float = 0.0


@dataclass(frozen=True)
class CodedRecipe:
    """Stretches of the music that go through lossy encoders once, before training; see `training.coded`.

    Attributes:
        share: of all crops, those that are drawn from these stretches.
        hours: how much is coded, but no more than there is music; 0 for none.
        stretch_s: length of a stretch in seconds.
        codecs: drawn uniformly; naming one twice doubles its share.
        bitrates_kbps: range for two channels, drawn log-uniformly.
        resampled: share of stretches that are coded at a lower rate, as encoders do at low bitrates.
        twice: share that is coded a second time, otherwise.
    """

    share: float = 0.0
    hours: float = 0.0
    stretch_s: float = 20.0
    codecs: tuple[str, ...] = ("mp3", "mp3", "mp3-vbr", "aac", "aac", "vorbis", "opus", "wma")
    bitrates_kbps: tuple[float, float] = (24.0, 192.0)
    resampled: float = 0.25
    twice: float = 0.15


@dataclass(frozen=True)
class LossRecipe:
    """Weights of the loss terms; a term of weight 0 is not computed.

    Attributes:
        content: mean square error of the standardised log power (Dai et al., eq. 3; their a), or of scaled logarithms
            of magnitudes (Miron & Davies, eq. 1).
        resynthesis: LSD of the signal after phase and inverse STFT, see `losses.LogSpectra`.
        compressed: error of compressed powers, which minds peaks where `resynthesis` minds gaps.
        spread: how far the deviation over the bins of a frame is off, which keeps `resynthesis` from smearing.
        bands: how far the levels of bands 500 Hz wide are off, which are what is heard of noise.
        adversarial: the generator's adversarial term (Dai et al., eq. 4; their b) at the start.
        adversarial_end: the same at the end; it grows geometrically.
        features: distance of the discriminator's maps for estimates and originals (feature matching).
        form: of the adversarial terms: "saturating", log(1 − D(G(x))) (Dai et al., eq. 4); "non-saturating", −log
            D(G(x)) (Retzlöff, III); "hinge"; or "wasserstein", a critic's difference (Retzlöff, II-C).
        critic_steps: steps of the discriminator, each on a batch of its own, for one of the network (n_critic).
        clip: the critic's weights are kept within ± this (Arjovsky, Chintala & Bottou 2017); 0 for free ones.
        gradient_penalty: weight of a penalty on the critic's slope instead (Gulrajani et al. 2017).
        wave: mean square error of the waveform (Retzlöff's L2), for waveform networks like all that follow.
        multi_wave: L1 distance at the full, half and quarter rate (Zhang et al., eq. 3; their λ).
        multi_stft: spectral convergence and log magnitudes at three resolutions (Zhang et al., eq. 2).
        frames: energy, mean and slope of short frames (TFGAN's time-domain loss).
        perceptual: distance of the maps of a feature encoder (Retzlöff's "-C").
    """

    content: float = 1.0
    resynthesis: float = 0.0
    compressed: float = 0.0
    spread: float = 0.0
    bands: float = 0.0
    adversarial: float = 0.0
    adversarial_end: float = 0.0
    features: float = 0.0
    form: AdversarialForm = "saturating"
    critic_steps: int = 1
    clip: float = 0.0
    gradient_penalty: float = 0.0
    wave: float = 0.0
    multi_wave: float = 0.0
    multi_stft: float = 0.0
    frames: float = 0.0
    perceptual: float = 0.0


@dataclass(frozen=True)
class OptimiserRecipe:
    """Adam with polynomial decay: rate · (1 − progress) ** power.

    Attributes:
        learning_rate: of the network, at the start.
        discriminator_learning_rate: of the discriminator, fixed.
        power: exponent of the decay (Dai et al., IV-A: 0.5).
        warmup_steps: steps over which the rate rises to its start.
        weight_decay: decoupled.
        ema: decay of the moving average of the weights that is kept and validated; 0 for none.
        kind: "adam", or its variant "adamax" (Miron & Davies 2018, 3.4).
    """

    learning_rate: float = 1e-4
    discriminator_learning_rate: float = 1e-7
    power: float = 0.5
    warmup_steps: int = 0
    weight_decay: float = 0.0
    ema: float = 0.0
    kind: Literal["adam", "adamax"] = "adam"


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        name: name of the checkpoint it makes.
        family: what `--model` will call it.
        architecture: key of `musr_models.checkpoint.ARCHITECTURES`.
        description: one sentence for the card.
        known_failures: where the network does badly, for the card.
        steps: optimiser steps; the learning rate reaches 0 there.
        seed: of everything random.
        network: fields of the architecture's configuration.
        start_from: name or folder of a checkpoint whose weights to start from; empty for fresh ones.
        keep: which checkpoint becomes the result, "best" by validation or "last". Validation measures LSD-HF, which a
            loss on the waveform makes worse the longer it teaches.
    """

    name: str
    family: str
    architecture: str
    data: DataRecipe
    description: str = ""
    known_failures: str = ""
    steps: int = 10_000
    seed: int = 0
    start_from: str = ""
    keep: Literal["best", "last"] = "best"
    network: dict[str, Any] = field(default_factory=dict)
    degradation: DegradationRecipe = field(default_factory=DegradationRecipe)
    coded: CodedRecipe = field(default_factory=CodedRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)


_SECTIONS: dict[str, type[Any]] = {
    "data": DataRecipe,
    "degradation": DegradationRecipe,
    "coded": CodedRecipe,
    "loss": LossRecipe,
    "optimiser": OptimiserRecipe,
}


def shipped_recipes() -> list[str]:
    """Names of the recipes inside the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by name or from a file.

    Raises:
        UsageError: no such recipe, or a file with unknown or missing entries or choices.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = SHIPPED / f"{name_or_path}.toml"
    if not path.is_file():
        raise UsageError(f"no recipe '{name_or_path}'; use a TOML file or one of: {', '.join(shipped_recipes())}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in _SECTIONS.keys() & values.keys():
            values[name] = _build(_SECTIONS[name], values[name])
        return _build(Recipe, values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: not a usable recipe ({error}); compare it with those in {SHIPPED}") from error


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, ready for TOML."""
    return dataclasses.asdict(recipe)


def _build(cls: type[T], values: dict[str, Any]) -> T:
    hints = get_type_hints(cls)
    for name, value in values.items():
        choices = get_args(hints[name]) if get_origin(hints.get(name)) is Literal else (value,)
        if value not in choices:
            raise ValueError(f"{name} is '{value}', not one of: {', '.join(choices)}")
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
