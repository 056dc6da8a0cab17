"""What the tests of attached reports share: a command line, runs to report, and fingerprints."""

import hashlib
import json

from tests.shell import run as command


def report(out, *arguments):
    """`trainlens report` into a folder beside the runs, without plots."""
    return command("report", *arguments, "-o", out, "--no-config", "--no-cache", "--no-plots")


def judged(*paths):
    """What `trainlens diagnose` says of some paths, as data."""
    code, out, err = command("diagnose", *paths, "--json", "--no-config", "--no-cache")
    assert code in (0, 1), err
    return json.loads(out)


def prints(folder):
    """SHA-256 of every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_log(path, steps=300, rise=False):
    """A JSON Lines log whose validation loss rises where it is wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(steps):
        loss = 2 / (1 + i) ** 0.4
        val = loss + 0.05 * (i % 7) / 7 + (max(0, i - 100) / 60 if rise else 0)
        lines.append(json.dumps({"step": i, "train/loss": loss, "val/loss": val}) + "\n")
    path.write_text("".join(lines))
    return path
