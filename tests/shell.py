"""The command line in this process, as a shell would start it."""

import sys

import pytest
from click.testing import CliRunner

from trainlens import cli


class _Entry:
    """`main` in the shape that click's test runner calls."""

    name = "trainlens"

    def main(self, args, prog_name, **extra):
        cli.main()


def invoke(*arguments, **more):
    """What a command did, as click tells it; `more` is for click's runner."""
    arguments = list(map(str, arguments))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["trainlens", *arguments])
        return CliRunner(**more).invoke(_Entry(), arguments)


def run(*arguments):
    """Exit code, stdout and stderr of a command."""
    result = invoke(*arguments)
    return result.exit_code, result.stdout, result.stderr
