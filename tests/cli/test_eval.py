from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli.app import app
from musr_cli.audio.resampling import MINUS_1_DB, resample
from musr_cli.metrics import METRICS, evaluate

RATE = 16_000


def write(path: Path, x: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x.T, rate, subtype="FLOAT")
    return path


def musr(*args: str | Path):
    return CliRunner().invoke(app, ["eval", *map(str, args)])


@pytest.fixture
def clips(tmp_path, music):
    """Reference, its 8 kHz transfer, and an estimate: the transfer with something in the upper half."""
    ref = music(RATE, 2.0, seed=1)
    low = resample(ref, RATE, 8000)
    added = 0.02 * np.random.default_rng(0).standard_normal(ref.shape)
    spectrum = np.fft.rfft(added)
    spectrum[:, : round(4000 * 2.0)] = 0
    est = resample(low, 8000, RATE) + np.fft.irfft(spectrum, ref.shape[1]).astype(np.float32)
    return write(tmp_path / "ref.wav", ref), write(tmp_path / "est.wav", est), write(tmp_path / "low.wav", low, 8000)


def test_table_of_one_pair_is_on_stdout_and_names_every_convention(clips):
    ref, est, low = clips
    result = musr(ref, est, "--input", low)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["metric", "value", "unit", "better", "how"]
    names = json.loads(musr(ref, est, "--input", low, "--json").stdout)["mean"]["est"]
    shown = [METRICS[name] for name in names]
    assert [line.split("  ")[0] for line in lines[1:]] == [metric.label for metric in shown]
    assert all(metric.convention in line for metric, line in zip(shown, lines[1:], strict=True))
    # all but what is asked for, and noise in silence where there is no silence
    assert METRICS.keys() - names.keys() == {"added_noise_dbfs", "mrstft_sc", "mrstft_log", "visqol"}
    assert result.stderr == ""


def test_what_takes_longer_is_measured_when_asked_for(clips):
    ref, est, _ = clips
    told = json.loads(musr(ref, est, "--also", "mrstft", "--json").stdout)["mean"]["est"]
    assert {"mrstft_sc", "mrstft_log"} <= told.keys()
    result = musr(ref, est, "--also", "everything")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "mrstft_log, visqol" in result.stderr


def test_a_missing_extra_is_said_before_the_work(clips, monkeypatch):
    monkeypatch.setattr("musr_cli.metrics.visqol.find_spec", lambda name: None)
    result = musr(clips[0], clips[1], "--also", "visqol")
    assert result.exit_code == 4
    assert "musr[visqol]" in result.stderr


def test_json_holds_what_evaluate_returns_and_nothing_else_is_on_stdout(clips):
    ref, est, _ = clips
    result = musr(ref, est, "--cutoff", "4000", "--json")
    told = json.loads(result.stdout)
    x, y = (soundfile.read(path, dtype="float32")[0].T for path in (ref, est))
    (file,) = told["files"]
    assert file["metrics"] == pytest.approx(evaluate(x, y, RATE, 4000.0, slope_hz=MINUS_1_DB * 4000.0))
    assert (file["cutoff_hz"], file["seconds"], file["input"]) == (4000, 2, None)
    assert told["mean"]["est"]["snr_db"] == {"mean": file["metrics"]["snr_db"], "low": None, "high": None, "clips": 1}
    assert told["metrics"]["lsd_a"]["better"] == "lower"
    assert told["failed"] == []


def test_given_band_is_measured_against_the_resampled_input(clips):
    ref, est, low = clips
    against_input = json.loads(musr(ref, est, "--input", low, "--json").stdout)["files"][0]
    assert against_input["cutoff_hz"] == pytest.approx(4000, rel=0.06)
    assert against_input["metrics"]["snr_given_db"] > 60
    assert abs(against_input["metrics"]["level_given_db"]) < 0.001


def test_without_an_edge_the_bands_are_left_out_and_said_so(clips):
    ref, est, _ = clips
    result = musr(ref, est, "--json")
    (file,) = json.loads(result.stdout)["files"]
    assert "lsd_a" in file["metrics"]
    assert not {"lsd_a_hf", "snr_given_db"} & set(file["metrics"])
    assert "neither --input nor --cutoff" in result.stderr
    assert musr(ref, est, "--quiet").stderr == ""


def test_identical_files_score_perfectly(clips):
    ref, _, low = clips
    metrics = json.loads(musr(ref, ref, "--input", low, "--json").stdout)["files"][0]["metrics"]
    assert metrics["lsd_a"] == 0
    assert metrics["snr_db"] == 150


def test_folders_are_averaged_with_an_interval(tmp_path, music):
    for index, gain in enumerate((0.5, 0.7, 0.9)):
        x = music(RATE, 0.5, seed=index)
        write(tmp_path / "ref" / "sub" / f"{index}.wav", x)
        write(tmp_path / "est" / "sub" / f"{index}.wav", gain * x)
    table = musr(tmp_path / "ref", tmp_path / "est")
    assert table.exit_code == 0, table.stderr
    assert "sub/0" in table.stdout
    assert "mean of 3" in table.stdout
    assert "95 % interval" in table.stdout
    level = json.loads(musr(tmp_path / "ref", tmp_path / "est", "--json").stdout)["mean"]["est"]["level_db"]
    expected = 20 * np.log10([0.5, 0.7, 0.9])
    assert level["mean"] == pytest.approx(expected.mean(), abs=1e-4)
    assert expected.min() <= level["low"] < level["mean"] < level["high"] <= expected.max() + 1e-4
    assert level["clips"] == 3
    # what has to be said of every file alike is said once
    assert table.stderr.count("neither --input") == 1


def test_missing_and_broken_files_are_told_and_the_rest_goes_on(tmp_path, music):
    for name in "abc":
        write(tmp_path / "ref" / f"{name}.wav", music(RATE, 0.5))
        write(tmp_path / "est" / f"{name}.wav", music(RATE, 0.5))
    (tmp_path / "est" / "a.wav").unlink()
    (tmp_path / "est" / "b.wav").write_bytes(b"not audio at all")
    result = musr(tmp_path / "ref", tmp_path / "est", "--cutoff", "4000", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert [file["file"] for file in told["files"]] == ["c"]
    assert [problem["file"] for problem in told["failed"]] == ["a", "b"]
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert "a: no estimate of this name" in lines[0]
    assert "b.wav" in lines[1]
    assert "2 of 3 files could not be compared" in lines[2]


def test_nothing_compared_is_a_failure(tmp_path, music):
    write(tmp_path / "ref" / "a.wav", music(RATE, 0.5))
    write(tmp_path / "est" / "b.wav", music(RATE, 0.5))
    result = musr(tmp_path / "ref", tmp_path / "est")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "2 of 2 files could not be compared" in result.stderr


@pytest.mark.parametrize(
    ("ref", "est", "told", "exit_code"),
    [
        ("ref.wav", "missing.wav", "missing.wav", 1),
        ("ref.wav", "short.wav", "short.wav: 1.00 s, but", 1),
        ("ref.wav", "none.wav", "none.wav: holds no samples", 1),
        ("mono.wav", "ref.wav", "2 channels, but", 1),
        ("ref.wav", ".", "not both", 2),
    ],
)
def test_pairs_that_cannot_be_compared_are_one_line(tmp_path, clips, monkeypatch, ref, est, told, exit_code):
    monkeypatch.chdir(tmp_path)
    x = soundfile.read("ref.wav", dtype="float32")[0].T
    write(Path("short.wav"), x[:, :RATE])
    write(Path("none.wav"), x[:, :0])
    write(Path("mono.wav"), x[:1])
    result = musr(ref, est)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (exit_code, "", 1)
    assert told in result.stderr


def test_rates_delays_and_lengths_are_evened_out_and_said(tmp_path, clips):
    ref = clips[0]
    x = soundfile.read(ref, dtype="float32")[0].T
    late = np.concatenate([np.zeros((2, 160), np.float32), x[:, :-200]], axis=1)
    result = musr(ref, write(tmp_path / "late.wav", late), "--json")
    (file,) = json.loads(result.stdout)["files"]
    assert file["metrics"]["snr_db"] == 150
    assert "160 samples (10.0 ms) late: aligned" in result.stderr
    fast = write(tmp_path / "fast.wav", resample(x, RATE, 48_000), 48_000)
    result = musr(ref, fast, "--json")
    assert "resampled from 48000 to 16000 Hz" in result.stderr
    assert json.loads(result.stdout)["files"][0]["metrics"]["snr_db"] > 20


def test_a_late_estimate_is_aligned_with_the_input_as_well(tmp_path, clips):
    ref, est, low = clips
    y = soundfile.read(est, dtype="float32")[0].T
    late = write(tmp_path / "late.wav", np.concatenate([np.zeros((2, 300), np.float32), y], axis=1))
    (file,) = json.loads(musr(ref, late, "--input", low, "--json").stdout)["files"]
    assert file["metrics"]["snr_given_db"] > 60


def test_csv_has_one_row_per_pair(tmp_path, clips):
    ref, est, low = clips
    table = tmp_path / "out.csv"
    result = musr(ref, est, "--input", low, "--csv", table)
    assert result.exit_code == 0, result.stderr
    with table.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["reference"] == str(ref)
    assert set(METRICS) < set(row)
    assert float(row["snr_given_db"]) > 60


def test_an_existing_csv_is_kept_without_overwrite(tmp_path, clips):
    table = tmp_path / "out.csv"
    table.write_text("mine")
    result = musr(clips[0], clips[1], "--csv", table)
    assert (result.exit_code, table.read_text()) == (1, "mine")
    assert "--overwrite" in result.stderr
    assert musr(clips[0], clips[1], "--csv", table, "--overwrite").exit_code == 0
    assert table.read_text().startswith("file,")


def test_cutoff_must_be_a_frequency(clips):
    result = musr(clips[0], clips[1], "--cutoff", "loud")
    assert result.exit_code == 2
    assert "--cutoff loud" in result.stderr


def test_the_real_command_keeps_stdout_for_data(clips, run_musr):
    ref, est, low = clips
    result = run_musr("eval", ref, est, "--input", low, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["files"][0]["file"] == "est"
    assert result.stderr == b""


@pytest.fixture
def systems(tmp_path, music):
    """Seven originals, and two systems: one that adds a little noise, and one that adds more."""
    for index in range(7):
        x = music(RATE, 0.5, seed=index)
        noise = np.random.default_rng(index).standard_normal(x.shape).astype(np.float32)
        for folder, level in (("ref", 0.0), ("good", 0.001), ("bad", 0.01)):
            write(tmp_path / folder / f"{index}.wav", x + level * noise)
    return tmp_path


def test_several_systems_stand_side_by_side_and_in_pairs(systems):
    result = musr(systems / "ref", "--systems", systems / "good", systems / "bad", "--cutoff", "4000")
    assert result.exit_code == 0, result.stderr
    first, *_ = result.stdout.splitlines()
    assert first.startswith("mean (95 % interval)")
    assert first.split("  ")[0] and "good" in first and "bad" in first
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("good − bad") and " SNR  " in line]
    assert "20.00" in line
    assert line.split()[-1] == "good"
    told = json.loads(musr(systems / "ref", systems / "good", systems / "bad", "--json").stdout)
    assert told["systems"] == ["good", "bad"]
    assert len(told["files"]) == 14
    (snr,) = [test for test in told["paired"] if test["metric"] == "snr_db"]
    assert (snr["a"], snr["b"], snr["winner"], snr["clips"]) == ("good", "bad", "good", 7)
    assert snr["mean"] == pytest.approx(20, abs=0.01)
    assert snr["p_holm"] < 0.05


def test_one_system_may_be_named_as_such(systems):
    told = json.loads(musr(systems / "ref", "--systems", systems / "good", "--json").stdout)
    assert (told["systems"], told["paired"]) == (["good"], [])


def test_processes_give_the_same_figures(systems):
    one, two = (
        json.loads(musr(systems / "ref", systems / "good", "--json", "-j", jobs).stdout)["mean"] for jobs in ("1", "2")
    )
    assert one == two


def test_systems_of_one_name_are_told_apart_by_their_folders(tmp_path, systems):
    for name in ("a", "b"):
        (systems / name).mkdir()
        (systems / "good").rename(systems / name / "out") if name == "a" else (systems / "bad").rename(
            systems / name / "out"
        )
    told = json.loads(musr(systems / "ref", systems / "a" / "out", systems / "b" / "out", "--json").stdout)
    assert told["systems"] == ["a/out", "b/out"]
    twice = musr(systems / "ref", systems / "a" / "out", systems / "a" / "out")
    assert (twice.exit_code, twice.stderr.count("\n")) == (2, 1)
    assert "named twice" in twice.stderr


def test_what_one_system_lacks_is_told_with_its_name_and_the_rest_is_compared(systems):
    (systems / "bad" / "3.wav").unlink()
    result = musr(systems / "ref", systems / "good", systems / "bad", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert told["failed"] == [
        {"system": "bad", "file": "3", "problem": f"3: no estimate of this name in {systems / 'bad'}"}
    ]
    assert "bad: 3: no estimate" in result.stderr
    (snr,) = [test for test in told["paired"] if test["metric"] == "snr_db"]
    assert snr["clips"] == 6


def test_silent_and_broken_references_are_one_line_each(tmp_path, music):
    x = music(RATE, 0.5)
    nan = x.copy()
    nan[0, 100] = np.nan
    for name, ref in {"fine": x, "silent": 0 * x, "broken": nan}.items():
        write(tmp_path / "ref" / f"{name}.wav", ref)
        write(tmp_path / "est" / f"{name}.wav", x)
    result = musr(tmp_path / "ref", tmp_path / "est", "--json", "--cutoff", "4000")
    told = json.loads(result.stdout)
    assert [file["file"] for file in told["files"]] == ["fine", "silent"]
    assert "snr_db" not in told["files"][1]["metrics"]
    assert result.exit_code == 3
    assert "silent.wav is silent" in result.stderr
    assert [problem["file"] for problem in told["failed"]] == ["broken"]
    assert "broken.wav" in told["failed"][0]["problem"]
