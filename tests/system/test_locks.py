import re
import subprocess
import sys

import pytest

from kit.errors import KitError
from kit.system.locks import clear, hold

HOLD = """
import sys
from pathlib import Path
from kit.system.locks import hold
with hold(Path(sys.argv[1]), "kit test"):
    print(flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_for_one_process_and_free_when_that_is_gone(tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with (
            pytest.raises(KitError, match=f"{out}: another kit test is at work there"),
            hold(out, "kit test"),
        ):
            pass
        other.kill()
    with hold(out, "kit test"):
        assert out.is_dir()


def test_a_folder_that_stays_empty_is_removed_again(tmp_path):
    with hold(tmp_path / "out", "kit test"):
        assert (tmp_path / "out").is_dir()
    assert not (tmp_path / "out").exists()
    with hold(tmp_path / "out", "kit test"):
        (tmp_path / "out" / "made").touch()
    assert (tmp_path / "out" / "made").exists()


def test_only_temporary_files_of_the_names_given_are_cleared(tmp_path):
    for name in (".a.7.tmp", ".b.7.tmp", "a.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".a.8.tmp").mkdir()
    (tmp_path / ".a.9.tmp").symlink_to(tmp_path / "a.tmp")
    clear(tmp_path, re.compile(r"\.a\.\d+\.tmp"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.7.tmp", "a.tmp"]
