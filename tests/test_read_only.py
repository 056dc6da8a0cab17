"""No command writes, locks, creates or touches anything beneath the runs that it reads."""

import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

READERS = Path(__file__).parent / "readers"
COMMANDS = {
    "ls": ["ls"],
    "ls --all": ["ls", "--all"],
    "diagnose": ["diagnose"],
    "diagnose --json": ["diagnose", "--json", "--strict", "--profile", "seed"],
    "report": ["report", "--format", "html", "--format", "md", "-o", "{out}/report"],
    "plot": ["plot", "--metric", "loss", "-o", "{out}/plot.png"],
    "export": ["export", "-o", "{out}/all.csv"],
}

# Runs the command line; anything that would write beneath the tree is told on stderr.
WATCHED = r"""
import os, sys
tree = os.path.realpath(sys.argv.pop(1))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.utime",
           "os.link", "os.symlink", "os.truncate", "os.setxattr", "shutil.", "sqlite3.connect")
def beneath(path):
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    return isinstance(path, (str, os.PathLike)) and os.path.realpath(path).startswith(tree)
def watch(event, args):
    if event == "open" and beneath(args[0]) and args[2] & WRITES:
        print("WRITE", event, args, file=sys.stderr)
    if event.startswith(CHANGES):
        last = args[1:2] if event in ("os.symlink", "os.link") or event.startswith("shutil.copy") \
            else args[:2]
        if any(beneath(a) for a in last):
            print("WRITE", event, args, file=sys.stderr)
sys.addaudithook(watch)
from trainlens.cli import main
main()
"""


def state(root):
    """Times, modes, owners and contents of everything in a tree."""
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        entry = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        times = entry.st_mtime_ns, entry.st_ctime_ns
        found[str(path.relative_to(root))] = (*times, entry.st_mode, entry.st_ino, content)
    return found


def damage(tree):
    """Torn, packed and broken copies of what is there."""
    for path in [p for p in sorted(tree.rglob("*")) if p.is_file() and ".aim" not in str(p)]:
        data = path.read_bytes()
        torn = tree / "torn" / path.parent.name
        torn.mkdir(parents=True, exist_ok=True)
        (torn / path.name).write_bytes(data[: len(data) * 2 // 3 - 1])
        (torn / f"{path.name}.gz").write_bytes(gzip.compress(data))


@pytest.fixture(scope="module")
def tree(tmp_path_factory, sample_runs):
    """Runs of many formats; AIM repositories with killed, unindexed and live runs."""
    pytest.importorskip("aim")
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(sample_runs, root / "samples")
    damage(root)
    home = {**os.environ, "PYTHONWARNINGS": "ignore", "AIM_ANALYTICS_DISABLED": "1"}
    writer = [sys.executable, READERS / "aim_writer.py", root / "written"]
    (root / "written").mkdir()
    assert subprocess.run(writer, env=home, capture_output=True, timeout=120).returncode == -9
    shutil.copytree(root / "written", root / "bad-index")
    for path in (root / "bad-index/.aim/meta/index").iterdir():
        path.write_bytes(b"garbage")
    live = subprocess.Popen(
        [sys.executable, "-c", LIVE, root / "live"],
        env=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert live.stdout.readline().strip() == "ready"
    # A live run, held still: the writer's own threads would change files meanwhile.
    time.sleep(1)
    live.send_signal(signal.SIGSTOP)
    yield root
    live.send_signal(signal.SIGCONT)
    live.communicate("")


LIVE = r"""
import sys
from aim import Run
run = Run(repo=sys.argv[1], log_system_params=False, capture_terminal_logs=False,
          system_tracking_interval=None)
for step in range(300):
    run.track(step * 2.0, name="loss", step=step, context={"subset": "train"})
print("ready", flush=True)
sys.stdin.read()
"""


def run(arguments, tree, out, scratch, prefix=()):
    arguments = [a.format(out=out) for a in arguments]
    home = {**os.environ, "TMPDIR": str(scratch), "MPLCONFIGDIR": str(out), "HOME": str(out)}
    return subprocess.run(
        [*prefix, sys.executable, "-c", WATCHED, str(tree), *arguments, str(tree)],
        env=home, capture_output=True, text=True, timeout=300, cwd=out,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_beneath_the_runs_changes(command, tree, tmp_path):
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    before = state(tree)
    done = run(COMMANDS[command], tree, out, scratch)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1), done.stderr[-2000:]
    assert [line for line in done.stderr.splitlines() if line.startswith("WRITE")] == []
    assert state(tree) == before
    assert list(scratch.iterdir()) == []


@pytest.fixture(scope="module")
def frozen(tree, tmp_path_factory):
    """A copy that nobody may write to."""
    copy = tmp_path_factory.mktemp("frozen") / "tree"
    shutil.copytree(tree, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield copy
    for path in [p for p in [copy, *copy.rglob("*")] if p.is_dir()]:
        path.chmod(0o755)


# The others read what these read.
@pytest.mark.parametrize("command", ["ls", "diagnose", "report", "plot", "export"])
def test_a_tree_without_write_permission(command, frozen, tmp_path):
    """Permissions hold for root, too, once it has given up the right to pass over them."""
    prefix = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("run as root without setpriv: permissions would not hold")
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    refused = subprocess.run([*prefix, "touch", frozen / "new"], capture_output=True, text=True)
    assert "Permission denied" in refused.stderr
    done = run(COMMANDS[command], frozen, out, scratch, prefix)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1), done.stderr[-2000:]
    assert "cannot be read" not in done.stdout + done.stderr
