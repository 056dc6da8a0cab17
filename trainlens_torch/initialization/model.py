"""First values of weights, by one scheme for a whole model."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from trainlens_torch.initialization.first_values import GAINS, Initialized, Job, drafts
from trainlens_torch.patterns import assigned, plain

__all__ = ["GAINS", "SCHEMES", "Initialization", "Initialized", "initialize"]

SCHEMES = ("kaiming", "xavier", "orthogonal", "default")
"""``"default"`` keeps what the layers were made with."""


class Initialization(tuple[Initialized, ...]):
    """What `initialize` did, a row a parameter; ``print`` shows it as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        shown = [("parameter", "kind", "gain", "std")]
        shown += [
            (" = ".join((row.name, *row.also)), row.kind, _number(row.gain), _number(row.std))
            for row in self
        ]
        width = [max(len(row[i]) for row in shown) for i in range(4)]
        return "\n".join(
            f"{name:<{width[0]}}  {kind:<{width[1]}}  {gain:>{width[2]}}  {std:>{width[3]}}"
            for name, kind, gain, std in shown
        )


def initialize(
    model: nn.Module,
    scheme: str = "kaiming",
    *,
    nonlinearity: str | float = "relu",
    generator: torch.Generator | None = None,
    skip: Sequence[str] = (),
    embedding_std: float = 0.02,
    branches: Sequence[str] = (),
    branch_scale: float | None = None,
) -> Initialization:
    """Set the weights of a model so that the variance of activations survives its depth.

    Weights of linear layers, convolutions and attention are drawn anew, biases become 0, norm
    layers 1 and 0, embeddings normal. With gain g of the nonlinearity the entries have the
    standard deviation

    - kaiming: ``g / sqrt(fan_in)``
    - xavier: ``g * sqrt(2 / (fan_in + fan_out))``
    - orthogonal: ``g / sqrt(max(rows, columns))``, rows or columns orthogonal

    The gain of attention projections is 1: no nonlinearity follows them. Its query, key and value
    count as three matrices, the groups of a convolution as one each. ``fan_in`` of a transposed
    convolution is what reaches one output: inputs of its group x kernel / stride.

    Parameters
    ----------
    model : torch.nn.Module
    scheme : str
        One of `SCHEMES`.
    nonlinearity : str or float
        One of `GAINS`, or the gain itself.
    generator : torch.Generator, optional
        Same seed, same weights, also between devices. torch's global one by default.
    skip : sequence of str
        Patterns of pretrained components (`trainlens_torch.patterns`), which are left as they are.
    embedding_std : float
        As in BERT and GPT-2. An embedding that is shared with an output layer counts as embedding.
    branches : sequence of str
        Patterns of the last layers of residual branches, such as ``"mlp.fc2"`` or ``"bn3"``.
    branch_scale : float, optional
        Factor on the weights of those: 0 begins with branches that are switched off.

    Returns
    -------
    Initialization
        A row for every parameter, those that were left alone included.

    Raises
    ------
    ValueError
        An unknown scheme or nonlinearity, a pattern that names nothing, parameters without values
        (lazy, or on the meta device), a scale that is negative or not finite, `branches` without
        `branch_scale` or the reverse. The model is unchanged then.

    Notes
    -----
    Parametrised weights (weight_norm, spectral_norm) are set through their parametrisation where
    that can be inverted; recurrent layers, PReLU and layers of other libraries stay ``unchanged``.

    References
    ----------
    He et al. 2015, arXiv:1502.01852 (kaiming); Glorot and Bengio 2010 (xavier); Saxe et al. 2013,
    arXiv:1312.6120 (orthogonal); Goyal et al. 2017, arXiv:1706.02677 (branches that begin at 0).

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> for row in initialize(net, generator=torch.Generator().manual_seed(0))[:2]:
    ...     print(row.name, row.kind, row.std)
    0.weight linear 0.5
    0.bias bias None
    """
    gain = _checked(scheme, nonlinearity, embedding_std, branches, branch_scale)
    known = _Known(model)
    jobs = _jobs(model, known, scheme, gain, embedding_std)
    skipped, scaled = known.chosen(skip), known.chosen(branches)
    todo: dict[int, Job] = {}
    for at, job in jobs.items():
        if at in scaled and branch_scale is not None:
            todo[at] = _scaled(job, branch_scale)
        elif scheme != "default":
            todo[at] = job
    todo = {at: job for at, job in todo.items() if at not in skipped}
    _check_values(todo.values())
    with torch.no_grad():
        for job in todo.values():
            _set(job, scheme, generator)
    return Initialization(
        todo[at].row if at in todo else known.untouched(at, at in skipped)
        for at in known.order(jobs)
    )


class _Known:
    """The parameters of a model and all their names; a place is the id of a parameter."""

    def __init__(self, model: nn.Module) -> None:
        self.names: dict[int, list[str]] = {}
        self._part_of: dict[int, int] = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if is_lazy(parameter):
                raise ValueError(
                    f"{name} has no shape yet: run one batch through the model, then initialise it"
                )
            self.names.setdefault(id(parameter), []).append(plain(name))

    def place(self, module: nn.Module, attribute: str, name: str) -> int | None:
        """Where a parameter of a module is known; None where it has none of that name."""
        parameter = module._parameters.get(attribute)
        if parameter is not None:
            return id(parameter)
        if not parametrize.is_parametrized(module, attribute):
            return None
        parts = [id(p) for p in module.parametrizations[attribute].parameters()]  # type: ignore[union-attr, index]
        if not parts or not _inverts(module, attribute):
            return None
        self._part_of.update(dict.fromkeys(parts[1:], parts[0]))
        self.names[parts[0]].insert(0, plain(name))
        return parts[0]

    def chosen(self, patterns: Sequence[str]) -> set[int]:
        """Places that a pattern names."""
        places = list(self.names)
        out: set[int] = set()
        for pattern in patterns:
            # One by one: skipping something twice is no contradiction.
            found = assigned([self.names[at] for at in places], [pattern])
            out.update(at for at, match in zip(places, found, strict=True) if match is not None)
        return out | {self._part_of[at] for at in out if at in self._part_of}

    def order(self, jobs: Container[int]) -> list[int]:
        """Places in the order of the model, each parametrised weight once."""
        return [at for at in self.names if self._part_of.get(at) not in jobs]

    def untouched(self, at: int, skipped: bool) -> Initialized:
        """Row of a parameter that was left alone."""
        name, *also = self.names[at]
        return Initialized(name, "skipped" if skipped else "unchanged", also=tuple(also))


def _checked(
    scheme: str,
    nonlinearity: str | float,
    embedding_std: float,
    branches: Sequence[str],
    branch_scale: float | None,
) -> float:
    """The gain, after a check of everything that needs no model."""
    if scheme not in SCHEMES:
        raise ValueError(f"scheme is one of {', '.join(SCHEMES)}, not {scheme!r}")
    if isinstance(nonlinearity, str) and nonlinearity not in GAINS:
        raise ValueError(
            f"nonlinearity is one of {', '.join(GAINS)}, or its gain, not {nonlinearity!r}"
        )
    gain = GAINS[nonlinearity] if isinstance(nonlinearity, str) else float(nonlinearity)
    if bool(branches) != (branch_scale is not None):
        raise ValueError("branches and branch_scale belong together; give both or neither")
    given = {"the gain": gain, "embedding_std": embedding_std, "branch_scale": branch_scale or 0.0}
    for what, value in given.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{what} must be finite and 0 or more, not {value}")
    return gain


def _jobs(
    model: nn.Module, known: _Known, scheme: str, gain: float, embedding_std: float
) -> dict[int, Job]:
    """What is to be set, by place. An embedding wins over a layer that shares its weight."""
    projections = {id(m.out_proj) for m in model.modules() if isinstance(m, nn.MultiheadAttention)}
    jobs: dict[int, Job] = {}
    for path, module in model.named_modules():
        own = 1.0 if id(module) in projections else gain
        for draft in drafts(module, scheme, own, embedding_std):
            at = known.place(module, draft.attribute, f"{path}.{draft.attribute}".lstrip("."))
            if at is None or (at in jobs and draft.row.kind != "embedding"):
                continue
            name, *also = known.names[at]
            jobs[at] = replace(draft, row=draft.row._replace(name=name, also=tuple(also)))
    return jobs


def _scaled(job: Job, scale: float) -> Job:
    row = job.row
    gain = None if row.gain is None else row.gain * scale
    std = None if row.std is None else row.std * scale
    return replace(job, row=row._replace(gain=gain, std=std), scale=scale)


def _check_values(jobs: Iterable[Job]) -> None:
    """Refuse what cannot be set, before anything is."""
    for job in jobs:
        if job.weight.is_meta:
            raise ValueError(
                f"{job.row.name} is on the meta device; move the model with to_empty() first"
            )
        if job.scale == 0 and parametrize.is_parametrized(job.module, job.attribute):
            raise ValueError(
                f"{job.row.name} is parametrised and cannot be 0; give branch_scale a small number"
            )


def _set(job: Job, scheme: str, generator: torch.Generator | None) -> None:
    old = job.weight
    if scheme == "default":
        new = old * job.scale
    elif job.value is not None:
        new = torch.full_like(old, job.value * job.scale)
    else:
        new = _draw(job, scheme, old, generator)
    if parametrize.is_parametrized(job.module, job.attribute):
        setattr(job.module, job.attribute, new.to(old))
    else:
        old.copy_(new)


def _draw(
    job: Job, scheme: str, old: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """New entries, drawn where the generator lives and in no less than single precision."""
    device = old.device if generator is None else generator.device
    dtype = torch.promote_types(old.dtype, torch.float32)
    new = torch.empty(old.shape, dtype=dtype, device=device)
    if scheme == "orthogonal" and job.row.kind != "embedding":
        gain = job.row.gain or 0.0  # the branch scale is in it
        for block in new.chunk(job.blocks):
            nn.init.orthogonal_(block, gain, generator=generator)
        return new
    nn.init.normal_(new, 0.0, job.row.std or 0.0, generator=generator)
    padding = getattr(job.module, "padding_idx", None)
    if job.row.kind == "embedding" and padding is not None:
        new[padding] = 0.0
    return new


def _inverts(module: nn.Module, attribute: str) -> bool:
    """Whether a parametrised weight can be set by assignment."""
    chain: Any = module.parametrizations[attribute]  # type: ignore[index]
    try:
        with torch.no_grad():
            value = getattr(module, attribute)
            for one in reversed(chain):
                value = one.right_inverse(value)
    except (AttributeError, NotImplementedError, RuntimeError, ValueError, TypeError):
        return False
    return True


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
