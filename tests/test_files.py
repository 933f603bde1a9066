"""Writing files whole or not at all."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from trasluz.base.files import write_atomically
from trasluz.errors import UserError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file"]


def test_permissions_are_those_of_any_new_file_and_stay(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "file"
    plain.write_bytes(b"")
    write_atomically(path, b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    path.chmod(0o640)
    write_atomically(path, b"again")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX's")
def test_a_real_limit_of_the_system_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    program = (
        "import resource, signal, sys\n"
        "from trasluz.base.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(sys.argv[1], bytes(5000))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert "UserError" in done.stderr and "cannot be written" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_path_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below", b"")
