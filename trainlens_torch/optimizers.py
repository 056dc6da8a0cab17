"""Optimizers by name: those of torch, and through pytorch_optimizer the rest."""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from torch import nn

from trainlens.errors import MissingExtra

__all__ = ["make_optimizer", "optimizer_names"]

_TORCH = {
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "radam": "RAdam",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
}
_OTHER_NAMES = {"sophia": "sophiah", "adamini": "adammini"}
_WHOLE_MODEL = "takes the model itself and updates it during backward; build it by hand"
_CLOSURE = "calls the loss again within its step; build it by hand and give step a closure"
_AVERAGES = "has two sets of weights; use trainlens_torch.schedule_free"
_REFUSED = {
    "adalomo": _WHOLE_MODEL,
    "adammini": "takes the model itself; build it by hand",
    "alig": _CLOSURE,
    "bsam": _CLOSURE,
    "demo": "replaces the communication between ranks; build it by hand",
    "distributedmuon": "shards its work over ranks; build it by hand, or use muon",
    "lbfgs": _CLOSURE,
    "lomo": _WHOLE_MODEL,
    "lorarite": "trains the pairs of a LoRA adapter; build it by hand",
    "magma": "wraps another optimizer; build it by hand",
    "muonclip": "rescales the attention of a model that it has to be given; build it by hand",
    "sara": "trains a sparse share of large matrices; build it by hand",
    "schedulefreeadamw": _AVERAGES,
    "schedulefreeradam": _AVERAGES,
    "schedulefreesgd": _AVERAGES,
    "spectralsphere": "takes matrices alone; build it by hand for those and another for the rest",
}
"""Names that the library has but that do not fit `zero_grad, backward, step` over groups."""
_MATRICES = ("adago", "adamuon", "muon", "normuon")
"""Update matrices in their own way and all else by AdamW; the library asks which is which."""
_SHARED_OPTIONS = {
    "adam_debias",
    "adanorm",
    "adanorm_r",
    "cautious",
    "foreach",
    "maximize",
    "stable_adamw",
    "use_gc",
}
"""Options that the library's classes take without naming them."""
_ADAMW_LR = 3e-4
"""For what is no matrix beside `_MATRICES`; the library's own default."""


def make_optimizer(
    name: str,
    groups: Iterable[torch.Tensor] | Iterable[Mapping[str, Any]],
    lr: float | None = None,
    weight_decay: float = 0.01,
    *,
    tensor_lr: bool | Literal["auto"] = "auto",
    **options: Any,
) -> torch.optim.Optimizer:
    """Build an optimizer by name over parameter groups.

    ``adagrad``, ``adam``, ``adamax``, ``adamw``, ``nadam``, ``radam``, ``rmsprop`` and ``sgd`` are
    torch's; ``lion``, ``adan``, ``sophia``, ``muon``, ``lamb``, ``soap`` and about a hundred more
    (`optimizer_names`) are those of the package pytorch_optimizer. Options that are not given keep
    the class's own defaults; for AdamW betas (0.9, 0.999) and eps 1e-8.

    Parameters
    ----------
    name : str
        Case, dashes and underscores do not matter.
    groups : iterable of dict, or of tensors
        Parameter groups, as `parameter_groups` returns them: every key of theirs stays. They are
        copied, not changed. Plain parameters make one group.
    lr : float, optional
        Of the groups without one of their own.
    weight_decay : float
        Of the groups without one of their own. Whether it is decoupled from the gradient is the
        class's decision: yes in ``adamw`` and ``lion``, no in ``adam`` and ``sgd``.
    tensor_lr : bool or "auto"
        Keep each group's rate as a 0-dimensional tensor beside its parameters, so that a scheduler
        can fill it in a captured or compiled step. ``"auto"``: where the parameters are on a CUDA
        device and the class takes tensors. `capturable` is then on where the class has it.
    **options
        Of the class: ``betas``, ``eps``, ``momentum``, ...

    Returns
    -------
    torch.optim.Optimizer
        Each group holds `initial_lr`. For ``muon``, ``adamuon``, ``normuon`` and ``adago`` a group
        that does not say `use_muon` is parted: its matrices stay, all else moves to a group
        ``<name>/adamw`` whose rate is `adamw_lr` (3e-4) times its `lr_ratio`.

    Raises
    ------
    TypeError
        A model in place of its parameters, or an option that the class does not have.
    ValueError
        An unknown name, or one that does not fit this form of training; no learning rate, or one
        that no group would take; no parameters; a rate that is negative or not finite.
    MissingExtra
        pytorch_optimizer is not installed.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> optimizer = make_optimizer("adamw", layer.parameters(), lr=5e-4)
    >>> type(optimizer).__name__, optimizer.param_groups[0]["eps"]
    ('AdamW', 1e-08)
    """
    key = _key(name)
    kind = _class(key, name)
    check_options(kind, name, options)
    listed = prepared(groups, lr, weight_decay)
    if key in _MATRICES:
        listed = _parted(listed, _rate(options.get("adamw_lr", _ADAMW_LR), "adamw_lr"))
    options = {"weight_decay": weight_decay, **options}
    if _wants_tensors(tensor_lr, kind, name, listed):
        options = _with_tensors(kind, listed, options)
    given = {key: value for key, value in options.items() if key != "weight_decay"}
    if "weight_decay" in inspect.signature(kind).parameters:
        given["weight_decay"] = options["weight_decay"]
    made: torch.optim.Optimizer = kind(listed, **given)
    return made


def optimizer_names() -> tuple[str, ...]:
    """Names that `make_optimizer` takes here: more where pytorch_optimizer is installed."""
    return tuple(sorted({*_TORCH, *_library_names()} - set(_REFUSED)))


def _key(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"an optimizer is named by a text, not by {name!r}")
    plain = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    return _OTHER_NAMES.get(plain, plain)


def _class(key: str, name: str) -> Any:
    if key in _TORCH:
        return getattr(torch.optim, _TORCH[key])
    if key in _REFUSED:
        raise ValueError(f"{name} {_REFUSED[key]}")
    library = _library()
    if library is None:
        alone = f"the optimizer {name!r} (torch alone has {', '.join(_TORCH)})"
        raise MissingExtra(alone, "optimizers")
    known = optimizer_names()
    if key in known:
        return library.load_optimizer(key)
    close = difflib.get_close_matches(key, known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "see optimizer_names()"
    raise ValueError(f"no optimizer is called {name!r}; {hint}")


def _library() -> Any:
    """The package pytorch_optimizer, None where it is not installed."""
    try:
        return importlib.import_module("pytorch_optimizer")
    except ModuleNotFoundError as error:
        if error.name != "pytorch_optimizer":
            raise
        return None


def _library_names() -> list[str]:
    library = _library()
    return [] if library is None else list(library.get_supported_optimizers())


def check_options(kind: Any, name: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that a class does not have, with the one that may be meant."""
    # The library's classes swallow a misspelt option, and train without it.
    taken = {*inspect.signature(kind).parameters, *_SHARED_OPTIONS} - {"params", "kwargs", "self"}
    for option in options:
        if option not in taken:
            close = difflib.get_close_matches(option, taken, 1)
            hint = f"did you mean {close[0]}?" if close else "it takes " + ", ".join(sorted(taken))
            raise TypeError(f"{name} has no option {option!r}; {hint}")


def _listed(groups: Any) -> list[dict[str, Any]]:
    """Copies of the groups, each with a list of parameters."""
    if isinstance(groups, nn.Module):
        raise TypeError(
            f"give parameter_groups(model, lr) or model.parameters(), not a {type(groups).__name__}"
        )
    items: list[Any] = [groups] if isinstance(groups, torch.Tensor | Mapping) else list(groups)
    if all(isinstance(item, torch.Tensor) for item in items):
        items = [{"params": items}]
    for item in items:
        if not isinstance(item, Mapping) or "params" not in item:
            raise TypeError(f"a group is a dict that holds params, not {type(item).__name__}")
    listed = [{**item, "params": _tensors(item["params"])} for item in items]
    if not any(group["params"] for group in listed):
        raise ValueError("there are no parameters to train")
    return listed


def _tensors(params: Any) -> list[torch.Tensor]:
    listed = [params] if isinstance(params, torch.Tensor) else list(params)
    for one in listed:
        if not isinstance(one, torch.Tensor):
            raise TypeError(f"params holds tensors, not {type(one).__name__}")
    return listed


def prepared(
    groups: Iterable[torch.Tensor] | Iterable[Mapping[str, Any]],
    lr: float | None,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Copies of parameter groups, each with a learning rate, its initial one, and a weight decay.

    Raises
    ------
    TypeError, ValueError
        As `make_optimizer`.
    """
    listed = _listed(groups)
    without = [i for i, group in enumerate(listed) if "lr" not in group]
    if without and lr is None:
        told = listed[without[0]].get("name", without[0])
        raise ValueError(f"group {told!r} has no learning rate; give lr, or one in the group")
    if not without and lr is not None:
        raise ValueError(f"every group has a learning rate of its own: lr={lr} would change none")
    for group in listed:
        group["lr"] = _rate(group.get("lr", lr), "lr")
        group["weight_decay"] = _rate(group.get("weight_decay", weight_decay), "weight_decay")
        group.setdefault("initial_lr", float(group["lr"]))
    return listed


def _rate(value: Any, what: str) -> Any:
    number = float(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{what} must be finite and 0 or more, not {value!r}")
    return value


def _parted(listed: list[dict[str, Any]], adamw_lr: float) -> list[dict[str, Any]]:
    """Matrices apart from vectors, where a group does not say what it is."""
    out = []
    for number, group in enumerate(listed):
        if "use_muon" in group:
            out.append(group)
            continue
        matrices = [p for p in group["params"] if p.ndim >= 2]
        rest = [p for p in group["params"] if p.ndim < 2]
        name = group.get("name", f"group {number}")
        if matrices:
            out.append({**group, "name": name, "params": matrices, "use_muon": True})
        if rest:
            rate = adamw_lr * group.get("lr_ratio", 1.0)
            apart = {"name": f"{name}/adamw", "params": rest, "use_muon": False}
            out.append({**group, **apart, "lr": rate, "initial_lr": rate})
    return out


def _wants_tensors(
    tensor_lr: bool | str, kind: Any, name: str, listed: list[dict[str, Any]]
) -> bool:
    takes = "Tensor" in str(inspect.signature(kind).parameters["lr"].annotation)
    if tensor_lr == "auto":
        return takes and all(p.is_cuda for group in listed for p in group["params"])
    if not isinstance(tensor_lr, bool):
        raise TypeError(f'tensor_lr is True, False or "auto", not {tensor_lr!r}')
    if tensor_lr and not takes:
        raise ValueError(f"{name} takes no tensor as learning rate; leave tensor_lr out")
    return tensor_lr


def _with_tensors(
    kind: Any, listed: list[dict[str, Any]], options: dict[str, Any]
) -> dict[str, Any]:
    """Give every group a rate of its own in a tensor; the options that this asks for."""
    for group in listed:
        device = group["params"][0].device if group["params"] else None
        group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float32, device=device)
    on_cuda = any(p.is_cuda for group in listed for p in group["params"])
    if on_cuda and "capturable" in inspect.signature(kind).parameters:
        return {"capturable": True, **options}
    return options
