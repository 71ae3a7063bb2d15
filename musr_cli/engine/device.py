"""Where networks run, and in which arithmetic. Nothing falls back silently."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import torch

from musr_cli.errors import UnavailableError, UsageError

_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""What PyTorch and Linux call bf16 arithmetic: two extensions of x86, one of ARM."""

_CPUINFO = Path("/proc/cpuinfo")


def pick_device(name: str) -> torch.device:
    """The device for `--device`: "auto" (a CUDA GPU where there is one, else the CPU), "cpu", "cuda", "cuda:1", "mps".

    Raises:
        UsageError: no such kind of device.
        UnavailableError: this machine has none; an explicit wish is never replaced.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|mps|cuda(?::(\d+))?", name)
    if not match:
        raise UsageError(f"--device {name}: use auto, cpu, cuda, cuda:N or mps")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UnavailableError("--device mps: PyTorch finds no Apple GPU here; use --device cpu")
    if name.startswith("cuda"):
        found = torch.cuda.device_count()
        if int(match[1] or 0) >= found:
            what = f"only {found} CUDA GPU{'s' * (found > 1)}" if found else "no CUDA GPU"
            raise UnavailableError(f"--device {name}: PyTorch finds {what} here; use --device cpu or auto")
    return torch.device(name)


def use_bf16(precision: str, device: torch.device) -> bool:
    """Whether networks run under bf16 autocast.

    Args:
        precision: "fp32", "bf16", or "auto": bf16 where the processor multiplies it in hardware, elsewhere it is slow.
        device: where the network runs.
    """
    if precision not in {"auto", "fp32", "bf16"}:
        raise UsageError(f"--precision {precision}: use auto, fp32 or bf16")
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _cpu_has_bf16()


@lru_cache(maxsize=1)
def _cpu_has_bf16() -> bool:
    """Ask PyTorch where it can be asked (2.6 and later), else the kernel; unknown counts as no."""
    ask = getattr(torch.cpu, "get_capabilities", None)
    if ask is not None:
        capabilities = ask()
        return any(bool(capabilities.get(flag)) for flag in _BF16_FLAGS)
    try:
        flags = _CPUINFO.read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
    return any(flag in flags for flag in _BF16_FLAGS)
