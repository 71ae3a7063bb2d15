"""Round trips through lossy encoders, in memory: what a file has been through before musr sees it.

libsndfile encodes MP3, Vorbis and Opus; FFmpeg, through PyAV, AAC and WMA. PyAV is imported where it is used, because
only these two need it.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from musr_cli.audio.libsndfile import ForwardFile
from musr_cli.audio.resampling import StreamResampler
from musr_cli.errors import MusrError, UnavailableError

_LAME_DELAY = 576 + 529
"""Samples by which encoder and decoder delay a stream that is too small for LAME's gapless tag."""

_VORBIS_KBPS = (64.0, 80.0, 96.0, 112.0, 128.0, 160.0, 192.0, 224.0, 256.0, 320.0, 500.0)
"""Nominal bitrates of Vorbis qualities 0 to 10, for 44.1 kHz stereo (libvorbis)."""

_LAME_KBPS = (65.0, 85.0, 100.0, 115.0, 130.0, 165.0, 175.0, 190.0, 225.0, 245.0)
"""Nominal bitrates of LAME's -V 9 to -V 0, for 44.1 kHz stereo."""

_HIGHEST_LEVEL = 0.999
_WMA_LOWEST_KBPS = 24.0
_PAIR = 2
_BLOCK_SAMPLES = 1 << 16

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

Samples = NDArray[np.float32]


def _mp3_level(bitrate_kbps: float, sample_rate: int) -> float:
    """libsndfile spreads its levels over the bitrates of MPEG-1, MPEG-2 or MPEG-2.5 Layer III."""
    lowest, highest = (32, 320) if sample_rate >= 32000 else (8, 160) if sample_rate >= 16000 else (8, 64)
    return (highest - bitrate_kbps) / (highest - lowest)


def _mp3_vbr_level(bitrate_kbps: float, sample_rate: int) -> float:
    """libsndfile's levels are a tenth of LAME's -V; at lower rates the same -V takes about as many bits a sample."""
    nominal_kbps = bitrate_kbps * max(1.0, 44100 / sample_rate)
    return float(np.interp(nominal_kbps, _LAME_KBPS, np.linspace(0.9, 0, len(_LAME_KBPS))))


def _vorbis_level(bitrate_kbps: float, sample_rate: int) -> float:
    del sample_rate
    return 1 - float(np.interp(bitrate_kbps, _VORBIS_KBPS, np.linspace(0, 1, len(_VORBIS_KBPS))))


def _opus_level(bitrate_kbps: float, sample_rate: int) -> float:
    """libsndfile spreads its levels over 6 to 256 kbit/s for each channel."""
    del sample_rate
    return (256 - bitrate_kbps / _PAIR) / 250


def _aac_bits(bitrate_kbps: float, sample_rate: int) -> float:
    del sample_rate
    return 1000 * bitrate_kbps


def _wma_bits(bitrate_kbps: float, sample_rate: int) -> float:
    """FFmpeg's encoder refuses bitrates below its lowest."""
    del sample_rate
    return 1000 * max(bitrate_kbps, _WMA_LOWEST_KBPS)


def _wma_lost(sample_rate: int) -> int:
    """FFmpeg's decoder does not give out the first frame, whose length depends on the rate."""
    return 512 if sample_rate <= 16000 else 1024 if sample_rate <= 22050 else 2048


def _nothing_lost(sample_rate: int) -> int:
    del sample_rate
    return 0


class _Stream(ABC):
    """Two channels on their way through a codec, in memory."""

    def __init__(self) -> None:
        self._bytes, self._samples = io.BytesIO(), 0

    def write(self, x: Samples) -> None:
        """Encode [1 or 2, n]."""
        self._encode(np.broadcast_to(x, (_PAIR, x.shape[-1])))
        self._samples += x.shape[-1]

    def decoded(self) -> Iterator[Samples]:
        """As many samples as were written, in blocks [2, n] that are the same for all streams of one length."""
        self._finish()
        left = self._samples
        if not left:
            return
        self._bytes.seek(0)
        for block in self._decode():
            y = block[:, :left]
            left -= y.shape[-1]
            yield y
        # no decoder leaves more out than a frame
        yield np.zeros((_PAIR, left), np.float32)

    @abstractmethod
    def _encode(self, x: Samples) -> None:
        """Encode [2, n] into `_bytes`."""

    @abstractmethod
    def _finish(self) -> None:
        """Encode what is held back, and complete `_bytes`."""

    @abstractmethod
    def _decode(self) -> Iterator[Samples]:
        """Blocks [2, n] from `_bytes`, without delay; they may go on beyond the end."""


class _SndfileStream(_Stream):
    """Through libsndfile."""

    def __init__(self, codec: Codec, sample_rate: int, bitrate_kbps: float) -> None:
        super().__init__()
        level = min(max(codec.setting(bitrate_kbps, sample_rate), 0.0), _HIGHEST_LEVEL)
        mode = {"bitrate_mode": codec.mode} if codec.mode else {}
        try:
            self._encoder = ForwardFile(
                self._bytes, "w", samplerate=sample_rate, channels=_PAIR, subtype=codec.encoder,
                format=codec.container, compression_level=level, **mode,
            )  # fmt: skip
        except soundfile.SoundFileError as error:
            raise MusrError(f"libsndfile cannot encode {codec.encoder} at {sample_rate} Hz: {error}") from error

    def _encode(self, x: Samples) -> None:
        self._encoder.write_frames(x.T)

    def _finish(self) -> None:
        self._encoder.close()

    def _decode(self) -> Iterator[Samples]:
        with ForwardFile(self._bytes) as decoder:
            # only a stream without gapless tag comes back longer
            decoder.read_into(np.zeros((_LAME_DELAY if decoder.frames > self._samples else 0, _PAIR), np.float32))
            for first in range(0, self._samples, _BLOCK_SAMPLES):
                block = np.zeros((min(_BLOCK_SAMPLES, self._samples - first), _PAIR), np.float32)
                decoder.read_into(block)
                yield block.T


class _AvStream(_Stream):
    """Through FFmpeg, by way of PyAV."""

    def __init__(self, codec: Codec, sample_rate: int, bitrate_kbps: float) -> None:
        super().__init__()
        self._av, self._codec, self._rate, self._time = _import_av(codec.encoder), codec, sample_rate, 0
        self._file = self._av.open(self._bytes, "w", format=codec.container)
        bits = round(codec.setting(bitrate_kbps, sample_rate))
        self._encoder = self._file.add_stream(codec.encoder, rate=sample_rate, bit_rate=bits, layout="stereo")
        self._encode(np.zeros((_PAIR, codec.lost(sample_rate)), np.float32))

    def _encode(self, x: Samples) -> None:
        for first in range(0, x.shape[-1], _BLOCK_SAMPLES):
            part = np.ascontiguousarray(x[:, first : first + _BLOCK_SAMPLES])
            frame = self._av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = self._rate, self._time
            self._push(frame)
            self._time += part.shape[-1]

    def _finish(self) -> None:
        # without a sample FFmpeg has not opened the encoder, and there is nothing to decode
        if self._time:
            self._push(None)
        self._file.close()

    def _decode(self) -> Iterator[Samples]:
        with self._av.open(self._bytes) as file:
            for frame in file.decode(audio=0):
                yield frame.to_ndarray()

    def _push(self, frame: Any) -> None:
        """Encode a frame; None for what is held back."""
        try:
            self._file.mux(self._encoder.encode(frame))
        except self._av.FFmpegError as error:
            raise MusrError(
                f"FFmpeg cannot encode this as {self._codec.encoder} at {self._rate} Hz ({error.strerror}); "
                "a higher bitrate or a lower level may work"
            ) from error


def _import_av(encoder: str) -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise UnavailableError(f"encoding {encoder} needs PyAV: pip install 'musr[av]'") from error
    return av


@dataclass(frozen=True)
class Codec:
    """One lossy format.

    Attributes:
        stream: what encodes and decodes it.
        container: libsndfile's or FFmpeg's name of the file format.
        encoder: libsndfile's subtype or FFmpeg's encoder.
        sample_rates: in Hz, those that it encodes; none where it takes any.
        setting: libsndfile's compression level or FFmpeg's bits a second, for a bitrate in kbit/s at a rate in Hz.
        mode: libsndfile's bitrate mode, where the format has several.
        lost: how many samples the decoder leaves out at the start, at a rate in Hz.
    """

    stream: Callable[[Codec, int, float], _Stream]
    container: str
    encoder: str
    sample_rates: tuple[int, ...]
    setting: Callable[[float, int], float]
    mode: str = ""
    lost: Callable[[int], int] = _nothing_lost

    def rate_for(self, sample_rate: int) -> int:
        """The lowest rate of the codec that keeps the whole band of `sample_rate`; its highest where none does."""
        if not self.sample_rates:
            return sample_rate
        return min((rate for rate in self.sample_rates if rate >= sample_rate), default=max(self.sample_rates))


CODECS = {
    "mp3": Codec(_SndfileStream, "MP3", "MPEG_LAYER_III", _MP3_RATES, _mp3_level, "CONSTANT"),
    "mp3-vbr": Codec(_SndfileStream, "MP3", "MPEG_LAYER_III", _MP3_RATES, _mp3_vbr_level, "VARIABLE"),
    "aac": Codec(_AvStream, "mp4", "aac", (*_MP3_RATES, 64000, 88200, 96000), _aac_bits),
    "vorbis": Codec(_SndfileStream, "OGG", "VORBIS", (), _vorbis_level),
    "opus": Codec(_SndfileStream, "OGG", "OPUS", (8000, 12000, 16000, 24000, 48000), _opus_level),
    "wma": Codec(_AvStream, "asf", "wmav2", _MP3_RATES, _wma_bits, lost=_wma_lost),
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
        name: a key of `CODECS`.
        bitrate_kbps: for two channels; constant for MP3, a target for AAC, Opus and WMA, nominal for Vorbis and
            MP3 of variable bitrate. The nearest that the codec has at its rate.

    Raises:
        MusrError: where this build of libsndfile or FFmpeg cannot write the format, or PyAV is not there.
    """
    codec = CODECS[name]
    rate = codec.rate_for(sample_rate)
    there = StreamResampler(sample_rate, rate, channels)
    back = StreamResampler(rate, sample_rate, channels)
    streams = [codec.stream(codec, rate, bitrate_kbps) for _ in range(0, channels, _PAIR)]
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


def _write(streams: Sequence[_Stream], x: Samples) -> None:
    for stream, pair in zip(streams, np.split(x, range(_PAIR, len(x), _PAIR)), strict=True):
        stream.write(pair)
