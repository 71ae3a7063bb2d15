"""Holes: what is filled, what is left alone, and phases that fit together."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from musr_models.holes import GATE, KeyedPhases, beyond, random_phases, unit_texture
from musr_models.transforms import Stft, power

FRAMES = 33


def noise(channels: int = 1, bins: int = 200, frames: int = 120, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.complex(*torch.randn(2, channels, bins, frames, generator=generator))


@settings(deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(0, 2 * math.pi))
def test_cells_that_hold_sound_get_nothing(level: float, angle: float) -> None:
    estimate = torch.polar(torch.tensor([[level]]), torch.tensor([[angle]]))
    for held in (1.0, 0.9, 1.01 / math.sqrt(GATE)):
        assert not beyond(estimate, held * estimate.conj()).any()


@settings(deadline=None)
@given(st.floats(1e-6, 1e6))
def test_empty_cells_get_the_estimate(level: float) -> None:
    estimate = level * noise()
    filled = beyond(estimate, torch.zeros_like(estimate))
    # the soft gate costs less than a tenth of a decibel
    torch.testing.assert_close(filled, estimate, rtol=0.011, atol=0)


def test_what_is_added_falls_steadily_as_a_cell_holds_more() -> None:
    estimate = torch.ones(1, 1, 101, dtype=torch.complex64)
    held = torch.linspace(0, 1, 101).to(torch.complex64)[None, None]
    added = beyond(estimate, held).abs().flatten()
    assert bool((added.diff() <= 0).all())


def test_the_gradient_is_finite_everywhere() -> None:
    estimate = noise().requires_grad_()
    x = noise(seed=1)
    x[..., :50, :], x[..., 50:100, :] = 0, estimate[..., 50:100, :].detach()
    beyond(estimate, x).abs().sum().backward()
    assert estimate.grad is not None
    assert bool(torch.isfinite(torch.view_as_real(estimate.grad)).all())


def test_phases_depend_on_the_absolute_frame_alone() -> None:
    x = noise()
    whole, later = KeyedPhases(1000)(x, FRAMES), KeyedPhases(1030)(x[..., 30:], FRAMES)
    assert torch.equal(whole[..., 30:], later)


def test_phases_are_spread_evenly_and_unrelated_to_their_neighbours() -> None:
    angles = KeyedPhases(12345)(noise(bins=1025, frames=500), FRAMES)[0]
    assert abs(angles.mean()) < 0.01
    assert abs((angles[1:] * angles[:-1].conj()).mean()) < 0.01
    assert abs((angles[:, 1:] * angles[:, :-1].conj()).mean()) < 0.01


@pytest.mark.parametrize("phases", [KeyedPhases(0), random_phases], ids=["keyed", "random"])
def test_one_channel_has_unit_magnitude(phases: KeyedPhases) -> None:
    torch.testing.assert_close(phases(noise(), FRAMES).abs(), torch.ones(1, 200, 120))


def test_identical_channels_stay_identical() -> None:
    x = noise().expand(2, -1, -1)
    left, right = KeyedPhases(0)(x, FRAMES)
    torch.testing.assert_close(left, right, rtol=0, atol=2e-3)


def test_a_panned_source_keeps_its_place() -> None:
    x = torch.cat([noise(), 0.3 * noise()])
    left, right = KeyedPhases(0)(x, FRAMES)
    torch.testing.assert_close(right, 0.3 * left, rtol=0, atol=2e-3)


def test_unrelated_channels_stay_unrelated() -> None:
    x = torch.cat([noise(seed=1, bins=1000), noise(seed=2, bins=1000)])
    left, right = KeyedPhases(0)(x, FRAMES)
    assert abs((left * right.conj()).mean()) < 0.1


def test_opposite_channels_stay_opposite() -> None:
    x = torch.cat([noise(), -noise()])
    left, right = KeyedPhases(0)(x, FRAMES)
    torch.testing.assert_close(left, -right, rtol=0, atol=2e-3)


def test_the_mean_power_of_channels_is_one() -> None:
    x = torch.cat([noise(seed=1), 0.2 * noise(seed=2)])
    made = KeyedPhases(0)(x, FRAMES)
    assert float(power(made).mean(dim=0).mean()) == pytest.approx(1.0, abs=0.1)


def test_a_silent_channel_stays_silent() -> None:
    x = torch.cat([noise(), torch.zeros(1, 200, 120)])
    assert not KeyedPhases(0)(x, FRAMES)[1].any()


def test_small_sounds_beside_loud_ones_are_compared_exactly() -> None:
    """Powers that lie 120 dB apart in one spectrum: no difference of sums may take part."""
    x = noise(2)
    x[:, :16] *= 1e6
    made = unit_texture(x, FRAMES, lambda source: torch.zeros(x.shape[-2:]))
    assert float(made.abs().max()) < 2


def test_more_than_two_channels_share_their_phases() -> None:
    made = KeyedPhases(0)(noise(3), FRAMES)
    assert made.shape == (3, 200, 120)
    torch.testing.assert_close(made[0] / made[0].abs(), made[2] / made[2].abs())


def test_synthesis_takes_part_of_the_power_of_random_phases() -> None:
    """Random phases do not fit together: the inverse STFT takes some of their power, which training makes up for."""
    stft = Stft(2048, 512)
    made = KeyedPhases(0)(noise(bins=stft.bins, frames=200), FRAMES)
    x = stft.synthesise(made[None], 199 * stft.hop)
    again = power(stft.analyse(x))[..., 5:-5, 5:-5].mean()
    assert 0.2 < float(again) < 1.0
