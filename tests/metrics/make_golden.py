"""Writes golden.json: figures of the pairs in `excerpts.py`, computed by others.

    python -m venv golden && golden/bin/pip install torch==2.13.0
    golden/bin/pip install -c constraints.txt mir_eval==0.8.2 museval==0.4.1 auraloss==0.4.0 soundfile soxr
    golden/bin/python -m tests.metrics.make_golden

These packages are no dependencies of musr, not even for its development: the file is written once, and tests read it.

- SDR: BSS Eval images of mir_eval and of museval, whose filters of 512 taps split the error into parts that we never
  compute; in chunks, mir_eval's framewise form (at a pretended rate, at which the excerpt is a minute long).
- multi-resolution STFT, SNR and SI-SDR: auraloss, with windows in double precision.
- LSD-A, LSD of ssr_eval, phases: their formulas in torch, over whole spectra at once; the phases as benchmarks/phase.py
  had them before they were a metric, but for the bins of digital silence.
"""

from __future__ import annotations

import json
import warnings
from importlib import util
from pathlib import Path
from types import ModuleType

import auraloss
import mir_eval
import numpy as np
import torch
from torch import Tensor

from tests.metrics.excerpts import CUTOFF_HZ, PRETENDED_RATE, RATE, Pair, pairs

CHUNK_S, STEP_S = 30, 15


def main() -> None:
    warnings.simplefilter("ignore", FutureWarning)
    golden = {name: bss_eval(pair) | auraloss_figures(pair) | by_formula(pair) for name, pair in pairs().items()}
    path = Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, indent=2) + "\n", encoding="utf-8")


def bss_eval(pair: Pair) -> dict[str, float | list[float]]:
    ref, est = (x.T[None] for x in pair)  # [sources, samples, channels]
    chunk, step = CHUNK_S * PRETENDED_RATE, STEP_S * PRETENDED_RATE
    one, *_ = mir_eval.separation.bss_eval_images(ref, est, compute_permutation=False)
    chunks, *_ = mir_eval.separation.bss_eval_images_framewise(ref, est, window=chunk, hop=step)
    other, *_ = museval_metrics().bss_eval(ref, est, window=np.inf, hop=np.inf, bsseval_sources_version=False)
    return {"sdr_mir_eval": float(one[0]), "sdr_museval": float(other[0, 0]), "sdr_chunks_mir_eval": chunks[0].tolist()}


def museval_metrics() -> ModuleType:
    """museval.metrics alone: the package around it wants an ffmpeg."""
    (folder,) = util.find_spec("museval").submodule_search_locations
    spec = util.spec_from_file_location("museval_metrics", Path(folder) / "metrics.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def auraloss_figures(pair: Pair) -> dict[str, float]:
    ref, est = (torch.from_numpy(np.ascontiguousarray(x))[None] for x in pair)
    loss = auraloss.freq.MultiResolutionSTFTLoss(output="full")
    for part in loss.stft_losses:
        part.window = torch.hann_window(len(part.window), dtype=torch.float64)
    _, convergence, log, _, _ = loss(est, ref)
    flat = [x.reshape(1, 1, -1) for x in (est, ref)]
    return {
        "mrstft_sc": float(torch.stack(convergence).mean()),
        "mrstft_log": float(torch.stack(log).mean()),
        "snr_db": -float(auraloss.time.SNRLoss(zero_mean=False, eps=0)(*flat)),
        "si_sdr_db": -float(auraloss.time.SISDRLoss(zero_mean=False, eps=0)(*flat)),
    }


def by_formula(pair: Pair) -> dict[str, float]:
    ref, est = (stft(x, 2048, 512).abs().square() for x in pair)
    logs = [power.clamp_min(1e-8).log10() for power in (ref, est)]
    ref, est = (stft(x, 2048, 441).abs() for x in pair)
    ratio = torch.log10(ref**2 / (est + 1e-12) ** 2 + 1e-12)
    heard = (ref + est).sum(dim=-2) > 0  # two silent frames count as 0, not as 12
    return {
        "lsd_a": float((logs[0] - logs[1]).square().mean(dim=-2).sqrt().mean()),
        "lsd_ssr_eval": float((ratio.square().mean(dim=-2).sqrt() * heard).mean()),
        **deviations(pair),
    }


def deviations(pair: Pair) -> dict[str, float]:
    n_fft, hop = 2816, 704
    first = int(CUTOFF_HZ * n_fft / RATE) + 1
    true, estimate = (stft(x, n_fft, hop)[:, first:] for x in pair)
    weight = true.abs()
    compressed = [x.abs() ** 0.3 * x.sgn() for x in (true, estimate)]
    error = (compressed[0] - compressed[1]).abs().square().mean() / compressed[0].abs().square().mean()
    turn = estimate.sgn() * true.sgn().conj()
    return {
        "complex_distance": float(error.sqrt()),
        "group_delay_ms": 1000 * n_fft / RATE * mean_turn(turn[:, 1:] * turn[:, :-1].conj(), weight[:, 1:]),
        "frequency_hz": RATE / hop * mean_turn(turn[..., 1:] * turn[..., :-1].conj(), weight[..., 1:]),
    }


def mean_turn(phasors: Tensor, weight: Tensor) -> float:
    weight = weight * (phasors != 0)  # next to digital silence there is nothing to compare
    return float((phasors.angle().abs() * weight).sum() / weight.sum() / (2 * torch.pi))


def stft(x: np.ndarray, n_fft: int, hop: int) -> Tensor:
    window = torch.hann_window(n_fft, dtype=torch.float64)
    signal = torch.from_numpy(np.ascontiguousarray(x))
    return torch.stft(signal, n_fft, hop, window=window, pad_mode="constant", return_complex=True)


if __name__ == "__main__":
    main()
