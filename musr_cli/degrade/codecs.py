"""Round trips through the lossy encoders of libsndfile, in memory: what a file has been through before musr sees it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from musr_cli.audio.libsndfile import ForwardFile
from musr_cli.audio.resampling import StreamResampler
from musr_cli.errors import MusrError

_LAME_DELAY = 576 + 529
"""Samples by which encoder and decoder delay a stream that is too small for LAME's gapless tag."""

_VORBIS_KBPS = (64.0, 80.0, 96.0, 112.0, 128.0, 160.0, 192.0, 224.0, 256.0, 320.0, 500.0)
"""Nominal bitrates of Vorbis qualities 0 to 10, for 44.1 kHz stereo (libvorbis)."""

_HIGHEST_LEVEL = 0.999
_PAIR = 2
_BLOCK_SAMPLES = 1 << 16

Samples = NDArray[np.float32]


def _mp3_level(bitrate_kbps: float, sample_rate: int) -> float:
    """libsndfile spreads its levels over the bitrates of MPEG-1, MPEG-2 or MPEG-2.5 Layer III."""
    lowest, highest = (32, 320) if sample_rate >= 32000 else (8, 160) if sample_rate >= 16000 else (8, 64)
    return (highest - bitrate_kbps) / (highest - lowest)


def _vorbis_level(bitrate_kbps: float, sample_rate: int) -> float:
    del sample_rate
    return 1 - float(np.interp(bitrate_kbps, _VORBIS_KBPS, np.linspace(0, 1, len(_VORBIS_KBPS))))


def _opus_level(bitrate_kbps: float, sample_rate: int) -> float:
    """libsndfile spreads its levels over 6 to 256 kbit/s for each channel."""
    del sample_rate
    return (256 - bitrate_kbps / _PAIR) / 250


@dataclass(frozen=True)
class Codec:
    """One lossy format: libsndfile's names, the rates it encodes, and its compression level for a bitrate in kbit/s."""

    container: str
    subtype: str
    sample_rates: tuple[int, ...]
    level: Callable[[float, int], float]

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


def round_trip(x: Samples, sample_rate: int, name: str, bitrate_kbps: float) -> Samples:
    """Encode and decode [C, T] float32: the same length, without delay; see `code_blocks`."""
    return np.concatenate(list(code_blocks([x], sample_rate, len(x), name, bitrate_kbps)), axis=-1)


def code_blocks(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, channels: int, name: str, bitrate_kbps: float
) -> Iterator[Samples]:
    """Encode a whole signal, then decode it block by block; only the coded signal is kept in memory.

    Args:
        blocks: [C, n].
        sample_rate: in Hz; where the codec lacks it, the signal goes through the next higher one that it has.
        channels: how many; they are coded in pairs, one that is left over as a pair of equal ones.
        name: "mp3", "vorbis" or "opus".
        bitrate_kbps: for two channels; constant for MP3, a target for Opus, nominal for Vorbis.

    Raises:
        MusrError: where this build of libsndfile cannot write the format.
    """
    codec = CODECS[name]
    rate = codec.rate_for(sample_rate)
    there = StreamResampler(sample_rate, rate, channels)
    back = StreamResampler(rate, sample_rate, channels)
    streams = [_Stream(codec, rate, bitrate_kbps) for _ in range(0, channels, _PAIR)]
    samples = 0
    for block in blocks:
        samples += block.shape[-1]
        _write(streams, there.push(block.astype(np.float32)))
    _write(streams, there.finish())
    for decoded in zip(*(stream.decoded() for stream in streams), strict=True):
        y = back.push(np.concatenate(decoded)[:channels])[:, :samples]
        samples -= y.shape[-1]
        yield y
    yield back.finish()[:, :samples]


class _Stream:
    """Two channels on their way through a codec, in memory."""

    def __init__(self, codec: Codec, sample_rate: int, bitrate_kbps: float) -> None:
        level = min(max(codec.level(bitrate_kbps, sample_rate), 0.0), _HIGHEST_LEVEL)
        mode = {"bitrate_mode": "CONSTANT"} if codec.container == "MP3" else {}
        self._bytes, self._samples = io.BytesIO(), 0
        try:
            self._encoder = ForwardFile(
                self._bytes, "w", samplerate=sample_rate, channels=_PAIR, subtype=codec.subtype,
                format=codec.container, compression_level=level, **mode,
            )  # fmt: skip
        except soundfile.SoundFileError as error:
            raise MusrError(f"libsndfile cannot encode {codec.subtype} at {sample_rate} Hz: {error}") from error

    def write(self, x: Samples) -> None:
        """Encode [1 or 2, n]."""
        self._encoder.write_frames(np.broadcast_to(x, (_PAIR, x.shape[-1])).T)
        self._samples += x.shape[-1]

    def decoded(self) -> Iterator[Samples]:
        """What comes out, in blocks of equal length (the last is shorter): as many samples as were written."""
        self._encoder.close()
        if not self._samples:
            return
        self._bytes.seek(0)
        with ForwardFile(self._bytes) as decoder:
            # only a stream without gapless tag comes back longer
            decoder.read_into(self._silence(_LAME_DELAY if decoder.frames > self._samples else 0))
            for first in range(0, self._samples, _BLOCK_SAMPLES):
                block = self._silence(min(_BLOCK_SAMPLES, self._samples - first))
                decoder.read_into(block)
                yield block.T

    def _silence(self, samples: int) -> Samples:
        return np.zeros((samples, _PAIR), np.float32)


def _write(streams: Sequence[_Stream], x: Samples) -> None:
    for stream, pair in zip(streams, np.split(x, range(_PAIR, len(x), _PAIR)), strict=True):
        stream.write(pair)
