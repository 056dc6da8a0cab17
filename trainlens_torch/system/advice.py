"""What readings of the machine mean, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["advice"]


def advice(
    stats: Mapping[str, float],
    usual: tuple[float, float] | None = None,
    *,
    full: float = 0.9,
    slow: float = 300.0,
    waiting: float = 0.3,
    least_disk: float = 5.0,
) -> list[str]:
    """What to do, one sentence each; empty where nothing is wrong.

    Parameters
    ----------
    stats : mapping of str to float
        Readings under the names of `SystemMonitor`.
    usual : (float, float), optional
        Seconds of a usual step, and the share of it that waits for data.
    full : float
        Share of a memory above which it is nearly full.
    slow : float
        Seconds of a step.
    waiting : float
        Share of a step that waits for data.
    least_disk : float
        GiB that should be free.
    """
    return [*_memory(stats, full), *_disk(stats, least_disk), *_steps(usual, slow, waiting)]


def _memory(stats: Mapping[str, float], full: float) -> Iterator[str]:
    used, total = stats.get("gpu_memory_gib"), stats.get("gpu_memory_total_gib")
    if used is not None and total and used > full * total:
        yield (
            f"GPU memory is {100 * used / total:.0f} % full: take smaller batches and accumulate "
            "gradients, or recompute activations"
        )
    ooms = round(stats.get("num_ooms", 0.0))
    if ooms:
        times = "1 time" if ooms == 1 else f"{ooms} times"
        yield f"GPU memory ran out {times}: take smaller batches"
    if stats.get("ram_percent", 0.0) > 100 * full:
        yield (
            f"the memory of the machine is {stats['ram_percent']:.0f} % full: fewer workers of the "
            "loader, and no lists that grow from step to step"
        )


def _disk(stats: Mapping[str, float], least: float) -> Iterator[str]:
    free = stats.get("disk_free_gib")
    if free is not None and free < least:
        yield f"{free:.2g} GiB are free on the disk of the log: clear it, or the log will end"


def _steps(usual: tuple[float, float] | None, slow: float, waiting: float) -> Iterator[str]:
    if usual is None:
        return
    took, share = usual
    if took > slow:
        yield f"a step takes {took:.0f} s: look at the loader, then at the model"
    if share > waiting:
        yield (
            f"{100 * share:.0f} % of the time waits for data: more workers, prefetching, "
            "or data that is prepared beforehand"
        )
