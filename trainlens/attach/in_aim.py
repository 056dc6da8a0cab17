"""Serves the AIM SDK: ``python -m trainlens.attach.in_aim``."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import Any

from trainlens.attach.serving import serve

_CLOSE = "wait until it has ended; if nothing writes it, `aim runs close` frees it"


def attach(
    repo: str, run: str, text: str, images: list[str], names: list[str], step: int
) -> dict[str, Any]:
    """Track a text and images in a run that is not being written.

    Parameters
    ----------
    repo : str
        Folder ``.aim``.
    run : str
        Hash.
    text : str
    images : list of str
        Files.
    names : list of str
        Of the text and of the images.
    step : int

    Returns
    -------
    dict
        ``refused`` and ``remedy`` where nothing was done.
    """
    # Where AIM looks for the name of the repository's folder, each time that it needs it.
    os.environ["__AIM_REPO_NAME__"] = Path(repo).name
    import aimrocks.errors
    from aim.sdk.errors import RunLockingError
    from aim.sdk.maintenance_run import MaintenanceRun
    from aim.sdk.repo import Repo

    if _is_written(repo, run):
        return {"refused": f"run {run} is being written by another process", "remedy": _CLOSE}
    opened = Repo(str(Path(repo).parent))
    try:
        # Unlike `Run` it neither marks the run as going on nor says afterwards that it has ended.
        held = MaintenanceRun(run, repo=opened)
    except (RunLockingError, aimrocks.errors.RocksIOError) as error:
        return {"refused": f"run {run} cannot be opened: {_line(error)}", "remedy": _CLOSE}
    try:
        _track(held, text, images, names, step)
    finally:
        _close(held)
        opened.container_pool.clear()
    _index(opened, run)
    return {"done": True}


def _close(held: Any) -> None:
    # It gives its lock back; unlike that of `Run` it has no method for that.
    held._resources.close()


def _is_written(repo: str, run: str) -> bool:
    """Whether a process that lives has the run open; a lock of one that died counts for nothing."""
    from aim.sdk.lock_manager import LockManager

    manager = LockManager(repo)
    if not manager.get_run_lock_info(run).locked:
        return False
    lock = manager.locks_path / manager.softlock_fname(run)
    return not (lock.exists() and manager.is_stalled_lock(lock))


def _track(held: Any, text: str, images: list[str], names: list[str], step: int) -> None:
    from aim.sdk.tracker import RunTracker

    aim: Any = importlib.import_module("aim")  # it does not say what it exports
    track = RunTracker(held)
    track(aim.Text(text), names[0], step=step)
    if images:
        shown = [aim.Image(path, format="png", caption=Path(path).stem) for path in images]
        track(shown if len(shown) > 1 else shown[0], names[1], step=step)


def _index(repo: Any, run: str) -> None:
    """Renew what the index holds of a run; `aim up` does so by itself where it is running."""
    import aimrocks.errors
    from aim.sdk.index_manager import RepoIndexManager

    # Without an index AIM reads the runs themselves; a first one would hide all others.
    if not (Path(repo.path) / "meta" / "index").is_dir():
        return
    with contextlib.suppress(aimrocks.errors.RocksIOError):  # held by `aim up`
        RepoIndexManager.get_index_manager(repo).index(run)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    serve(attach)
