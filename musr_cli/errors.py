"""Errors that end a command: one line for people, one exit code for scripts.

Every message names the file (or option) and the way out. Anything else that escapes is a bug, shown as such.
"""

from __future__ import annotations

FAILED = 1
USAGE = 2
PARTIAL = 3
UNAVAILABLE = 4
INTERRUPTED = 130


class MusrError(Exception):
    """Work failed: unreadable input, full disk, refused output (exit 1)."""

    exit_code = FAILED


class UsageError(MusrError):
    """The command line asks for something contradictory or incomplete (exit 2)."""

    exit_code = USAGE


class PartialFailureError(MusrError):
    """Some files of a batch failed; the others are done (exit 3)."""

    exit_code = PARTIAL


class UnavailableError(MusrError):
    """A model, variant or device that is not there (exit 4)."""

    exit_code = UNAVAILABLE
