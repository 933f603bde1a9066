"""What several files of tests use; and the slowest tests come first.

Keras, where it is a peer, runs on PyTorch: operations as they are, where jax compiles each of them.
"""

import os

import pytest

os.environ["KERAS_BACKEND"] = "torch"


def pytest_collection_modifyitems(items):
    """Let slow tests begin first: at the end, one worker would wait for the other's."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def trasluz(capsys):
    """Run a command line in this process: its exit code, output and errors."""

    from trasluz.base.messages import speak
    from trasluz.cli.app import run

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        caught = capsys.readouterr()
        return code, caught.out, caught.err

    yield call
    speak(None)  # what a command was asked to speak is not for the next test
