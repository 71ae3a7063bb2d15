"""musr gives music back the high frequencies it lost.

From Python: `restored, rate = musr_cli.enhance(x, sample_rate, musr_cli.Settings(model="gan", ratio=2))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musr_cli.engine.enhancer import Settings, enhance

__version__ = "0.1.0"
__all__ = ["Settings", "__version__", "enhance"]


def __getattr__(name: str) -> Any:
    # torch costs two seconds: `musr --help` and its like must not pay for what they do not use
    if name in {"Settings", "enhance"}:
        from musr_cli.engine import enhancer

        return getattr(enhancer, name)
    raise AttributeError(f"module 'musr_cli' has no attribute '{name}'")
