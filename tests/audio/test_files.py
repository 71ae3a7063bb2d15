"""Files that appear whole or not at all, wherever they go and whatever goes wrong."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from musr_cli.audio.files import AtomicFile, failure
from musr_cli.errors import MusrError

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other rights and links")


def write(path: Path, data: bytes = b"new", *, make_parents: bool = False) -> None:
    with AtomicFile(path, make_parents=make_parents) as atomic:
        atomic.file.write(data)


def test_a_file_is_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with AtomicFile(path) as atomic:
        atomic.file.write(b"new")
        assert not path.exists()
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".a.wav.musr-")
        assert temporary.suffix == ".part"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error), AtomicFile(path) as atomic:
        atomic.file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_not_invented_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x" / "y" / "a.wav"
    with pytest.raises(MusrError, match=r"a\.wav: cannot be written: there is no folder .*y; make it first"):
        write(path)
    assert list(tmp_path.iterdir()) == []
    write(path, make_parents=True)
    assert path.read_bytes() == b"new"


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(MusrError, match="it is a folder"):
        write(tmp_path)


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(MusrError, match="is a file, not a folder"):
        write(tmp_path / "x" / "a.wav")


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert list((tmp_path / "folder").iterdir()) == [target]


@posix
def test_a_link_to_what_is_not_there_makes_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link")
    assert (tmp_path / "target").read_bytes() == b"new"


@posix
def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(MusrError, match="symbolic links lead round in a circle"):
        write(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_new_files_have_the_rights_that_the_user_gives(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


@posix
def test_replaced_files_keep_their_rights(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o640)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is writable for root")
def test_read_only_places_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch(mode=0o444)
    with pytest.raises(MusrError, match="permission denied"):
        write(path)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(MusrError, match=r"b: cannot be written: permission denied; .* choose another place"):
            write(tmp_path / "b")
    finally:
        tmp_path.chmod(0o755)


def test_the_longest_names_work(tmp_path: Path) -> None:
    path = tmp_path / ("音" * 80 + ".wav")
    write(path)
    assert path.read_bytes() == b"new"
    with pytest.raises(MusrError, match="the name is too long"):
        write(tmp_path / ("x" * 300))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EXDEV])
def test_errors_are_one_line_with_the_file_and_the_way_out(number: int) -> None:
    message = str(failure("a.wav", "written", OSError(number, os.strerror(number))))
    assert message.startswith("a.wav: cannot be written: ")
    assert "\n" not in message
    assert number == errno.EXDEV or ";" in message
