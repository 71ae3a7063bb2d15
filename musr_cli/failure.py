"""Any exception → one line for people and an exit code for scripts, the same for one file and for a file of a batch."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass

from musr_cli.errors import FAILED, INTERRUPTED, UNAVAILABLE, MusrError


@dataclass(frozen=True)
class Failure:
    """What is told of an error.

    Attributes:
        message: one line.
        exit_code: of a command that fails with it alone.
        trace: the traceback, shown with --debug only.
    """

    message: str
    exit_code: int
    trace: str = ""


def explain(error: BaseException) -> Failure:
    """What to tell of `error`; anything that was not raised as an error for people is called a bug."""
    message, exit_code = _explain(error)
    return Failure(one_line(message), exit_code, "".join(traceback.format_exception(error)))


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, which file names may hold."""
    return "".join(c if c.isprintable() else "\\n" if c == "\n" else f"\\x{ord(c):02x}" for c in text)


def _explain(error: BaseException) -> tuple[str, int]:
    if isinstance(error, MusrError):
        return str(error), error.exit_code
    if _is_model_error(error):
        return str(error), UNAVAILABLE
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --chunk-s or fewer --jobs", FAILED
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", FAILED
    return f"internal error: {type(error).__name__}: {error}; please report it (--debug shows where)", FAILED


def _is_model_error(error: BaseException) -> bool:
    # looked up, not imported: the contract imports torch, and an error of it can only exist once it is loaded
    contract = sys.modules.get("musr_models.contract")
    return contract is not None and isinstance(error, contract.ModelError)
