"""Realistic runs and judgements made by hand, for the tests of the report and its renderers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trainlens.reporting import digest
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Notice, Run

NOW = 1_769_700_000.0
N = 4000


def column(name, step, value, split=None, start=NOW - 90_000, every=0.8, epoch_steps=0):
    """A column of a log whose records are `every` seconds a step apart."""
    step = np.asarray(step, np.int64)
    epoch = step / epoch_steps if epoch_steps else np.full(len(step), np.nan)
    return Column(name, step, np.asarray(value, float), start + every * step, epoch, split)


def run(name, columns, config=None, notices=(), source="logs", fmt="jsonl"):
    """A run as a reader would make it."""
    chunk = Chunk(tuple(columns), config or {}, tuple(notices))
    return Run(name, f"{source}/{name}", fmt).extend(chunk)


def curve(rng, n, begin=4.2, end=1.1, power=0.35, noise=0.03):
    """A power-law loss with noise proportional to it, shape (n,)."""
    t = np.arange(n)
    return (end + (begin - end) * (1 + t / 20) ** -power) * (1 + noise * rng.standard_normal(n))


def rate(n, peak=3e-4, warmup=0.05):
    """Warmup and cosine, shape (n,)."""
    t = np.arange(n) / n
    return peak * np.where(t < warmup, t / warmup, 0.5 * (1 + np.cos(np.pi * t)))


def training(name, seed, n=N, stride=25, overfit=0.0, config=None, **kind):
    """A whole run: loss, parts, rate, gradient norm, validation loss and MPJPE, GPU memory."""
    rng = np.random.default_rng(seed)
    step = stride * np.arange(n)
    loss = curve(rng, n, **kind)
    every = step[n // 40 :: n // 40]
    at = np.searchsorted(step, every)
    late = at / n
    val = loss[at] * 1.08 + overfit * np.clip(late - 0.35, 0, 1) ** 1.2
    mpjpe = 62 + 70 * (1 + 12 * late) ** -1.1 + 25 * overfit * np.clip(late - 0.35, 0, 1)
    return run(
        name,
        [
            column("train/loss", step, loss - 0.4 * overfit * np.arange(n) / n, epoch_steps=2500),
            column("val/loss", every, val + 0.012 * rng.standard_normal(len(at)), epoch_steps=2500),
            column("val/mpjpe", every, mpjpe + 1.5 * rng.standard_normal(len(at))),
            column("train/loss_theta", step, loss * 0.6 + 0.02 * rng.standard_normal(n)),
            column("lr", step, rate(n)),
            column("grad_norm", step, np.exp(0.2 * rng.standard_normal(n)) * (0.5 + loss / 4)),
            column("batch_time", step, 0.8 + 0.05 * rng.gamma(2, 1, n)),
            column("system/gpu_util", step, 91 + 4 * rng.standard_normal(n), "train"),
        ],
        config or {"optimizer": {"name": "AdamW", "lr": 3e-4}, "seed": seed, "batch_size": 64},
    )


def finding(rule, severity="warning", metric="", split="", first=None, last=None, **more):
    """A complete fault with invented words."""
    base = {
        "message": "The loss rose from 1.21 to 2.94 within 50 steps and came back at 61 400. "
        "The usual spread of this run is 0.03, so this is 54 sigma.",
        "evidence": {"before": 1.21, "peak": 2.94, "sigma": 54.2},
        "confidence": 0.98,
        "causes": ("A bad batch", "A learning rate at the edge of what this model bears"),
        "prescriptions": (
            {"text": "Clip the gradient norm at 1.0", "patch": {"clip_grad_norm": 1.0}},
            {"text": "Log the indices of the batch at step 61 000", "patch": {}},
        ),
        "verify": "No spike above 0.2 in the next 20 000 steps.",
    }
    base.update(more)
    return Finding(rule, Status.FAIL, Severity(severity), metric, split, first, last, **base)


def passes():
    """What rules say that found nothing."""
    return (
        Finding("non-finite", Status.PASS, message="All 24 240 values are finite."),
        Finding("divergence", Status.PASS, message="The loss ends 0.4 % above its best window."),
        Finding("frozen-parameters", Status.SKIP, message="no per-layer gradients in this log"),
        Finding("low-coverage", Status.SKIP, message="no coverage in this log"),
        Finding("stagnation", Status.INCONCLUSIVE,
                message="an improvement below 0.9 % could not have been seen"),
    )  # fmt: skip


def healthy():
    """One run without any finding."""
    return Diagnosis(training("baseline", 1), passes())


def overfitting():
    """One run whose validation turns, with a spike in its gradient norm."""
    return Diagnosis(
        training("29-01-2026", 2, overfit=1.5),
        (
            finding(
                "overfitting", "error", "loss", "val", 42_500, 97_500,
                message="Validation loss rose from 1.66 to 2.31 (+39 %) since step 42 500 while "
                "training loss fell by another 21 %. The noise of an evaluation is 0.012.",
                evidence={"best": 1.66, "last": 2.31, "z": 18.3, "best_step": 42_500},
                causes=("Too little data for this model", "Regularisation too weak",
                        "Training set and validation set differ"),
                prescriptions=(
                    {"text": "Stop at step 42 500 and use that checkpoint", "patch": {}},
                    {"text": "Raise weight decay from 0.01 to 0.05",
                     "patch": {"optimizer.weight_decay": 0.05}},
                ),
                verify="The gap at step 60 000 stays below 0.35.",
            ),
            finding("loss-spike", "warning", "grad_norm", "train", 61_000, 61_375, confidence=0.8,
                    message="The gradient norm rose to 14 times its running median at 61 000."),
            finding(
                "validation-jump", "info", "mpjpe", "val", 12_000, 15_000, confidence=0.6,
                message="MPJPE rose from 82.61 to 105.23 mm (+22.62 mm, +27.4 %) and came back at "
                "15 000 (71.07 mm). The step-to-step noise of this run is 19.6 mm, so this is "
                "0.8 sigma: one jump of this size in such a run is not unusual.",
                evidence={"before": 82.61, "after": 105.23, "z": 0.8, "sigma": 19.6},
                causes=("The validation batches differ between evaluations",
                        "A bad checkpoint of the moving statistics", "Chance"),
                prescriptions=({"text": "Fix the validation order",
                                "patch": {"val_seed": 42}},),
                verify="The spread of the next 10 evaluations falls below 18 mm.",
            ),
            *passes(),
        ),
    )  # fmt: skip


def diverging():
    """A crashed run: it explodes, turns NaN, was restarted once, and its log is damaged."""
    rng = np.random.default_rng(3)
    n = 900
    step = np.concatenate([10 * np.arange(600), 10 * np.arange(450, 900)])
    loss = curve(rng, 1050, noise=0.02)
    loss[900:] *= np.exp(np.linspace(0, 12, 150))
    loss[1035:] = np.nan
    torn = Notice("corrupt", "diverging.jsonl, bytes 81920-82417", "3 lines were unreadable", 3)
    held = run(
        "diverging",
        [column("loss", step, loss, start=NOW - 3.2e6), column("lr", step, rate(1050, 2e-3))],
        {"lr": 2e-3, "warmup_steps": 0},
        (torn,),
    )
    late = 10 * (n - 15)
    return Diagnosis(
        held,
        (
            finding("divergence", "error", "loss", "train", 7_500, 8_840,
                    message="The loss rose from 1.91 to 5.7e5 within 1 340 steps."),
            finding("non-finite", "error", "loss", "train", late, 8_990, confidence=1.0,
                    message="15 values of the loss are NaN, all since step 8 850."),
            *passes()[2:],
        ),
    )  # fmt: skip


def dozen(points=N, faulty=3):
    """Twelve runs, some of them at fault."""
    judged = []
    for i in range(12):
        config = {
            "lr": 3e-4 if i % 2 else 1e-4,
            "seed": i,
            "model": "vit-b",
            "data": {"aug": i % 3},
        }
        held = training(f"sweep-{i:02d}", 10 + i, points, overfit=1.2 if i < faulty else 0.0,
                        end=1.0 + 0.06 * (i % 5), config=config)  # fmt: skip
        found = ()
        if i < faulty:
            found = (
                finding("overfitting", "error", "loss", "val", 42_500 + 2_500 * i, 97_500,
                        evidence={"best_step": 42_500 + 2_500 * i, "rise": 0.2}),
                finding("loss-spike", "warning", "loss", "train", 61_000, 61_100),
            )  # fmt: skip
        judged.append(Diagnosis(held, (*found, *passes())))
    return judged


def forty():
    """One run with forty findings of five rules."""
    rules = ("loss-spike", "outlier", "validation-jump", "slow-batch", "gradient-explosion")
    found = [
        finding(rules[i % 5], ("warning", "info", "info", "info", "error")[i % 5], "loss", "train",
                2_000 * (i + 1), 2_000 * (i + 1) + 300, confidence=0.5 + i / 80)
        for i in range(40)
    ]  # fmt: skip
    return Diagnosis(training("forty", 5), (*found, *passes()))


HOSTILE = (
    "<script>document.title='pwned'</script>",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% for x in y %}",
    '"><svg onload=alert(1)>',
    "]]>--><!--",
    "javascript:alert(1)",
    "\u202eevil\u2066 bidi \x1b[31m \x00 \x07",
    "x" * 300,
    "|a|b|\n# head [l](javascript:alert(1)) `code`",
    "\ud800 lone",
)


def hostile():
    """Runs whose every string is an attack."""
    judged = []
    for i, text in enumerate(HOSTILE):
        rng = np.random.default_rng(i)
        step = np.arange(600)
        held = run(
            text,
            [
                column(text, step, curve(rng, 600), split=text),
                column("loss", step, curve(rng, 600)),
            ],
            {text: text, "nested": {text: [text]}},
            (Notice(text, text, text, None),),
            source=text,
            fmt=text,
        )
        key = next(iter(held.series))
        judged.append(
            Diagnosis(
                held,
                (
                    finding("loss-spike", "error", *key, 100, 140, message=text, causes=(text,),
                            prescriptions=({"text": text, "patch": {text: text}},), verify=text,
                            evidence={text: 1.0}),
                    Finding(text, Status.SKIP, message=text),
                    Finding("stagnation", Status.INCONCLUSIVE, message=text),
                ),
            )
        )  # fmt: skip
    return judged


def _sweep_run(rng, kind):
    """A run of three metrics: 0 healthy, 1 spiking, 2 turning, 3 with a late NaN."""
    n = 500
    step = 10 * np.arange(n)
    loss = curve(rng, n)
    loss[250] += 3 * (kind == 1)
    loss[480:] = np.nan if kind == 3 else loss[480:]
    late = np.clip(np.arange(0, n, 20) / n - 0.4, 0, 1) * (kind == 2)
    return run(
        "template",
        [
            column("loss", step, loss),
            column("val_loss", step[::20], curve(rng, n)[::20] * 1.1 + late),
            column("lr", step, rate(n)),
        ],
    )


def _sweep_faults(kind):
    if kind == 1:
        return (finding("loss-spike", "warning", "loss", "train", 2_500, 2_520, confidence=0.8),)
    if kind == 2:
        return (
            finding("overfitting", "error", "loss", "val", 2_000, 4_800),
            finding("validation-jump", "info", "loss", "val", 3_000, 3_200, confidence=0.6),
        )
    return (finding("non-finite", "error", "loss", "train", 4_800, 4_990),) if kind == 3 else ()


def sweep_settings(n, seed=0):
    """Settings and the result of the runs of a sweep; the rate explains most, the seed nothing."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        lr = float(f"{10 ** rng.uniform(-5, -2):.4g}")
        settings = {
            "lr": lr,
            "batch_size": int(2 ** rng.integers(4, 9)),
            "optimizer": ("adam", "sgd", "lion")[i % 3],
            "weight_decay": float(f"{rng.random() / 10:.3g}"),
        }
        if i % 11 == 0:
            del settings["weight_decay"]
        best = 0.6 + 0.3 * (np.log10(lr) + 3.3) ** 2 + 0.1 * (i % 3) + 0.05 * rng.random()
        yield settings, best


def many(n, kinds=12):
    """Digests of the runs of a sweep: one in 12 fails, one warns; the words made by hand."""
    rng = np.random.default_rng(7)
    plan = [1, 2, 3] + [0] * (kinds - 3)
    held = [digest(Diagnosis(_sweep_run(rng, k), (*_sweep_faults(k), *passes())), runs=n, now=NOW)
            for k in plan]  # fmt: skip
    return [
        _variant(held[i * 7 % kinds], f"sweep/run-{i:05d}", settings, best)
        for i, (settings, best) in enumerate(sweep_settings(n))
    ]


def _variant(base, name, settings, best):
    """The same curves under another name, with other settings and another result."""
    source = f"logs/{name}.jsonl"
    key = ("loss", "val")
    was = base.standings[key]
    now = replace(was.standing, best=best, final=best * 1.04)
    return replace(
        base,
        told=replace(base.told, name=name, source=source),
        summary=replace(
            base.summary,
            name=name,
            source=source,
            config=tuple((k, str(v)) for k, v in settings.items()),
        ),
        lead=key,
        standings={**base.standings, key: replace(was, standing=now)},
        source=replace(base.source, path=source),
    )


def hostile_many(n=130):
    """Digests whose names, settings, paths and words are attacks."""
    held = [digest(d, runs=n, now=NOW) for d in hostile()]
    wild = []
    for i, (settings, best) in enumerate(sweep_settings(n)):
        base, text = held[i % len(held)], HOSTILE[i % len(HOSTILE)]
        settings = {**settings, HOSTILE[0]: HOSTILE[i % 3], HOSTILE[7]: i % 5, "path": text}
        if ("loss", "val") not in base.standings:
            base = replace(base, standings={("loss", "val"): next(iter(base.standings.values()))})
        wild.append(_variant(base, f"{text} {i}", settings, best))
        wild[-1] = replace(wild[-1], told=replace(wild[-1].told, source=f"{text}/{i}"))
        wild[-1] = replace(wild[-1], summary=replace(wild[-1].summary, source=f"{text}/{i}"))
    return wild
