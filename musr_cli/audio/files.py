"""Files that appear whole or not at all, and what goes wrong with files, in one line each."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

from musr_cli.errors import MusrError

# longest part of a name that its temporary name repeats: with 4-byte letters still below the usual limit of 255 bytes
_NAME_LETTERS = 40

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file system or a limit allows no file of this size; choose another folder",
    errno.EACCES: "permission denied; change its access rights or choose another place",
    errno.EPERM: "permission denied; change its access rights or choose another place",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOTDIR: "part of this path is a file, not a folder; choose another place",
    errno.EISDIR: "it is a folder, not a file; name a file",
    errno.ELOOP: "symbolic links lead round in a circle; remove them",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the device reports an error; check the disk",
    errno.ENOENT: "there is no such file; check the name",
    errno.EPIPE: "whoever was to read it is gone",
}


def failure(name: object, doing: str, error: OSError) -> MusrError:
    """An error of the operating system as one line, such as "a.wav: cannot be written: the disk is full; …"."""
    reason = _REASONS.get(error.errno or 0) or f"{error.strerror or error}"
    return MusrError(f"{name}: cannot be {doing}: {reason}")


class AtomicFile:
    """A file under a temporary name (`.name.musr-….part`, in the same folder), renamed once it is whole.

    Links are followed, the access rights of a file that it replaces are kept, and a failure of any kind, Ctrl-C
    included, leaves what was there before.

    Attributes:
        path: the final name.
        folder: of the file, links followed.
        file: to write to.
    """

    def __init__(self, path: Path, *, make_parents: bool = False) -> None:
        """Open the temporary file.

        Args:
            path: the final name.
            make_parents: whether missing folders are made; else they are an error.

        Raises:
            MusrError: a place that cannot be written to.
        """
        self.path = path
        self._mode = _mode_of_replaced(path)
        # written through: a link stays a link
        self._final = Path(os.path.realpath(path))
        self.folder = self._final.parent
        self._temporary = self._final.with_name(f".{path.name[:_NAME_LETTERS]}.musr-{secrets.token_hex(4)}.part")
        try:
            if make_parents:
                self.folder.mkdir(parents=True, exist_ok=True)
            elif not self.folder.exists():
                raise MusrError(f"{path}: cannot be written: there is no folder {self.folder}; make it first")
            # "x" keeps the rights that the user's umask gives, which tempfile does not
            self.file: BinaryIO = self._temporary.open("xb")
        except OSError as error:
            raise failure(path, "written", error) from error

    def commit(self) -> None:
        """Bring the bytes to the disk and give the file its name."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            if self._mode is not None:
                self._temporary.chmod(self._mode)
            self._temporary.replace(self._final)
        except OSError as error:
            raise failure(self.path, "written", error) from error

    def discard(self) -> None:
        """Remove the temporary file, if it is still there."""
        # the buffer may hold what a full disk refused
        with contextlib.suppress(OSError):
            self.file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.discard()


def _mode_of_replaced(path: Path) -> int | None:
    """Access rights of the file in the place of `path`; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(path, "written", error) from error
    if stat.S_ISDIR(status.st_mode):
        raise failure(path, "written", OSError(errno.EISDIR, ""))
    if not os.access(path, os.W_OK):
        raise failure(path, "written", OSError(errno.EACCES, ""))
    return stat.S_IMODE(status.st_mode)
