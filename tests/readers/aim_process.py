"""Python with the AIM SDK in a process of its own: trainlens never shares one with it."""

import os
import sys


def aim_process(code, *args, **options):
    """Command and options for `subprocess` that run some code."""
    home = {**os.environ, "PYTHONWARNINGS": "ignore", "AIM_ANALYTICS_DISABLED": "1"}
    return [sys.executable, "-c", code, *map(str, args)], {"env": home, "text": True, **options}
