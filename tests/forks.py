"""Processes of the kit that a test may kill, limit or read: forked from a server that has loaded
kit.tf and computed nothing yet (a fork after TensorFlow's first op hangs), so a start takes a tenth
of a second instead of seven.

The functions here that take what a child does run in the child.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import types
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "kit.cli",
        "kit.packing.packing",
        "kit.tf.data.tfds_metadata",
        "kit.tf.inference.inference",
        "kit.tf.training.training",
    ]
)


class Child:
    """A forked process that calls `task(*arguments)`; the part of subprocess.Popen that tests use.

    Its exit status is what `task` returns, by way of sys.exit.
    """

    def __init__(self, task, *arguments):
        self._folder = tempfile.TemporaryDirectory()
        paths = [str(Path(self._folder.name, name)) for name in ("out", "err")]
        self._paths = paths
        self._process = SERVER.Process(target=_call, args=(paths, os.getcwd(), task, arguments))
        kept, sys.modules["__main__"] = sys.modules["__main__"], types.ModuleType("__main__")
        try:  # without pytest's own main module, which the child would import first
            self._process.start()
        finally:
            sys.modules["__main__"] = kept
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    poll = returncode.fget

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a child", timeout)
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """What it wrote to standard output and standard error, when it has ended."""
        self.wait()
        return tuple(Path(path).read_text() for path in self._paths)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)


def finish(task, *arguments) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a child."""
    child = Child(task, *arguments)
    output, errors = child.communicate()
    return child.returncode, output, errors


def _call(paths, folder, task, arguments) -> None:
    for number, path in zip((1, 2), paths):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    sys.exit(task(*arguments))


def run_kit(*arguments) -> None:
    """`kit ARGUMENTS` in a child."""
    from kit import cli

    sys.argv = ["kit", *map(str, arguments)]
    cli.run()


def run_kit_within(limit: int, *arguments) -> None:
    """`kit ARGUMENTS` in a child that can write no file of more than `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    run_kit(*arguments)


def run_kit_without(module: str, *arguments) -> None:
    """`kit ARGUMENTS` in a child where `module` is not installed."""
    for name in [*sys.modules]:
        if name.split(".")[0] == module or name.startswith("kit.tf."):
            del sys.modules[name]
    sys.modules[module] = None
    run_kit(*arguments)
