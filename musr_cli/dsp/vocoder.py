"""Time-domain phase repair (Zhang et al. 2024, 3.1): magnitudes stay, phases are those that a vocoder gives them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from musr_cli.dsp.phase import Flip, Observed, PhaseSource, unit_phasors
from musr_models import registry
from musr_models.contract import Band, ModelError
from musr_models.tfgan import TfGan
from musr_models.transforms import Stft, Transform

ARCHITECTURE = "tfgan"


@dataclass(frozen=True)
class VocoderPhase(PhaseSource):
    """The phases of a vocoder that is given the magnitudes of the whole band, known and estimated.

    As published, the phases of the known band are replaced as well: `replaces_all`. Without it only what is missing
    gets new phases, and the given band stays as it is.
    """

    replaces_all: bool = False

    def refuse(self, transform: Transform, band: Band) -> str | None:
        """See `PhaseSource.refuse`."""
        rates = [rate for card in registry.cards() if card.architecture == ARCHITECTURE for rate in card.sample_rates]
        if band.sample_rate not in rates:
            covered = ", ".join(map(str, rates))
            return f"the vocoder works at {covered} Hz, this model makes its band at {band.sample_rate} Hz"
        return super().refuse(transform, band)

    def transform(self, band: Band) -> Stft:
        """That of the vocoder, so that it is given the very magnitudes of the network."""
        return find_vocoder(band.sample_rate).config.stft

    def context(self, transform: Transform, band: Band) -> int:
        """What the vocoder hears, and the windows before and after it."""
        return find_vocoder(band.sample_rate).context + 2 * transform.reach

    def align(self, band: Band) -> int:
        """The vocoder's hop: its frames lie on an absolute grid."""
        return self.transform(band).hop

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        vocoder = find_vocoder(observed.band.sample_rate).to(magnitude.device)
        known = observed.spectrum[..., : observed.low, :].abs()
        whole = _in_transform(torch.cat([known, magnitude], dim=-2), observed, vocoder.config.stft)
        signal = vocoder.resynthesise(whole.flatten(0, -3), observed.signal.shape[-1]).reshape(observed.signal.shape)
        return magnitude * unit_phasors(observed.stft.analyse(signal)[..., observed.low :, :])


def _in_transform(magnitude: Tensor, observed: Observed, stft: Stft) -> Tensor:
    """Magnitudes [B, C, F, N] in another transform, by way of a signal: the input's phases, mirrored above its edge."""
    if stft == observed.stft:
        return magnitude
    edge = observed.mirror + 1
    known = magnitude[..., :edge, :] * unit_phasors(observed.spectrum[..., :edge, :])
    mirrored = Flip().apply(magnitude[..., edge:, :], replace(observed, low=edge))
    signal = observed.stft.synthesise(torch.cat([known, mirrored], dim=-2), observed.signal.shape[-1])
    return stft.analyse(signal).abs()


def find_vocoder(sample_rate: int) -> TfGan:
    """The shipped vocoder for a rate in Hz.

    Raises:
        ModelError: there is none.
    """
    card = registry.find_aid(ARCHITECTURE, sample_rate)
    if card is None:
        raise ModelError(f"no vocoder for {sample_rate} Hz; reinstall musr, or use another --phase")
    vocoder: TfGan = registry.load_card(card)
    return vocoder
