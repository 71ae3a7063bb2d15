"""The autoencoders of Miron & Davies 2018: sizes as published, chunks that join, and what both channels promise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from musr_cli.training.recipe import read_recipe
from musr_models.autoencoder import FRAMES, TRANSFORMS, Autoencoder
from musr_models.checkpoint import build
from musr_models.contract import Band
from musr_models.cqt import Cqt
from musr_models.transforms import TOP_HZ

RATE = 44100
EDGE = Band(RATE, 3500.0)
FORMS = [(form, transform) for form in ("bottleneck", "stride2") for transform in TRANSFORMS]
every_form = pytest.mark.parametrize(("form", "transform"), FORMS)


def small(form: str, transform: str, **config: Any) -> Autoencoder:
    torch.manual_seed(0)
    network = build(form, {"transform": transform, "filters": 6, "hidden": 12, **config})
    assert isinstance(network, Autoencoder)
    # fresh networks estimate less than nothing
    for last in ("conv1_inverse.bias", "inverses.5.bias"):
        if last in (biases := dict(network.named_parameters())):
            biases[last].data += 0.3
    return network.eval()


def noise(samples: int, channels: int = 2) -> Tensor:
    return 0.1 * torch.randn(1, channels, samples, generator=torch.Generator().manual_seed(1))


def band_limited(network: Autoencoder, x: Tensor) -> Tensor:
    spectrum = network.domain.analyse(x)
    spectrum[..., EDGE.cutoff_bin(network.domain) :, :] *= 1e-3
    return spectrum


@every_form
def test_published_sizes(form: str, transform: str) -> None:
    """4.1.2: 1.8 million parameters with N = 175 and N = 40."""
    name = f"{transform}-{form}-paper"
    recipe = read_recipe(name)
    assert recipe.network["filters"] == {"bottleneck": 175, "stride2": 40}[form]
    with torch.device("meta"):
        network = build(recipe.architecture, recipe.network)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(1.8e6, rel=0.02)


@every_form
@pytest.mark.parametrize("samples", [1, 5000, 100_000])
def test_chunks_join_to_what_they_were_cut_from(form: str, transform: str, samples: int) -> None:
    network = small(form, transform)
    magnitude = network.domain.analyse(noise(samples)).abs()
    chunks = network.chunks(magnitude)
    assert chunks.shape[1:] == (2, network.domain.bins, FRAMES)
    joined = network.join(chunks, magnitude.shape[-1])
    if isinstance(network.domain, Cqt):
        # what slices fade out is not kept
        joined, magnitude = (x.unflatten(-1, (-1, network.domain.frames_per_slice)) for x in (joined, magnitude))
        joined, magnitude = (x[..., 128:892] for x in (joined, magnitude))
    torch.testing.assert_close(joined, magnitude)


@every_form
@pytest.mark.parametrize("first", [1, 77, 335, 463])
def test_rows_above_the_edge_are_those_of_all(form: str, transform: str, first: int) -> None:
    network = small(form, transform)
    chunks = torch.rand(3, 2, network.domain.bins, FRAMES)
    torch.testing.assert_close(network.body(chunks, first), network.body(chunks, 0)[:, :, first:], rtol=1e-4, atol=1e-5)


@every_form
def test_mono_is_a_pair_of_equal_channels(form: str, transform: str) -> None:
    network = small(form, transform)
    mono = band_limited(network, noise(30_000, 1))
    alone, pair = network(mono, EDGE), network(mono.repeat(1, 2, 1, 1), EDGE)
    assert torch.equal(pair[:, 0], pair[:, 1])
    assert torch.equal(alone[:, 0], pair[:, 0])


@every_form
def test_exchanged_channels_come_out_exchanged(form: str, transform: str) -> None:
    network = small(form, transform)
    spectrum = band_limited(network, noise(30_000))
    torch.testing.assert_close(network(spectrum.flip(1), EDGE), network(spectrum, EDGE).flip(1))


@every_form
def test_no_frame_is_louder_above_than_below(form: str, transform: str) -> None:
    network = small(form, transform)
    network.scale += 30  # estimates far too loud
    spectrum = band_limited(network, noise(80_000))
    estimate = network(spectrum, EDGE)
    assert estimate.max() > 0
    # frames fade between chunks, all of which keep to the limit
    assert (estimate.amax(dim=-2) <= spectrum.abs().amax(dim=-2) * (1 + 1e-5)).all()


@every_form
def test_a_masked_network_does_not_see_what_a_slope_leaves(form: str, transform: str) -> None:
    spectrum = band_limited(small(form, transform), noise(30_000))
    without = spectrum.clone()
    without[..., EDGE.cutoff_bin(TRANSFORMS[transform]) :, :] = 0
    for is_masked in (False, True):
        network = small(form, transform, is_masked=is_masked)
        assert torch.equal(network(spectrum, EDGE), network(without, EDGE)) == is_masked


@every_form
def test_networks_for_any_edge_end_where_music_to_learn_from_does(form: str, transform: str) -> None:
    for is_masked in (True, False):
        network = small(form, transform, is_masked=is_masked)
        with torch.no_grad():
            made = network(band_limited(network, noise(60_000)), EDGE)
        top = network.domain.first_above(TOP_HZ[1], RATE)
        assert bool(made[..., top:, :].any()) != is_masked
        assert made[..., top - 60 : top - 40, :].any()


@every_form
def test_an_edge_above_everything_leaves_nothing_to_do(form: str, transform: str) -> None:
    network = small(form, transform)
    assert not network(network.domain.analyse(noise(5000)), Band(RATE, 22050.0)).any()
