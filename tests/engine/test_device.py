from __future__ import annotations

from pathlib import Path

import pytest
import torch

from musr_cli.engine import device as module
from musr_cli.engine.device import pick_device, use_bf16
from musr_cli.errors import UnavailableError, UsageError

CPU = torch.device("cpu")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """However many GPUs there are in truth: as many as the list's one number says."""
    count = [0]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count[0])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count[0] > 0)
    return count


def test_auto_takes_a_gpu_where_there_is_one(gpus: list[int]) -> None:
    assert pick_device("auto") == CPU
    gpus[0] = 1
    assert pick_device("auto") == torch.device("cuda")


def test_an_explicit_device_is_there_or_refused(gpus: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu") == CPU
    with pytest.raises(UnavailableError, match="no CUDA GPU"):
        pick_device("cuda")
    gpus[0] = 2
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UnavailableError, match="only 2 CUDA GPUs"):
        pick_device("cuda:2")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="mps"):
        pick_device("mps")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "cpu:0 "])
def test_other_names_are_no_devices(name: str) -> None:
    with pytest.raises(UsageError, match="use auto"):
        pick_device(name)


def test_precision_is_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr(module, "_cpu_has_bf16", lambda has=has: has)
        assert use_bf16("bf16", CPU)
        assert not use_bf16("fp32", CPU)
        assert use_bf16("auto", CPU) == has
    assert not use_bf16("auto", torch.device("mps"))
    with pytest.raises(UsageError, match="fp8"):
        use_bf16("fp8", CPU)


@pytest.mark.parametrize(("flags", "has"), [("sse avx512_bf16 fma", True), ("sse avx512f avx512_vnni", False)])
def test_an_older_pytorch_leaves_it_to_the_kernel(
    flags: str, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t: {flags}\n")
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "cpuinfo")
    module._cpu_has_bf16.cache_clear()
    assert module._cpu_has_bf16() == has
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "missing")
    module._cpu_has_bf16.cache_clear()
    assert not module._cpu_has_bf16()
    module._cpu_has_bf16.cache_clear()
