from __future__ import annotations

import sys

import pytest

from musr_cli.errors import MusrError
from musr_cli.existing import refuse_existing


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    there = tmp_path / "there.png"
    there.touch()
    with pytest.raises(MusrError, match=r"there\.png: exists already; --overwrite replaces it"):
        refuse_existing(there, overwrite=False)
    with pytest.raises(MusrError, match="is a folder"):
        refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(MusrError, match="there is no folder"):
        refuse_existing(tmp_path / "no" / "new.png", overwrite=False)


def test_what_can_be_written_passes(tmp_path):
    there = tmp_path / "there.png"
    there.touch()
    refuse_existing(there, overwrite=True)
    refuse_existing(tmp_path / "new.png", overwrite=False)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_broken_link_is_something_that_exists(tmp_path):
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "gone.png")
    with pytest.raises(MusrError, match="exists already"):
        refuse_existing(link, overwrite=False)
