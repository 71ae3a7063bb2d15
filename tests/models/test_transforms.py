"""What all transforms and networks share."""

from __future__ import annotations

import torch

from musr_models.transforms import cached_tensor


def test_what_the_engine_asked_for_first_takes_part_in_training() -> None:
    @cached_tensor
    def ramp(length: int) -> torch.Tensor:
        return torch.arange(length, dtype=torch.float32)

    with torch.inference_mode():
        first = ramp(3)
    again = ramp(3)
    assert again is first
    weights = torch.ones(3, requires_grad=True)
    (weights * again).sum().backward()
    torch.testing.assert_close(weights.grad, first)
