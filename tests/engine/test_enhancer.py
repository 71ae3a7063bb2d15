from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import musr_cli
from musr_cli.audio.reading import AudioSource, open_source
from musr_cli.audio.resampling import resample
from musr_cli.engine import enhancer as module
from musr_cli.engine.enhancer import Enhancer, Job, Settings, enhance
from musr_cli.engine.stream import Block
from musr_cli.errors import MusrError, UnavailableError, UsageError
from musr_models.contract import ModelError
from tests.conftest import make_music

SBR = Settings(model="sbr", precision="fp32")


def snr_db(signal: Block, estimate: Block) -> float:
    error = np.sum((signal.astype(np.float64) - estimate) ** 2)
    return float(10 * np.log10(np.sum(signal.astype(np.float64) ** 2) / max(error, 1e-30)))


def settings(**changes: object) -> Settings:
    return Settings(**{**vars(SBR), **changes})


class Stream(AudioSource):
    """An array that passes once, like a pipe, and does not say how long it is."""

    can_reread = False

    def __init__(self, source: AudioSource) -> None:
        super().__init__(dataclasses.replace(source.info, frames=None))
        self._blocks = source.blocks(5000)

    def blocks(self, frames: int = 0) -> Iterator[Block]:
        return self._blocks


@pytest.fixture
def low(tmp_path: Path) -> Path:
    path = tmp_path / "low.wav"
    soundfile.write(path, make_music(16000, 1.5).T, 16000, "FLOAT")
    return path


def run(source: AudioSource, wish: Settings, reports: list[float] | None = None) -> tuple[Job, Block]:
    engine, parts = Enhancer(wish), []
    job = engine.prepare(source)
    engine.run(job, source, parts.append, reports.append if reports is not None else None)
    return job, np.concatenate(parts, axis=-1)


@pytest.mark.parametrize("model", ["linear", "sbr"])
@pytest.mark.parametrize("samples", [0, 1, 2, 3, 999, 1000, 1001, 16000])
@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_output_has_the_length_of_the_input_to_the_sample(model: str, samples: int, rate: int) -> None:
    x = make_music(8000, 2.0)[:, :samples]
    y, sample_rate = enhance(x, 8000, settings(model=model, rate=rate, chunk_s=1000 / rate))
    assert (sample_rate, y.shape, y.dtype) == (rate, (2, -(-samples * rate // 8000)), np.float32)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("model", ["linear", "sbr"])
@pytest.mark.parametrize("chunk_s", [0.001, 0.1, 0.7])
def test_chunks_leave_no_trace(model: str, chunk_s: float) -> None:
    x = make_music(11025, 0.9)
    whole, _ = enhance(x, 11025, settings(model=model, ratio=2, chunk_s=60))
    assert snr_db(whole, enhance(x, 11025, settings(model=model, ratio=2, chunk_s=chunk_s))[0]) > 100


def test_the_input_is_in_the_output() -> None:
    """Below the edge y is the resampled x; above it there is something now, and nothing changes its level."""
    x = make_music(22050, 2.0)
    y, _ = enhance(x, 22050, settings(ratio=2))
    base = resample(x, 22050, 44100)
    window = np.hanning(base.shape[-1])
    frequencies = np.fft.rfftfreq(base.shape[-1], 1 / 44100)
    before, after = (np.abs(np.fft.rfft(part * window)) for part in (base, y))
    given, missing = frequencies < 10300, (frequencies > 11500) & (frequencies < 15000)
    assert snr_db(before[:, given], after[:, given]) > 80
    assert after[:, missing].sum() > 1000 * before[:, missing].sum()


def test_double_precision_stays() -> None:
    x = make_music(8000, 4.0).astype(np.float64)
    x[:, 4000:] *= 1e-9
    y, _ = enhance(x, 8000, settings(rate=8000, cutoff=2000.0))
    assert y.dtype == np.float64
    low = np.fft.rfftfreq(8000, 1 / 8000) < 1500
    before, after = (np.fft.rfft(part[:, 20000:28000] * np.hanning(8000))[:, low] for part in (x, y))
    assert 0 < np.abs(after - before).max() < 1e-4 * np.abs(before).max()


def test_a_file_that_lacks_nothing_passes_as_it_is(tmp_path: Path) -> None:
    x = make_music(48000, 1.5)
    job, y = run(module._ArraySource(x, 48000), settings(rate=48000))
    assert job.untouched is not None
    assert "left untouched" in job.untouched
    assert np.array_equal(x, y)


def test_a_complete_band_is_only_resampled_where_a_higher_rate_is_asked_for() -> None:
    x = make_music(44100, 1.0)
    job, y = run(module._ArraySource(x, 44100), settings(rate=48000))
    assert "only resampled" in str(job.untouched)
    assert np.allclose(y, resample(x, 44100, 48000), atol=1e-6)


@pytest.mark.parametrize("rate", [88200, 96000, 192000])
def test_high_rates_are_kept_and_get_their_band_below_24_khz(rate: int) -> None:
    x = make_music(rate, 0.8, edge_hz=10000)
    job, y = run(module._ArraySource(x, rate), settings(cutoff=10000.0, chunk_s=0.2))
    assert job.sample_rate == rate
    assert y.shape == x.shape
    window = np.hanning(x.shape[-1])
    frequencies = np.fft.rfftfreq(x.shape[-1], 1 / rate)
    before, after = (np.fft.rfft(part * window) for part in (x, y))
    assert snr_db(np.abs(before[:, frequencies < 9000]), np.abs(after[:, frequencies < 9000])) > 80
    made = np.abs(after) ** 2
    above, beyond = (
        made[:, (frequencies > a) & (frequencies < b)].mean() for a, b in ((12000, 18000), (24500, rate / 2))
    )
    assert above > 1e6 * beyond
    # to the sample in place: the same band made at the lower rate
    work = job.summary["work_rate"]
    lower, _ = enhance(resample(x, rate, work), work, settings(cutoff=10000.0))
    upsampled = resample(lower, work, rate)[:, : x.shape[-1]]
    audible = (frequencies > 11000) & (frequencies < 20000)
    expected = np.fft.rfft(upsampled * window)[:, audible]
    assert np.abs(after[:, audible] - expected).max() < 1e-2 * np.abs(expected).max()


def test_a_stream_is_restored_like_a_file(low: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIPE_PREVIEW_S", 0.5)
    wish = settings(ratio=2, cutoff=8000.0, chunk_s=0.3)
    with open_source(low) as source:
        _, expected = run(source, wish)
    with open_source(low) as source:
        _, streamed = run(Stream(source), wish)
    assert np.array_equal(expected, streamed)


def test_a_stream_is_only_held_back_as_long_as_it_takes(low: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIPE_PREVIEW_S", 0.5)
    with open_source(low) as source:
        stream = Stream(source)
        Enhancer(settings(ratio=2)).prepare(stream)
        rest = sum(block.shape[-1] for block in stream.blocks())
    assert 0.5 * 16000 <= 24000 - rest <= 0.5 * 16000 + 5000


@pytest.mark.parametrize("samples", [0, 1])
def test_a_stream_may_be_as_good_as_empty(samples: int) -> None:
    source = module._ArraySource(np.zeros((2, samples), np.float32), 8000)
    engine, parts = Enhancer(settings(ratio=2)), [np.zeros((2, 0), np.float32)]
    stream = Stream(source)
    engine.run(engine.prepare(stream), stream, parts.append)
    assert np.concatenate(parts, axis=-1).shape == (2, 2 * samples)


def test_a_job_says_what_it_will_do_and_how_far_it_is(low: Path) -> None:
    reports: list[float] = []
    with open_source(low) as source:
        job, _ = run(source, settings(ratio=2, chunk_s=0.3), reports)
    summary = json.loads(json.dumps(job.summary))
    assert (summary["model"], summary["input_rate"], summary["output_rate"]) == ("sbr", 16000, 32000)
    assert summary["cutoff_hz"] == 8000
    assert summary["phase"] == "native"
    assert summary["warnings"] == []
    assert reports == sorted(reports)
    assert len(reports) > 3
    assert reports[-1] == pytest.approx(1.5)


def test_phases_can_be_chosen() -> None:
    x = make_music(8000, 0.5)
    made = {name: enhance(x, 8000, settings(ratio=2, phase=name))[0] for name in ("native", "flip", "random")}
    assert snr_db(made["native"], made["flip"]) < 60
    assert snr_db(made["random"], made["flip"]) < 60
    again = enhance(x, 8000, settings(ratio=2, phase="random"))[0]
    other = enhance(x, 8000, settings(ratio=2, phase="random", seed=1))[0]
    assert np.array_equal(made["random"], again)
    assert snr_db(made["random"], other) < 60


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"model": "sbrr"}, ModelError, "did you mean 'sbr'"),
        ({"phase": "filp"}, UsageError, "did you mean 'flip'"),
        ({"phase": "xyz"}, UsageError, "griffin-lim"),
        ({"device": "gpu"}, UsageError, "gpu"),
        ({"precision": "fp8"}, UsageError, "fp8"),
        ({"chunk_s": 0.0}, UsageError, "chunk"),
        ({"chunk_s": float("nan")}, UsageError, "chunk"),
        ({"ratio": 2, "rate": 16000}, UsageError, "array"),
        ({"ratio": 0.5}, UsageError, "array"),
        ({"cutoff": 4001.0}, UsageError, "array"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        enhance(np.zeros((1, 100), np.float32), 8000, settings(**changes))


def test_a_phase_that_a_model_cannot_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from musr_cli.engine.decisions import Choice
    from tests.engine.toys import MagnitudeToy

    monkeypatch.setattr(module, "choose_network", lambda *_, **__: Choice(MagnitudeToy(), module.Band(16000, 4000.0)))
    with pytest.raises(UnavailableError, match="magnitudes only; use flip"):
        enhance(make_music(8000, 0.1), 8000, settings(ratio=2, phase="native"))


@pytest.mark.parametrize(
    "x",
    [np.zeros(5, np.float32), np.zeros((1, 5), np.int16), np.full((1, 5), np.nan, np.float32)],
    ids=["one axis", "integers", "not finite"],
)
def test_arrays_that_are_no_audio_are_refused(x: NDArray[np.generic]) -> None:
    with pytest.raises(MusrError, match="array"):
        enhance(x, 8000, SBR)


def test_silence_and_constants_get_nothing_added() -> None:
    assert not enhance(np.zeros((2, 9000), np.float32), 8000, settings(ratio=2))[0].any()
    y, _ = enhance(np.full((1, 9000), 0.5, np.float32), 8000, settings(ratio=2))
    assert np.allclose(y[:, 4000:-4000], 0.5, atol=1e-5)


def test_any_number_of_channels_is_restored_alike() -> None:
    """More of them than fit into a chunk of full length, each at a level of its own."""
    x = make_music(8000, 0.5, channels=1)
    levels = np.linspace(0.1, 1, 40, dtype=np.float32)[:, None]
    alone, _ = enhance(x, 8000, settings(ratio=2, cutoff=4000.0))
    together, _ = enhance(levels * x, 8000, settings(ratio=2, cutoff=4000.0, chunk_s=0.3))
    assert snr_db(levels * alone, together) > 80


def test_the_python_interface_is_there_without_asking() -> None:
    x = make_music(8000, 0.2)
    y, rate = musr_cli.enhance(x, 8000, musr_cli.Settings(model="linear", ratio=2))
    assert (rate, y.shape) == (16000, (2, 2 * x.shape[-1]))
