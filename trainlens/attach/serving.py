"""The other side of `trainlens.attach.sdk`: answers requests until there are no more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[..., dict[str, Any]]) -> None:
    """Answer each line of the standard input by a line of the standard output.

    Parameters
    ----------
    answer : callable
        Takes the values of a request by name.
    """
    # What an SDK prints is not an answer: its output goes to where errors go.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(answer(**json.loads(line))) + "\n")
        answers.flush()
