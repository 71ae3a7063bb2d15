"""What the commands of the gallery share: options, errors in one line, and what ran them."""

from __future__ import annotations

import argparse
import platform
import shlex
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn

from musr_cli.console import report_errors
from musr_cli.errors import UsageError

_PACKAGES = ("torch", "numpy", "scipy", "soxr")


class Parser(argparse.ArgumentParser):
    """Its errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (--help lists what there is)")


def run(main: Callable[[list[str]], None]) -> None:
    """Run a command: every error becomes one line and an exit code, and so does an interruption."""
    # what service managers send leaves through the same clean-up as any error
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with report_errors():
        main(sys.argv[1:])


def command_line(script: str, arguments: list[str]) -> str:
    """The command as one types it."""
    return shlex.join(["python", f"benchmarks/{script}", *arguments])


def versions() -> str:
    """Of all that has a say in the figures."""
    packages = (f"{name} {version(name)}" for name in ("musr", *_PACKAGES))
    return f"{', '.join(packages)}, Python {platform.python_version()}"
