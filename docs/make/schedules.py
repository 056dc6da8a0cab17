"""The index of the schedules and a page for each, from their docstrings and what they do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import trainlens_torch.schedules as every
from docs.make.docstrings import Doc, parsed
from docs.make.marks import MADE
from trainlens.plots._schedule import named
from trainlens.rules import diagnose
from trainlens.rules.base import Finding
from trainlens.run import Chunk, Column, Run, unknown
from trainlens.stats.planned import parse
from trainlens.stats.schedule import recognise
from trainlens_torch.schedules import ALL, Schedule, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "schedules"
TOTAL, BASE = 1000, 3e-4
EXAMPLES = {
    "chain": ("Chain(LinearWarmup(100), Cosine(end=0.01))",
              "Chain((Constant(), 0.5), (Cosine(end=0.1), 0.8), Constant(0.1))"),
    "constant": ("Constant()", "Constant(0.3)"),
    "cosine": ("Cosine(end=0.01)", "Cosine(end=0.3)"),
    "cosine-restarts": ("CosineRestarts(3, growth=2, end=0.01)", "CosineRestarts(4, height=0.6)"),
    "custom": ("Custom(lambda p: (1 - p) ** 2, name='square')",),
    "exponential": ("Exponential(0.01)", "Exponential(0.3)"),
    "inverse-sqrt": ("InverseSqrt(100)", "InverseSqrt(20)"),
    "linear": ("Linear()", "Linear(0.2, 0.8)"),
    "linear-warmup": ("LinearWarmup(200)", "LinearWarmup(0.5, start=0.1)"),
    "one-cycle": ("OneCycle()", "OneCycle(0.2, start=0.1, shape='linear')"),
    "piecewise": ("Piecewise([0.25, 0.5], [1.0, 0.6, 0.2])",
                  "Piecewise([0.0, 0.3, 1.0], [0.2, 0.9, 0.1], between='linear')"),
    "polynomial": ("Polynomial(2)", "Polynomial(0.5, end=0.1)"),
    "ramp": ("Ramp()", "Ramp(0.3, 0.4, start=1.0, end=0.25)"),
    "step": ("Step([300, 600, 800], 0.5)", "Step([0.5], 0.1)"),
    "warmup-stable-decay": ("WarmupStableDecay(50, 0.3, shape='root')",
                            "WarmupStableDecay(0.1, 0.5)"),
}  # fmt: skip
"""What is drawn of each kind; of the first one the header and the check are shown."""
_MOST = 4
"""Entries of a list that are shown."""


def pages() -> dict[str, str]:
    """The index, and a page for each schedule."""
    found = {f"{FOLDER}/{kind}.md": _page(kind, made) for kind, made in ALL.items()}
    return {"schedules.md": _index(), **found}


def pictures() -> dict[str, Callable[[], Figure]]:
    """The curves of each schedule."""
    return {f"{FOLDER}/pictures/{kind}.png": partial(draw, kind) for kind in ALL}


def draw(kind: str) -> Figure:
    """The examples of a kind over a training of `TOTAL` updates."""
    texts = EXAMPLES[kind]
    ax = plot(*map(made_by, texts), total=TOTAL, labels=texts)
    return ax.get_figure(root=True)  # type: ignore[return-value]  # drawn axes have one


def made_by(text: str) -> Schedule:
    """The schedule that an example says."""
    held: Schedule = eval(text, vars(every).copy())  # one of the texts above
    return held


def _index() -> str:
    rows = [
        f"| [`{made.__name__}`]({FOLDER}/{kind}.md) | {_formula(made)} | {_parameters(made)} | "
        f"{parsed(made.__doc__).title} |"
        for kind, made in ALL.items()
    ]
    return "\n\n".join([
        "# The schedules", MADE,
        "A schedule is a pure function of progress: a factor of a base value at each share of a "
        "training. `Scheduler` applies it, the header of a log holds it, and `trainlens` checks "
        "the log against it. Places, chains, custom functions, and what the schedules of other "
        "libraries are called here: [companion/schedules.md](companion/schedules.md).",
        "\n".join(["| schedule | formula | parameters (defaults) | what |", "|---|---|---|---|",
                   *rows]),
        "p is the share of the training that is done, k the number of places that are reached, i "
        "the number of the cycle, u the share of a stretch that is done, f the shape of it. Adding "
        "one: [adding.md](adding.md).",
    ]) + "\n"  # fmt: skip


def _formula(made: type[Schedule]) -> str:
    return parsed(made.factor.__doc__).title.replace("``", "`").replace("|", "\\|")


def _parameters(made: type[Schedule]) -> str:
    told = []
    for field in dataclasses.fields(made):
        without = field.default is dataclasses.MISSING
        told.append(f"`{field.name}`" + ("" if without else f" ({_default(field.default)})"))
    return ", ".join(told)


def _default(value: Any) -> str:
    return "none" if value is None else str(value).removesuffix("dur")


def _page(kind: str, made: type[Schedule]) -> str:
    doc = parsed(made.__doc__)
    text = EXAMPLES[kind][0]
    parts = [
        f"# {made.__name__}", MADE, f"**{doc.title}.** Kind `{kind}`: {_formula(made)}.",
        doc.prose, f"![{made.__name__}](pictures/{kind}.png)",
        *_fields(doc, made),
        "## Example", _example(doc, made),
        *_logged(text), *_checked(text),
    ]  # fmt: skip
    if "References" in doc.sections:
        parts += ["## Source", doc.sections["References"]]
    parts.append("All schedules: [schedules.md](../schedules.md)")
    return "\n\n".join(filter(None, parts)) + "\n"


def _fields(doc: Doc, made: type[Schedule]) -> Iterator[str]:
    defaults = {f.name: f.default for f in dataclasses.fields(made)}
    rows = []
    for names, kind, meaning in doc.fields("Parameters"):
        held = [defaults.get(name.strip(" *"), dataclasses.MISSING) for name in names.split(",")]
        shown = ", ".join("" if one is dataclasses.MISSING else _default(one) for one in held)
        rows.append(f"| `{names}` | {kind} | {shown} | {meaning} |")
    yield "## Parameters"
    yield "\n".join(["| parameter | type | default | meaning |", "|---|---|---|---|", *rows])


def _example(doc: Doc, made: type[Schedule]) -> str:
    """The examples of the docstring, with the import that they need on a page."""
    fence = "```python\n"
    begin = f"{fence}>>> from trainlens_torch.schedules import {made.__name__}\n"
    return doc.sections["Examples"].replace(fence, begin, 1)


# --- what stands in a log, and what trainlens makes of it -----------------------------------


def _header(text: str) -> dict[str, Any]:
    return {"total_steps": TOTAL, "lr": {"base": BASE, **made_by(text).spec()}}


def _logged(text: str) -> Iterator[str]:
    yield "## In a log"
    yield f"`{text}` with a base of {BASE:g} in a training of {TOTAL} updates:"
    header = json.dumps({"schedules": _shortened(_header(text))}, indent=2)
    yield f"```json\n{header}\n```"


def _shortened(value: Any) -> Any:
    """The same with the first entries of long lists."""
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [*map(_shortened, value[:_MOST]), *(["..."] if len(value) > _MOST else [])]
    return value


def _checked(text: str) -> Iterator[str]:
    run, off = _run(text), _run(text, off=True)
    curve = run["lr"].finite
    yield "## Checked by trainlens"
    yield (
        "The rule [plan-deviation](../rules/plan-deviation.md) compares the log with its header. "
        f"Of a log that keeps to it: {_said(run).message} Of one in which the value is halved from "
        f"step 600 on: {_said(off).message}"
    )
    found = recognise(curve.step, curve.value)
    last = int(curve.step[-1])
    yield f"Without a header the values alone are recognised as: {named(found, last)}."


def _run(text: str, *, off: bool = False) -> Run:
    """A log of each tenth step of an example."""
    header = _header(text)
    step = np.arange(0, TOTAL + 1, 10)
    value = parse({**header["lr"], "total_steps": TOTAL}).value(step)
    value = np.where(off & (step >= 600), 0.5 * value, value)
    held = unknown(len(step))
    columns = (Column("lr", step, value, held, held),)
    return Run("run", "run", "jsonl").extend(Chunk(columns, {"schedules": header}))


def _said(run: Run) -> Finding:
    (found,) = diagnose(run, select=["plan-deviation"]).results
    return found
