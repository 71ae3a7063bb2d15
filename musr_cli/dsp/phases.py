"""Every phase source by the name that `--phase` takes."""

from __future__ import annotations

from musr_cli.dsp.phase import BandLimited, Flip, FlipConjugate, GriffinLim, PhaseSource, Random
from musr_cli.dsp.vocoder import VocoderPhase

NATIVE = "native"
"""The network brings its own phase, as waveform and complex networks do: no source is asked."""

PHASES: dict[str, PhaseSource] = {
    "flip": Flip(),
    "flip-conjugate": FlipConjugate(),
    "band-limited": BandLimited(),
    "random": Random(),
    "griffin-lim": GriffinLim(),
    "vocoder": VocoderPhase(),
    "vocoder-full": VocoderPhase(replaces_all=True),
}
"""All others."""
