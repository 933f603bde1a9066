"""What several files of tests use."""

import pytest


@pytest.fixture
def trasluz(capsys):
    """Run a command line in this process: its exit code, output and errors."""

    from trasluz.cli.app import run

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        caught = capsys.readouterr()
        return code, caught.out, caught.err

    return call
