"""Plain lines about a batch and its gradients, for the first steps of a loop with ``--debug``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainlens_torch.gradients.norm import norms, total

__all__ = ["debug_batch", "debug_gradients"]

Echo = Callable[[str], object]

_MOST_CLASSES = 20
_TAG = "[DEBUG]"


def debug_batch(
    labels: Any,
    features: Tensor | Mapping[str, Tensor] | None = None,
    step: int = 0,
    *,
    echo: Echo = print,
) -> dict[str, Any]:
    """Say which classes a batch holds, and what its features look like.

    A batch of one class is a broken sampler: a classifier learns nothing from such batches,
    whatever the learning rate. This waits for the device; it is made for the first few steps.

    Parameters
    ----------
    labels : Tensor, ndarray or sequence of int
        Classes of the samples. Rows of a one-hot matrix (of more than one column) count as the
        class of their 1. Labels that are no whole numbers have no classes.
    features : Tensor or mapping of str to Tensor, optional
        Inputs, or what a part of the model makes of them.
    step : int
        Number of the batch.
    echo : callable
        Takes a line.

    Returns
    -------
    dict
        ``step``, ``samples``, ``classes`` (label to count), ``single_class``, ``features`` (name to
        shape, mean, std, min, max, nan, inf), ``stats``: numbers to be logged (``batch_classes``,
        ``majority_share``).

    Examples
    --------
    >>> _ = debug_batch([0, 1, 1, 2])
    [DEBUG] Batch 0 labels - unique: [0, 1, 2], counts: [1, 2, 1]
    [DEBUG] Good: the batch holds 3 different classes
    """
    found = torch.as_tensor(labels).detach().cpu()
    classes = _classes(found)
    samples = found.shape[0] if found.dim() else 1
    out: dict[str, Any] = {
        "step": step,
        "samples": samples,
        "classes": classes,
        "single_class": classes is not None and len(classes) == 1 and samples > 1,
        "features": {},
        "stats": {},
    }
    _say_classes(found, classes, step, samples, echo)
    if classes:
        shares = max(classes.values()) / sum(classes.values())
        out["stats"] = {"batch_classes": float(len(classes)), "majority_share": shares}
    given = features if isinstance(features, Mapping) else {"features": features}
    for name, value in given.items():
        if value is not None:
            out["features"][name] = _features(name, value, echo)
    return out


@torch.no_grad()
def debug_gradients(model: nn.Module, *, echo: Echo = print) -> dict[str, Any]:
    """Say how many parameters have a gradient, and how large it is.

    Call it between ``backward`` and ``zero_grad``. This waits for the device.

    Parameters
    ----------
    model : Module
    echo : callable
        Takes a line.

    Returns
    -------
    dict
        ``params_with_grad``, ``params_without_grad``, ``frozen``, ``grad_norm``, ``non_finite``
        (names of parameters).

    Examples
    --------
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> layer(torch.tensor([[3.0, 4.0]])).sum().backward()
    >>> _ = debug_gradients(layer)
    [DEBUG] Gradient check:
            Params with grad: 1
            Params without grad: 0
            Total grad norm: 5.000000
    """
    named = list(model.named_parameters())
    active = [(name, p.grad) for name, p in named if p.grad is not None]
    norm = float(total([g for _, g in active])) if active else 0.0
    each = norms([g for _, g in active])
    bad = [name for (name, _), n in zip(active, each, strict=True) if not bool(n.isfinite())]
    frozen = sum(not p.requires_grad for _, p in named)
    echo(f"{_TAG} Gradient check:")
    echo(f"        Params with grad: {len(active)}")
    off = f" ({frozen} of them with requires_grad off)" if frozen else ""
    echo(f"        Params without grad: {len(named) - len(active)}{off}")
    echo(f"        Total grad norm: {norm:.6f}")
    if not active:
        echo(f"{_TAG} WARNING: no parameter has a gradient: frozen, or cut off from the loss")
    elif bad:
        echo(f"{_TAG} WARNING: the gradient is not finite in {', '.join(bad[:5])}")
    elif norm == 0:
        echo(f"{_TAG} WARNING: every gradient is 0: look at how the loss is computed")
    return {
        "params_with_grad": len(active),
        "params_without_grad": len(named) - len(active),
        "frozen": frozen,
        "grad_norm": norm,
        "non_finite": bad,
    }


def _classes(labels: Tensor) -> dict[int, int] | None:
    """Count of each class in ascending order; None for labels that are no classes."""
    if labels.dim() == 2 and labels.shape[1] > 1 and _one_hot(labels):
        labels = labels.argmax(1)
    if labels.is_complex() or (labels.is_floating_point() and not _whole(labels)):
        return None
    values, counts = torch.unique(labels.reshape(-1).long(), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _whole(labels: Tensor) -> bool:
    return bool((labels == labels.round()).all()) and bool(labels.isfinite().all())


def _one_hot(labels: Tensor) -> bool:
    return bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(1) == 1).all())


def _say_classes(
    labels: Tensor, classes: dict[int, int] | None, step: int, samples: int, echo: Echo
) -> None:
    if classes is None:
        echo(f"{_TAG} Batch {step} labels - no classes: {labels.dtype}, {tuple(labels.shape)}")
        return
    names, counts = _short(list(classes)), _short(list(classes.values()))
    echo(f"{_TAG} Batch {step} labels - unique: {names}, counts: {counts}")
    if len(classes) == 1 and samples > 1:
        only = next(iter(classes))
        echo(f"{_TAG} WARNING: ALL {samples} samples of the batch are of class {only}!")
        echo(f"{_TAG} WARNING: the sampler is probably broken: look at it before anything else")
    elif len(classes) > 1:
        echo(f"{_TAG} Good: the batch holds {len(classes)} different classes")


def _short(values: list[int]) -> str:
    more = f", … {len(values) - _MOST_CLASSES} more" if len(values) > _MOST_CLASSES else ""
    return f"[{', '.join(map(str, values[:_MOST_CLASSES]))}{more}]"


def _features(name: str, value: Tensor, echo: Echo) -> dict[str, Any]:
    x = value.detach().double().cpu() if value.device.type == "mps" else value.detach().double()
    finite = x[x.isfinite()]
    nan, inf = int(x.isnan().sum()), int(x.isinf().sum())
    out: dict[str, Any] = {"shape": tuple(value.shape), "nan": nan, "inf": inf}
    said = ""
    if finite.numel():
        out |= {
            "mean": float(finite.mean()),
            "std": float(finite.std(correction=0)),
            "min": float(finite.min()),
            "max": float(finite.max()),
        }
        said = ", ".join(f"{k} {out[k]:.4g}" for k in ("mean", "std", "min", "max")) + ", "
    echo(f"{_TAG} {name} {tuple(value.shape)}: {said}NaN {nan}, Inf {inf}")
    if nan or inf:
        echo(f"{_TAG} WARNING: {nan + inf} of {x.numel()} values of {name} are not finite")
    elif out.get("std") == 0 and x.numel() > 1:
        echo(f"{_TAG} WARNING: all values of {name} are the same")
    return out
