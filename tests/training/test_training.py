"""Training learns, stops, goes on exactly where it stopped, and does the same in one process as in two."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import tomli_w
import torch
from torch import Tensor, nn

from musr_cli.errors import MusrError, UsageError
from musr_cli.training.adversarial import Adversary
from musr_cli.training.cache import ClipCache
from musr_cli.training.data import Batch, _weights, make_batch
from musr_cli.training.distributed import Processes
from musr_cli.training.loop import Limits, Report, train
from musr_cli.training.losses import LogSpectra, adversarial_loss, discriminator_loss
from musr_cli.training.objectives import objective_for
from musr_cli.training.recipe import (
    DegradationRecipe,
    LossRecipe,
    OptimiserRecipe,
    Recipe,
    read_recipe,
    recipe_values,
    shipped_recipes,
)
from musr_cli.training.session import Session, run
from musr_cli.training.state import State, load_state, new_state, save_state
from musr_cli.training.statistics import set_statistics
from musr_cli.training.waveform_losses import frames, multi_stft, multi_wave
from musr_models.autoencoder import Autoencoder
from musr_models.blocks import LogPowerNetwork
from musr_models.checkpoint import build, load_checkpoint
from musr_models.contract import Network
from musr_models.transforms import Stft
from tests.training.conftest import RATE, silent_restore


def fresh(recipe: Recipe, cache: ClipCache) -> State:
    torch.manual_seed(recipe.seed)
    network = build(recipe.architecture, dict(recipe.network))
    with torch.no_grad():
        set_statistics(network, [make_batch(cache, cache.clips, recipe, 10**6, 8)], RATE)
    return new_state(network, recipe)


def go(state: State, recipe: Recipe, cache: ClipCache, steps: int, stop_at: int | None = None) -> None:
    """Train towards `steps`; leave at `stop_at`, as a kill would."""

    class KilledError(Exception):
        pass

    def on_step(now: State) -> None:
        if now.step == stop_at:
            raise KilledError

    def batches(step: int) -> object:
        return make_batch(cache, cache.clips, recipe, step, recipe.data.batch)

    with contextlib.suppress(KilledError):
        train(state, batches, recipe, Limits(steps), group=Processes(), on_step=on_step)  # type: ignore[arg-type]


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)


CONTENT = LossRecipe(content=1.0)


@dataclass(frozen=True)
class Kind:
    """How networks of one architecture are trained here, and how far the loss on one batch must come down."""

    network: dict[str, Any]
    loss: LossRecipe = CONTENT
    edges: tuple[float, float] | None = None
    learnt: float = 0.35
    share: float = 0.6
    is_stereo: bool = False


SIGNAL = LossRecipe(content=0.0, multi_stft=1.0, multi_wave=100.0)
KINDS: dict[str, Kind] = {
    "dnn": Kind({"widths": (64, 64)}),
    "cnn": Kind({"filters": (8, 16, 16), "strides": (2, 2, 2), "summary": 8}),
    "stft-gan": Kind({"widths": (48, 48, 48, 48), "final_activation": False}),
    # the texture of the copied band is not that of the original: there the distance of signals ends
    "restore": Kind(
        {"views": 32, "width": 48, "hidden": 96, "blocks": 2, "level_frames": 5},
        LossRecipe(content=0.0, resynthesis=1.0), (2000.0, 4000.0), learnt=0.85, share=0.8,
    ),
    "audio-unet": Kind(
        {"widths": (16, 24, 32), "kernels": (17, 9, 9), "dropout": 0.0, "ratio": 2, "is_spline": True},
        LossRecipe(content=0.0, wave=1.0), learnt=0.2, share=0.9,
    ),
    "seanet": Kind({"width": 8, "strides": (2, 4), "cutoffs_hz": (2000.0, 4000.0)}, SIGNAL, (2000.0, 4000.0), 9, 0.8),
    "demucs": Kind(
        {"width": 16, "widest": 48, "depth": 3, "is_bidirectional": True, "cutoffs_hz": (2000.0, 4000.0)},
        SIGNAL, (2000.0, 4000.0), 9, 0.9,
    ),
    "resgan": Kind({"sample_rates": (16000,), "widths": (16, 24), "ratio": 2}, SIGNAL, learnt=9, share=0.9),
    "bottleneck": Kind(
        {"filters": 16, "hidden": 48, "cutoffs_hz": (2000.0, 4000.0), "is_masked": True},
        LossRecipe(content=1000.0), (2000.0, 4000.0), learnt=9, share=0.5, is_stereo=True,
    ),
    "stride2": Kind(
        {"transform": "cqt", "filters": 8, "hidden": 48}, LossRecipe(content=1000.0),
        learnt=9, share=0.5, is_stereo=True,
    ),
    "tfgan": Kind({"width": 32, "strides": (8, 8, 4), "dilations": (1, 3)}, SIGNAL, learnt=9, share=0.8),
    "features": Kind({"widths": (8, 8), "embedding": 16}, LossRecipe(), learnt=0.35),
}  # fmt: skip


def of_architecture(recipe: Recipe, architecture: str) -> Recipe:
    """A recipe with the loss and, for networks for any edge, the edges that this kind of network learns from."""
    kind = KINDS[architecture]
    return dataclasses.replace(
        recipe,
        architecture=architecture,
        network=kind.network,
        loss=kind.loss,
        data=dataclasses.replace(recipe.data, is_stereo=kind.is_stereo),
        optimiser=OptimiserRecipe(3e-3, power=0.5),
        degradation=DegradationRecipe(("resample",), kind.edges, 12, kind.edges) if kind.edges else recipe.degradation,
    )


@pytest.mark.parametrize("architecture", KINDS)
def test_one_batch_is_learnt_by_heart(architecture: str, recipe: Recipe, cache: ClipCache) -> None:
    recipe = of_architecture(recipe, architecture)
    state = fresh(recipe, cache)
    batch = make_batch(cache, cache.clips, recipe, 0, 2)
    seen: list[Report] = []
    train(state, lambda step: batch, recipe, Limits(150), group=Processes(), on_report=seen.append)
    last, first = sum(seen[-1].losses.values()), sum(seen[0].losses.values())
    assert last < KINDS[architecture].learnt
    assert last < KINDS[architecture].share * first
    assert seen[-1].audio_s_per_s > 0


@pytest.mark.parametrize("architecture", KINDS)
def test_every_weight_of_a_recipe_has_its_term(architecture: str, recipe: Recipe, cache: ClipCache) -> None:
    own = of_architecture(recipe, architecture)
    if architecture in {"audio-unet", "seanet", "demucs", "resgan"}:
        own = dataclasses.replace(own, loss=LossRecipe(0.0, 1.0, wave=1.0, multi_wave=1.0, multi_stft=1.0, frames=1.0))
    terms = objective_for(fresh(own, cache).network, own, bf16=False)(make_batch(cache, cache.clips, own, 0, 2)).terms
    asked = {name for name, weight in dataclasses.asdict(own.loss).items() if isinstance(weight, float) and weight}
    assert set(terms) == (asked if architecture != "features" else {"contrast"})


def test_statistics_standardise(recipe: Recipe, cache: ClipCache) -> None:
    network = fresh(recipe, cache).network
    assert isinstance(network, LogPowerNetwork)
    batch = make_batch(cache, cache.clips, recipe, 10**6, 8)
    stft = network.config.stft
    features = network.features(stft.analyse(batch.low))
    low = network.standardise(features.low)
    assert low.mean().abs() < 1e-3
    assert low.std() == pytest.approx(1.0, abs=0.05)
    target = network.target(stft.analyse(batch.full), features.level)
    assert target.mean().abs() < 0.2
    assert target.std() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("kind", ["adam", "adamax"])
def test_resumed_run_is_the_uninterrupted_one(
    recipe: Recipe, cache: ClipCache, tmp_path: Path, kind: Literal["adam", "adamax"]
) -> None:
    recipe = dataclasses.replace(recipe, optimiser=dataclasses.replace(recipe.optimiser, kind=kind))
    whole = fresh(recipe, cache)
    go(whole, recipe, cache, 12)
    killed = fresh(recipe, cache)
    go(killed, recipe, cache, 12, stop_at=5)
    save_state(tmp_path, killed, recipe)
    resumed = fresh(recipe, cache)
    load_state(tmp_path, resumed, recipe)
    assert resumed.step == 5
    go(resumed, recipe, cache, 12)
    for name, module in whole.modules.items():
        assert_same(module, resumed.modules[name])


def test_another_recipe_does_not_resume(recipe: Recipe, cache: ClipCache, tmp_path: Path) -> None:
    save_state(tmp_path, fresh(recipe, cache), recipe)
    other = dataclasses.replace(recipe, seed=7)
    with pytest.raises(MusrError, match="another recipe"):
        load_state(tmp_path, fresh(other, cache), other)


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"garbage" * 10])
def test_damaged_state_is_said(content: bytes, recipe: Recipe, cache: ClipCache, tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(content)
    with pytest.raises(MusrError, match="damaged"):
        load_state(tmp_path, fresh(recipe, cache), recipe)


def test_time_limit_anneals(recipe: Recipe, cache: ClipCache) -> None:
    state = fresh(recipe, cache)
    state.elapsed_s = 30.0
    assert Limits(1000, 60.0).progress(state) == 0.5
    state.step = 750
    assert Limits(1000, 60.0).progress(state) == 0.75


def test_average_follows_slowly(recipe: Recipe, cache: ClipCache) -> None:
    state = fresh(recipe, cache)
    start = [p.clone() for p in state.network.parameters()]
    go(state, recipe, cache, 12)
    pairs = list(zip(start, state.average.parameters(), state.network.parameters(), strict=True))
    moved = sum(float((now - then).detach().norm()) for then, _, now in pairs)
    behind = sum(float((now - mean).detach().norm()) for _, mean, now in pairs)
    assert 0 < behind < moved


@pytest.mark.parametrize("architecture", ["stft-gan", "restore", "resgan", "tfgan"])
def test_discriminator_learns_to_tell(architecture: str, recipe: Recipe, cache: ClipCache) -> None:
    """With true and estimated bands apart, a few steps of the discriminator bring its loss down."""
    own = of_architecture(recipe, architecture)
    loss = dataclasses.replace(own.loss, features=1.0, adversarial=0.1, form="hinge")
    recipe = dataclasses.replace(own, loss=loss)
    state = fresh(recipe, cache)
    assert state.discriminator_optimiser is not None
    state.discriminator_optimiser.param_groups[0]["lr"] = 1e-3
    adversary = Adversary.of(state, recipe.loss, Processes(), bf16=False)
    assert adversary is not None
    estimate = objective_for(state.network, recipe, bf16=False)(make_batch(cache, cache.clips, recipe, 0, 8))
    assert adversary.generator_terms(estimate, 0.0)["features"] > 0
    losses = [float(adversary.step(estimate)) for _ in range(40)]
    assert losses[-1] < 0.6 * losses[0]


def test_adversarial_training_moves_network_and_discriminator(recipe: Recipe, cache: ClipCache) -> None:
    recipe = dataclasses.replace(
        of_architecture(recipe, "restore"), loss=dataclasses.replace(recipe.loss, spread=0.1, compressed=0.1)
    )
    state, untouched = fresh(recipe, cache), fresh(recipe, cache)
    seen: list[Report] = []
    train(
        state, lambda step: make_batch(cache, cache.clips, recipe, step, 2), recipe, Limits(50), group=Processes(),
        on_report=seen.append,
    )  # fmt: skip
    assert {"resynthesis", "compressed", "spread", "adversarial", "discriminator"} <= set(seen[-1].losses)
    for name, module in state.modules.items():
        pairs = zip(module.parameters(), untouched.modules[name].parameters(), strict=True)
        # hinge losses of true and estimated cancel in a bias
        assert all(bool((now != before).any()) for now, before in pairs if now.ndim > 1)


def test_adversarial_weight_grows_geometrically(recipe: Recipe, cache: ClipCache) -> None:
    adversary = Adversary.of(fresh(recipe, cache), recipe.loss, Processes(), bf16=False)
    assert adversary is not None
    estimate = SimpleNamespace(fake=[torch.ones(1, 128, 32)])
    with torch.no_grad():
        start, middle, end = (float(adversary.generator_terms(estimate, at)["adversarial"]) for at in (0.0, 0.5, 1.0))  # type: ignore[arg-type]
    assert end / start == pytest.approx(10.0)
    assert middle / start == pytest.approx(10**0.5)


@pytest.mark.parametrize("form", ["saturating", "non-saturating", "hinge", "wasserstein"])
def test_adversarial_losses_pull_the_right_way(form: str) -> None:
    low, high = torch.tensor([[-2.0]]), torch.tensor([[2.0]])
    assert adversarial_loss(high, form) < adversarial_loss(low, form)
    assert discriminator_loss(high, low, form) < discriminator_loss(low, high, form)


def wgan(recipe: Recipe, **loss: float) -> Recipe:
    own = of_architecture(recipe, "audio-unet")
    weights = dataclasses.replace(own.loss, adversarial=0.01, form="wasserstein", critic_steps=3, **loss)
    return dataclasses.replace(own, loss=weights, optimiser=OptimiserRecipe(1e-3, 1e-3))


def test_a_critic_is_clipped_and_taught_more_often(recipe: Recipe, cache: ClipCache) -> None:
    recipe, asked = wgan(recipe, clip=0.01), []
    state = fresh(recipe, cache)

    def batches(number: int) -> Batch:
        asked.append(number)
        return make_batch(cache, cache.clips, recipe, number, 2)

    train(state, batches, recipe, Limits(2), group=Processes())
    assert asked == list(range(6))
    assert state.discriminator is not None
    assert max(float(p.detach().abs().max()) for p in state.discriminator.parameters()) <= 0.01


def test_gradient_penalty_levels_the_critics_slope(recipe: Recipe, cache: ClipCache) -> None:
    # so heavy because the slope settles above 1 by the distance of the signals, over twice the penalty
    recipe = wgan(recipe, gradient_penalty=1000.0)
    state = fresh(recipe, cache)
    adversary = Adversary.of(state, recipe.loss, Processes(), bf16=False)
    assert adversary is not None
    estimate = objective_for(state.network, recipe, bf16=False)(make_batch(cache, cache.clips, recipe, 0, 2))
    before = adversary._slope_error(estimate).item()
    for _ in range(40):
        adversary.step(estimate)
    assert adversary._slope_error(estimate).item() < 0.5 * before


def test_signal_losses_are_zero_for_the_same_and_grow_with_the_error() -> None:
    full = 0.1 * torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(2, RATE, generator=torch.Generator().manual_seed(1))
    for distance in (multi_wave, multi_stft, frames):
        same, near, far = (float(distance(full + depth * noise, full)) for depth in (0.0, 0.001, 0.01))
        assert same == pytest.approx(0, abs=1e-6)
        assert same < near < far
    # what the papers define: L1 at three rates; energy, mean and slope in time
    assert float(multi_wave(full + 0.5, full)) == pytest.approx(0.5)
    assert float(multi_stft(2 * full, full)) == pytest.approx(1 + math.log(2), rel=0.01)


def test_favoured_clips_give_their_share_of_crops(recipe: Recipe, cache: ClipCache) -> None:
    data = dataclasses.replace(recipe.data, favoured=("a.wav",), favoured_share=0.9)
    weights = _weights(cache.clips, data)
    (favoured,) = (weight for weight, clip in zip(weights, cache.clips, strict=True) if clip.file == "a.wav")
    assert favoured == pytest.approx(0.9)
    assert weights.sum() == pytest.approx(1)


def test_log_spectra_measure_distance_and_spread(cache: ClipCache) -> None:
    music = torch.from_numpy(cache.crop(cache.clips[0], 0, RATE))
    full = music + 1e-3 * torch.randn(music.shape, generator=torch.Generator().manual_seed(0))
    cutoff_hz = torch.tensor([3000.0, 4000.0])
    batch = Batch(full, full, cutoff_hz, torch.full((2,), 8000.0))
    stft = Stft(744, 372)
    same, louder, noise = (
        LogSpectra.of(x, batch, cutoff_hz, stft, RATE) for x in (full, 2 * full, 0.1 * torch.randn_like(full))
    )
    assert float(same.distance()) == pytest.approx(0.01, abs=1e-3)  # the root's guard
    assert float(louder.distance()) == pytest.approx(0.602, abs=0.05)
    assert float(same.spread_error()) == 0
    assert float(louder.spread_error()) < 0.05
    assert float(same.compressed_error()) == 0
    assert float(louder.compressed_error()) > 0.1
    assert float(noise.spread_error()) > 0.1


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_a_share_of_the_chunks_is_learnt_from(share: float, cache: ClipCache, recipe: Recipe, monkeypatch) -> None:
    recipe = of_architecture(recipe, "bottleneck")
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, chunk_share=share))
    objective = objective_for(fresh(recipe, cache).network, recipe, bf16=False)
    assert isinstance(objective.network, Autoencoder)
    seen: list[torch.Tensor] = []
    body = objective.network.body
    monkeypatch.setattr(objective.network, "body", lambda chunks, first: (seen.append(chunks), body(chunks, first))[1])
    batch = make_batch(cache, cache.clips, recipe, 0, 2)
    terms = objective(batch).terms
    frames = objective.network.domain.frames(batch.low.shape[-1])
    assert len(seen[0]) == round(share * 2 * objective.network.chunk_count(frames))
    assert float(terms["content"].detach()) > 0


@pytest.mark.parametrize("architecture", ["dnn", "cnn", "stft-gan", "restore"])
def test_nothing_is_learnt_above_the_bandwidth(architecture: str, cache: ClipCache, recipe: Recipe) -> None:
    """Whatever an original has above its bandwidth, the loss is the same; below, it is not."""
    recipe = of_architecture(recipe, architecture)
    objective = objective_for(fresh(recipe, cache).network.eval(), recipe, bf16=False)
    batch = make_batch(cache, cache.clips, recipe, 0, 4)
    batch = dataclasses.replace(batch, bandwidth_hz=torch.full((4,), 6000.0))

    def loss(added_hz: float) -> float:
        tone = 0.01 * torch.sin(2 * math.pi * added_hz / RATE * torch.arange(batch.full.shape[-1]))
        with torch.no_grad():
            terms = objective(dataclasses.replace(batch, full=batch.full + tone)).terms
        return float(torch.stack(list(terms.values())).sum())

    assert loss(7500.0) == pytest.approx(loss(7000.0), rel=2e-3)
    assert loss(5000.0) != pytest.approx(loss(7000.0), rel=1e-2)


def session(recipe: Recipe, folder: Path, tmp_path: Path, resume: bool = False) -> Session:
    return Session(
        recipe, folder, tmp_path / "run", tmp_path / "cache", Limits(recipe.steps), silent_restore, resume=resume,
        note=lambda text: None,
    )  # fmt: skip


def test_session_writes_a_model_and_its_curve(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    card = run(session(recipe, folder, tmp_path))
    network = load_checkpoint(tmp_path / "run")
    assert card.training["steps"] == recipe.steps
    assert network.ratio == 2
    curve = (tmp_path / "run" / "training" / "validation.csv").read_text().splitlines()
    assert len({line.split(",")[2] for line in curve[1:]}) == 4  # three baselines and the network


@pytest.mark.parametrize("keep", ["best", "last"])
def test_what_is_kept(recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str) -> None:
    monkeypatch.setattr("musr_cli.training.session.CHECKPOINT_EVERY_S", 0.0)
    # a figure that grows from checkpoint to checkpoint
    figures = iter(range(100))
    monkeypatch.setattr("musr_cli.training.validation.Validator.measure", lambda *arguments: float(next(figures)))
    card = run(session(dataclasses.replace(recipe, keep=keep), folder, tmp_path))
    assert card.training["steps"] == (1 if keep == "best" else recipe.steps)


def test_session_does_not_run_over_another(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    run(session(recipe, folder, tmp_path))
    with pytest.raises(UsageError, match="--resume"):
        run(session(recipe, folder, tmp_path))
    assert run(session(recipe, folder, tmp_path, resume=True)).name == recipe.name


_TWO = """
import sys, torch
from pathlib import Path
from musr_cli.training.recipe import read_recipe
from musr_cli.training.session import Session, run
from musr_cli.training.loop import Limits
torch.set_num_threads(1)
recipe, data, out, cache = map(Path, sys.argv[1:])
recipe = read_recipe(recipe)
restore = lambda model, x, rate, cutoff_hz: x
run(Session(recipe, data, out, cache, Limits(recipe.steps), restore, note=lambda text: None))
"""


def test_two_processes_train_one_model(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    """Under torchrun both processes end with the same weights, and only the first one writes."""
    toml, script = tmp_path / "recipe.toml", tmp_path / "two.py"
    toml.write_text(tomli_w.dumps(json.loads(json.dumps(recipe_values(dataclasses.replace(recipe, steps=4))))))
    script.write_text(_TWO)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script),
        str(toml), str(folder), str(tmp_path / "run"), str(tmp_path / "cache"),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    weights: dict[str, Tensor] = load_checkpoint(tmp_path / "run").state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_build(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    if recipe.architecture == "envelope":
        return
    with torch.device("meta"):
        network = build(recipe.architecture, dict(recipe.network))
    if not isinstance(network, Network):
        return
    assert recipe.data.sample_rate in network.sample_rates or not network.sample_rates
    if network.ratio:
        assert recipe.degradation.cutoff_hz[1] == recipe.data.sample_rate / 2 / network.ratio
    assert network.cutoffs_hz in {(), recipe.degradation.cutoff_hz}


@pytest.mark.parametrize(
    "text",
    [
        "name = ",
        'name = "x"',
        'name = "x"\nfamly = "y"',
        "[data]\nrate = 3",
        'keep = "first"',
        '[loss]\nform = "wassertein"',
    ],
)
def test_unusable_recipes_are_said(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        read_recipe(path)
    assert "\n" not in str(error.value)
    assert "broken.toml" in str(error.value)
