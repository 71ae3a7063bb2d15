"""The copied-up texture: steps that keep phases running, whiteness, silence, level."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from musr_models.contract import Band
from musr_models.texture import CONTEXT_FRAMES, SOURCE_TOP, copy_up, patch_source, smooth_bins, texture_stft, whiten
from musr_models.transforms import Stft
from tests.conftest import Music

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000]
BAND = Band(44100, 8000)
STFT = texture_stft(44100)


def spectrum(music: Music, band: Band, seconds: float = 1.0) -> Tensor:
    x = torch.from_numpy(music(band.sample_rate, seconds, 2, 0, band.cutoff_hz))[None]
    return texture_stft(band.sample_rate).analyse(x)


@pytest.mark.parametrize("sample_rate", RATES)
def test_frames_last_as_long_at_every_rate(sample_rate: int) -> None:
    stft = texture_stft(sample_rate)
    assert stft.n_fft == 4 * stft.hop
    assert stft.n_fft / sample_rate == pytest.approx(0.0445, rel=0.1)


def test_frames_at_the_common_rates() -> None:
    assert texture_stft(44100) == texture_stft(48000) == Stft(2048, 512)


@given(rate=st.sampled_from(RATES), part=st.floats(0.02, 1.0), overlap=st.sampled_from([2, 4, 8]))
def test_steps_keep_phases_running(rate: int, part: float, overlap: int) -> None:
    n_fft = texture_stft(rate).n_fft
    stft = Stft(n_fft, n_fft // overlap)
    cutoff_bin = Band(rate, part * rate / 2).cutoff_bin(stft)
    source = patch_source(stft, cutoff_bin)
    steps = torch.arange(stft.bins) - source
    assert len(source) == stft.bins
    assert 0 <= int(source.min())
    assert int(source.max()) < cutoff_bin
    assert bool((steps % overlap == 0).all() or cutoff_bin <= 2 * overlap)
    assert bool((steps[: int(SOURCE_TOP * cutoff_bin)] == 0).all())


def test_a_copied_tone_goes_on_like_a_tone() -> None:
    hz = 6000.0
    tone = torch.sin(2 * math.pi * hz / 44100 * torch.arange(44100, dtype=torch.float64)).float()
    texture = copy_up(STFT.analyse(tone[None, None]), STFT, BAND)[0, 0, :, 10:70]
    loudest = texture.abs().square().mean(dim=-1)
    source = patch_source(STFT, BAND.cutoff_bin(STFT))
    copies = (source == round(hz * 2048 / 44100)).nonzero().flatten()
    assert len(copies) >= 4
    for copy in copies.tolist():
        copied_hz = hz + (copy - int(source[copy])) * 44100 / 2048
        turn = torch.exp(torch.tensor(2j * math.pi * copied_hz * STFT.hop / 44100))
        advance = texture[copy, 1:] / texture[copy, :-1]
        assert float((advance - turn).abs().max()) < 0.01
        assert float(loudest[copy]) == pytest.approx(float(loudest[source[copy]]))


@pytest.mark.parametrize("band", [Band(44100, 2000), Band(44100, 11025), Band(48000, 20000), Band(16000, 4000)])
def test_mean_log_power_is_zero(band: Band, music: Music) -> None:
    stft = texture_stft(band.sample_rate)
    noise = stft.analyse(torch.randn(1, 1, band.sample_rate, generator=torch.Generator().manual_seed(0)))
    sloped = noise * torch.linspace(1, 1e-3, stft.bins)[:, None]
    for x in (noise, sloped, spectrum(music, band)):
        log_power = torch.log10(copy_up(x, stft, band).abs().square() + 1e-6)[..., 4:-4]
        assert float(log_power[..., band.cutoff_bin(stft) :, :].mean()) == pytest.approx(0, abs=0.12)
    log_power = torch.log10(copy_up(sloped, stft, band).abs().square() + 1e-6)[..., 4:-4]
    assert float(log_power.mean(dim=-1).std()) < 0.15  # the slope is gone


def test_music_keeps_its_spread(music: Music) -> None:
    """Whitening must not make noise of tones: the log spectrum of music varies more than that of noise (0.56)."""
    log_power = torch.log10(whiten(spectrum(music, Band(44100, 22050)), STFT, 44100).abs().square() + 1e-6)
    assert float(log_power[..., 50:400, 5:-5].std()) > 0.6


def test_level_does_not_matter(music: Music) -> None:
    x = spectrum(music, BAND)
    assert torch.equal(copy_up(x * 2.0**-15, STFT, BAND), copy_up(x, STFT, BAND))
    torch.testing.assert_close(copy_up(0.1 * x, STFT, BAND), copy_up(x, STFT, BAND), rtol=1e-3, atol=1e-4)


def test_silence_stays_silent(music: Music) -> None:
    x = spectrum(music, BAND)
    x[..., 30:50] = 0
    texture = copy_up(x, STFT, BAND)
    assert torch.isfinite(texture.abs()).all()
    assert not texture[..., 30:50].any()
    assert texture[..., 20:30].any()
    assert not copy_up(torch.zeros_like(x), STFT, BAND).any()


def test_what_lies_above_the_edge_is_not_looked_at(music: Music) -> None:
    x = spectrum(music, BAND)
    other = x.clone()
    other[..., BAND.cutoff_bin(STFT) :, :] = 7
    assert torch.equal(copy_up(x, STFT, BAND), copy_up(other, STFT, BAND))


def test_a_frame_depends_on_its_context_only(music: Music) -> None:
    x = spectrum(music, BAND)
    part = copy_up(x[..., 20 - CONTEXT_FRAMES : 30 + CONTEXT_FRAMES], STFT, BAND)
    part = part[..., CONTEXT_FRAMES:-CONTEXT_FRAMES]
    torch.testing.assert_close(part, copy_up(x, STFT, BAND)[..., 20:30], rtol=1e-5, atol=1e-6)


def test_differentiable_at_silence(music: Music) -> None:
    x = spectrum(music, BAND)
    x[..., 30:50] = 0
    x.requires_grad_()
    copy_up(x, STFT, BAND).abs().square().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(torch.view_as_real(x.grad)).all()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("half_width", [1, 2, 5, 8])
def test_smoothing_is_a_triangle(half_width: int) -> None:
    impulse = torch.zeros(1, 1, 41, 1)
    impulse[..., 20, :] = 1
    kernel = smooth_bins(impulse, half_width)[0, 0, :, 0]
    box = half_width | 1
    expected = (box - (torch.arange(41) - 20).abs()).clamp_min(0) / box**2
    torch.testing.assert_close(kernel, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(smooth_bins(torch.ones(1, 1, 9, 2), half_width), torch.ones(1, 1, 9, 2))
