"""Round trips through the lossy encoders of libsndfile, in memory: what a file has been through before musr sees it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import resample
from musr_cli.errors import MusrError

_LAME_DELAY = 576 + 529
"""Samples by which encoder and decoder delay a stream that is too small for LAME's gapless tag."""

_VORBIS_KBPS = (64.0, 80.0, 96.0, 112.0, 128.0, 160.0, 192.0, 224.0, 256.0, 320.0, 500.0)
"""Nominal bitrates of Vorbis qualities 0 to 10, for 44.1 kHz stereo (libvorbis)."""

_CHANNELS_AT_ONCE = 2
_HIGHEST_LEVEL = 0.999


def _mp3_level(bitrate_kbps: float, sample_rate: int, channels: int) -> float:
    """libsndfile spreads its levels over the bitrates of MPEG-1, MPEG-2 or MPEG-2.5 Layer III."""
    del channels
    lowest, highest = (32, 320) if sample_rate >= 32000 else (8, 160) if sample_rate >= 16000 else (8, 64)
    return (highest - bitrate_kbps) / (highest - lowest)


def _vorbis_level(bitrate_kbps: float, sample_rate: int, channels: int) -> float:
    del sample_rate, channels
    return 1 - float(np.interp(bitrate_kbps, _VORBIS_KBPS, np.linspace(0, 1, len(_VORBIS_KBPS))))


def _opus_level(bitrate_kbps: float, sample_rate: int, channels: int) -> float:
    """libsndfile spreads its levels over 6 to 256 kbit/s for each channel."""
    del sample_rate
    return (256 - bitrate_kbps / channels) / 250


@dataclass(frozen=True)
class Codec:
    """One lossy format: libsndfile's names, the rates it encodes, and its compression level for a bitrate in kbit/s."""

    container: str
    subtype: str
    sample_rates: tuple[int, ...]
    level: Callable[[float, int, int], float]

    def rate_for(self, sample_rate: int) -> int:
        """The lowest rate of the codec that keeps the whole band of `sample_rate`; its highest where none does."""
        if not self.sample_rates:
            return sample_rate
        return min((rate for rate in self.sample_rates if rate >= sample_rate), default=max(self.sample_rates))


CODECS = {
    "mp3": Codec("MP3", "MPEG_LAYER_III", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000), _mp3_level),
    "vorbis": Codec("OGG", "VORBIS", (), _vorbis_level),
    "opus": Codec("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000), _opus_level),
}


def round_trip(x: NDArray[np.float32], sample_rate: int, name: str, bitrate_kbps: float) -> NDArray[np.float32]:
    """Encode and decode [C, T]: the same length, without delay.

    Args:
        x: [C, T] float32; more than two channels are coded in pairs.
        sample_rate: in Hz; where the codec lacks it, the signal goes through the next one that it has.
        name: "mp3", "vorbis" or "opus".
        bitrate_kbps: for the pair of channels; constant for MP3, a target for Opus, nominal for Vorbis.

    Raises:
        MusrError: where this build of libsndfile cannot write the format.
    """
    codec = CODECS[name]
    rate = codec.rate_for(sample_rate)
    y = resample(x, sample_rate, rate)
    pairs = [y[first : first + _CHANNELS_AT_ONCE] for first in range(0, len(y), _CHANNELS_AT_ONCE)]
    coded = np.concatenate([_code(pair, rate, codec, bitrate_kbps) for pair in pairs])
    return resample(coded, rate, sample_rate)[:, : x.shape[-1]]


def _code(x: NDArray[np.float32], sample_rate: int, codec: Codec, bitrate_kbps: float) -> NDArray[np.float32]:
    import soundfile

    level = min(max(codec.level(bitrate_kbps, sample_rate, len(x)), 0.0), _HIGHEST_LEVEL)
    mode = {"bitrate_mode": "CONSTANT"} if codec.container == "MP3" else {}
    stream = io.BytesIO()
    try:
        soundfile.write(
            stream, x.T, sample_rate, codec.subtype, format=codec.container, compression_level=level, **mode
        )
        stream.seek(0)
        y = soundfile.read(stream, dtype="float32", always_2d=True)[0].T
    except soundfile.SoundFileError as error:
        raise MusrError(f"libsndfile cannot encode {codec.subtype} at {sample_rate} Hz: {error}") from error
    return _aligned(y, x.shape[-1])


def _aligned(y: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Cut the delay of a stream without gapless tag (only such a one comes back longer), and pad what is missing."""
    if y.shape[-1] > samples:
        y = y[:, _LAME_DELAY:]
    y = y[:, :samples]
    return np.pad(y, ((0, 0), (0, samples - y.shape[-1])))
