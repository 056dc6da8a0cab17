"""Advice on speed, on memory, and on the log itself."""

from __future__ import annotations

import math

import numpy as np

from trainlens import words
from trainlens.detect.machine import readings
from trainlens.prescribe.base import (
    EXCLUDED,
    Advice,
    Case,
    Expectation,
    Hypothesis,
    Remedy,
    advises,
)
from trainlens.prescribe.expecting import NOT_LOGGED, expect, series_of
from trainlens.prescribe.signs.moment import waiting
from trainlens.rules.base import Finding
from trainlens.run import Run
from trainlens.stats.noise import median

_PREFETCH: Remedy = ("prefetch three batches in more workers", {"loader.prefetch": 3})
_DEEPEST = 64
"""Batches held ready: more is a cache, or a disk that is too slow."""
_TIME_APART: Remedy = ("log data time and step time apart", {"record.data_time": True})
_IDLE = 0.5


@advises("slow-batch")
def _slow_batch(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            _loader(case, finding),
            "another process shares the machine",
            "a checkpoint or an evaluation was counted into the step",
        ),
        do=() if case.run.with_role("data-time") else (_TIME_APART,),
        verify="the slow steps take less than half of what they take now, measured in usual ones",
        expect=_even(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _even(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """No slow steps; where the steps in a stretch were slow, none of those."""
    usual = finding.evidence.get("usual")
    if usual is not None and finding.first_step is not None:
        first, last = finding.first_step, finding.last_step
        return expect(finding, "<", 1.5 * usual, "median", first=first, last=last)
    worst, slow = (finding.evidence.get(k) for k in ("worst_ratio", "slow"))
    series = series_of(case, finding)
    if worst is None or slow is None or series is None:
        return expect(finding, "<", 3.0, "p99/median")
    # A percentile does not mind the one hiccup that every machine has.
    often = slow >= 0.01 * len(series.finite)
    return expect(finding, "<", max(3.0, worst / 2), "p99/median" if often else "max/median")


def _loader(case: Case, finding: Finding) -> Hypothesis:
    """Whether the slow steps waited for data."""
    text, ahead = "the data loader does not keep up", _ahead(case, finding)
    shares = waiting(case.run, finding.first_step, finding.last_step, _least(finding))
    if shares is None:
        return Hypothesis(text, 0.5, do=(ahead,))
    slow, else_ = words.percent(shares[0], 2), words.percent(shares[1], 2)
    if shares[0] > 0.5 or (shares[0] > 0.3 and shares[0] > 2 * shares[1]):
        said = f"waiting for data took {slow} of the slow steps, {else_} of the others"
        return Hypothesis(text, 0.92, said, (ahead,))
    said = f"waiting for data took only {slow} of the slow steps"
    return Hypothesis("not the data loader", EXCLUDED, said)


def _least(finding: Finding) -> float:
    """Time from which a step is one of the slow ones: nearer to the slowest than to the usual."""
    worst, times = (finding.evidence.get(k) for k in ("worst", "worst_ratio"))
    return worst / math.sqrt(times) if worst and times and times > 1 else 0.0


def _ahead(case: Case, finding: Finding) -> Remedy:
    """As many batches ready as fast steps fit into the longest wait; else three."""
    worst, series = finding.evidence.get("worst"), series_of(case, finding)
    if worst is None or series is None:
        return _PREFETCH
    fast = float(np.percentile(series.finite.value, 10))
    times = worst / fast if fast > 0 else math.inf
    depth = max(3, math.ceil(min(times, _DEEPEST)))
    text = f"prefetch {depth} batches: the longest wait, {words.with_unit(worst, series.unit)}, "
    text += f"is as long as {words.number(times, 2)} fast steps"
    return text, {"loader.prefetch": depth}


@advises("throughput-drop")
def _throughput_drop(case: Case, finding: Finding) -> Advice:
    run, waits = case.run, any(_is_wait(f) for f in case.faults("throughput-drop"))
    leaks = any("growth" in f.evidence for f in case.faults("memory-pressure"))
    causes = (
        "the GPU is throttled (heat, power) or shared with another job",
        "inputs got longer, or more of the model is trained, from that step on",
        "a cache is full, or the disk or network is slower",
    )
    loading = "the data loader does not keep up"
    starved = _idle(run)
    if starved:
        loading += f": the GPU computes {words.percent(starved, 2)} of the time"
    first: tuple[str, ...] = (loading,) if waits or starved else ()
    if leaks:
        first += ("memory leaks, and the allocator works harder and harder",)
    look = (f"compare the machine before and after step {words.step(finding.first_step or 0)}: "
            "clocks, temperature, other jobs, the host it was resumed on")  # fmt: skip
    measure = () if run.with_role("data-time") else (_TIME_APART,)
    do: tuple[Remedy, ...] = (_PREFETCH, (look, {})) if first else ((look, {}), _PREFETCH)
    return Advice(
        causes=(*first, *causes) if first else (*causes, loading),
        do=(*do, *measure),
        verify="throughput is back within a tenth of its usual level for a twentieth of the run",
        expect=() if waits and _is_wait(finding) else _as_fast(finding),
        unmeasured=NOT_LOGGED,
    )


def _as_fast(finding: Finding) -> tuple[Expectation, ...]:
    """The usual speed, over the steps that were slow."""
    first, last = finding.first_step, finding.last_step
    usual = finding.evidence.get("usual")
    least = 0.9 * usual if usual is not None else None
    return expect(finding, ">=", least, "median", first=first, last=last)


def _is_wait(finding: Finding) -> bool:
    return finding.metric != "" and "waits for data" in finding.message


def _idle(run: Run) -> float:
    """Share of the time that the GPU computes where that is little, 0 else or if unknown."""
    for series in readings(run, "gpu-usage"):
        value = series.finite.value
        if len(value) and float(value.min()) >= 0:
            share = median(value) / (100.0 if float(value.max()) > 1.0 else 1.0)
            if 0 < share < _IDLE:
                return share
    return 0.0


@advises("memory-pressure")
def _memory_pressure(case: Case, finding: Finding) -> Advice:
    if "growth" not in finding.evidence:
        return Advice(
            causes=("batches or inputs are near the largest that fit",),
            do=(*_smaller(case.run), ("recompute activations in the backward pass", {})),
            verify="memory stays below 90 % and the allocator never gives its cache back",
            expect=_below_full(case, finding),
            unmeasured=NOT_LOGGED,
        )
    return Advice(
        causes=(
            "losses or outputs are kept with their graph from step to step",
            "a list of tensors, a cache or a metric grows and is never emptied",
            "inputs grow in the course of the run",
        ),
        do=(
            ("keep numbers, not tensors: `.item()` or `.detach()` on all that is collected", {}),
            ("empty metrics and caches at the end of each epoch", {}),
            ("until it is found, save often and resume before memory runs out", {}),
        ),
        verify="memory is flat from the second epoch on",
        expect=_flat(finding),
        unmeasured=NOT_LOGGED,
    )


def _below_full(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """Less than the limit, in the unit of the log."""
    series = series_of(case, finding)
    limit, highest = (finding.evidence.get(k) for k in ("threshold", "highest"))
    if series is None or limit is None or not highest:
        return ()
    return expect(series, "<", limit / highest * float(series.finite.value.max()), "p90")


def _flat(finding: Finding) -> tuple[Expectation, ...]:
    """A quarter at most of what it grew by."""
    before, now = finding.evidence.get("before"), finding.evidence.get("now")
    return expect(finding, "<", (now - before) / 4 if now and before else None, "change")


@advises("out-of-memory")
def _out_of_memory(case: Case, finding: Finding) -> Advice:
    causes: tuple[Hypothesis | str, ...] = (
        _longer(case, finding),
        "batches or inputs are larger than what fits",
    )
    if any("growth" in f.evidence for f in case.faults("memory-pressure")):
        causes = ("memory leaks (see memory-pressure)", *causes)
    return Advice(
        causes=causes,
        do=(
            *_smaller(case.run),
            (
                "when it happens, do the update again in smaller pieces: where the batch is "
                "skipped, long inputs are never learned from",
                {"guard.out_of_memory": "halve"},
            ),
            ("recompute activations in the backward pass, or cut the longest inputs", {}),
        ),
        verify="the count stays where it is over a whole epoch",
        expect=_never(case, finding),
        unmeasured="the log says it in words, not with a number",
    )


def _longer(case: Case, finding: Finding) -> Hypothesis:
    """Whether memory ran out now and then, between batches that fitted."""
    text, series = "single inputs are far longer", series_of(case, finding)
    records = finding.evidence.get("records", 0)
    loss = case.run.main("loss", "train")
    if series is None or loss is None or finding.first_step is None or records < 3:
        return Hypothesis(text, 0.35)
    last = finding.last_step if finding.last_step is not None else finding.first_step
    fitted = int(np.sum((loss.step >= finding.first_step) & (loss.step <= last)))
    if fitted < records:
        return Hypothesis(text, 0.35)
    said = f"between the {words.step(round(records))} records in which memory ran out, "
    said += f"{words.step(fitted)} others went through"
    return Hypothesis(text, 0.7, said)


def _never(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """A count that stands still, or a flag that is never set."""
    series = series_of(case, finding)
    if series is None:
        return ()
    if float(series.finite.value[0]) > 0 and finding.evidence.get("records") == 1:
        return expect(series, "==", 0.0, "max")  # it stands there from the first record on
    return expect(series, "<=", 0.0, "rise")


def _smaller(run: Run) -> tuple[Remedy, ...]:
    """Half of the batch, twice the accumulation, with values where the configuration has them."""
    size = next(
        (v for k in ("batch_size", "train_batch_size", "per_device_train_batch_size")
         if isinstance(v := run.config.get(k), int) and v >= 2),
        None,
    )  # fmt: skip
    if size is None:
        return (("halve the batch and accumulate the gradient over two", {"batch.scale": 0.5}),)
    text = f"lower the batch size from {size} to {size // 2} and accumulate the gradient over two"
    return ((text, {"batch.size": size // 2, "batch.accumulation": 2}),)


@advises("stalled-log")
def _stalled_log(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the process was suspended, preempted or waited in a queue",
            "ranks wait for each other, or a data worker hangs",
            "the disk was full, or slow to write to",
        ),
        do=(
            ("look at what the process does (`py-spy dump`), at its ranks and at the disk", {}),
            ("save often enough that a restart costs little", {}),
        ),
        verify="records come at the usual interval again",
        unmeasured="it is told by the times of the records, not by a value",
    )


@advises("log-damage")
def _log_damage(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the process was killed while it wrote",
            "the disk was full, or the copy is incomplete",
            "two processes wrote into one file",
        ),
        do=(
            ("copy the log again from where it was written; `git lfs pull` for pointers", {}),
            ("give each process a file of its own", {}),
        ),
        verify="`trainlens ls` shows no damage",
        unmeasured="damage is no value of a series; --strict fails on it",
    )
