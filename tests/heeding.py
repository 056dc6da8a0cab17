"""Processes that a test wants to interrupt."""

import os
import signal


def _heed():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


HEEDING = {"preexec_fn": _heed} if os.name == "posix" else {}
"""For `subprocess`: what a job in the background of a shell starts ignores Ctrl-C otherwise."""
