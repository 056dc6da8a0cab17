"""A program that shows made updates on the terminal that it is started in; see `test_tmux`."""

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from screen_updates import change, failing, standing, update

from trainlens.cli._live import console
from trainlens.monitor.screen.keys import keys_of
from trainlens.monitor.screen.screen import Screen


def main():
    """Show three runs until `q` or an interrupt."""
    told = update(standing("aa"), failing("bb"), standing("cc"), changes=(change(run="bb"),))
    try:
        with Screen(console=console(), keys=keys_of(sys.stdin), clock=time.monotonic) as screen:
            for number in range(1, 600):
                screen.show(replace(told, round=number, changes=told.changes[number:]))
                if screen.wait(1.0) == "quit":
                    break
    except KeyboardInterrupt:
        print("interrupted")
        return 130
    print("left by a key")
    return 0


if __name__ == "__main__":
    sys.exit(main())
