"""Phase repair, with a vocoder that cannot err: what is left to test is everything around it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from musr_cli.dsp import vocoder
from musr_cli.dsp.blend import Blender
from musr_cli.dsp.phase import Observed
from musr_cli.dsp.vocoder import VocoderPhase
from musr_cli.engine.highband import HighBand
from musr_models.contract import Band, Network, Output
from musr_models.tfgan import TfGanConfig
from musr_models.transforms import Stft

RATE = 16000
EDGE = Band(RATE, 4000.0)
VOCODERS_OWN = Stft(1024, 256)


class Oracle(nn.Module):
    """Knows the signal that it is asked to make."""

    config = TfGanConfig()
    context = 0

    def __init__(self, truth: Tensor) -> None:
        super().__init__()
        self.truth = truth

    def resynthesise(self, magnitude: Tensor, samples: int) -> Tensor:
        assert magnitude.shape[-2] == VOCODERS_OWN.bins
        return self.truth[..., :samples].flatten(0, -2)


class Magnitudes(Network):
    """Gives the right magnitudes, in the vocoder's transform."""

    output = Output.MAGNITUDE

    def __init__(self, truth: Tensor) -> None:
        super().__init__()
        self.truth = truth

    def transform(self, band: Band) -> Stft:
        return VOCODERS_OWN

    def context(self, band: Band) -> int:
        return VOCODERS_OWN.n_fft

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        return VOCODERS_OWN.analyse(self.truth).abs()


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> Tensor:
    signal = 0.1 * torch.randn(1, 1, 64 * 256, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(vocoder, "find_vocoder", lambda sample_rate: Oracle(signal))
    return signal


def lowpassed(x: Tensor) -> Tensor:
    spectrum = torch.fft.rfft(x)
    spectrum[..., spectrum.shape[-1] // 2 :] = 0
    return torch.fft.irfft(spectrum, x.shape[-1])


@pytest.mark.parametrize("stft", [VOCODERS_OWN, Stft(512, 256, "hamming"), Stft(640, 320)])
@pytest.mark.parametrize("is_full", [False, True])
def test_phases_are_the_vocoders(truth: Tensor, stft: Stft, is_full: bool) -> None:
    low, wanted = lowpassed(truth), stft.analyse(truth)
    first = 0 if is_full else EDGE.cutoff_bin(stft)
    observed = Observed(low, stft.analyse(low), EDGE, stft, first, first=0, seed=0)
    phased = VocoderPhase(is_full).apply(wanted[..., first:, :].abs(), observed)
    torch.testing.assert_close(phased, wanted[..., first:, :], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("is_full", [False, True])
def test_the_given_band_is_touched_by_the_published_form_only(truth: Tensor, is_full: bool) -> None:
    low = lowpassed(truth)
    restorer = HighBand(Magnitudes(truth), EDGE, Blender(RATE, 3900.0, 4000.0), VocoderPhase(is_full))
    # a signal that is delayed by a little has the right magnitudes at the wrong phases
    added = torch.from_numpy(restorer(low.roll(3, -1)[0].numpy(), 0))
    given = torch.fft.rfft(added)[..., : int(0.2 * added.shape[-1])].abs().square().sum()
    whole = torch.fft.rfft(low[0])[..., : int(0.2 * added.shape[-1])].abs().square().sum()
    assert (10 * torch.log10(given / whole) > -20) == is_full
    if not is_full:
        assert 10 * torch.log10(given / whole) < -50


def test_rates_without_a_vocoder_are_refused() -> None:
    reason = VocoderPhase().refuse(Stft(1408, 704), Band(44100, 8000.0))
    assert reason is not None
    assert "44100 Hz" in reason
    assert "\n" not in reason
