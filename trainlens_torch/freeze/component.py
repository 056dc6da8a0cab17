"""What is frozen together: the parameters and normalisation layers that a pattern names."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from trainlens_torch.freeze.norms import has_statistics, hold, release
from trainlens_torch.patterns import assigned, plain

__all__ = ["Component", "components_of"]


@dataclass(frozen=True, eq=False)
class Component:
    """What one pattern names.

    Parameters
    ----------
    pattern : str
    parameters : mapping of str to Parameter
        By name without wrappers.
    norms : tuple of Module
        Normalisation layers with running statistics.
    """

    pattern: str
    parameters: Mapping[str, nn.Parameter]
    norms: tuple[nn.Module, ...]

    def be(
        self,
        frozen: bool,
        by_hand: Container[str],
        *,
        keep_graph: bool = False,
        hold_norms: bool = True,
    ) -> None:
        """Freeze it, or let it train.

        Parameters
        ----------
        frozen : bool
        by_hand : container of str
            Parameters whose ``requires_grad`` is left as it is.
        keep_graph : bool
            Whether frozen parameters go on requiring gradients.
        hold_norms : bool
            Whether statistics stand still while it is frozen.
        """
        wanted = keep_graph or not frozen
        for name, parameter in self.parameters.items():
            if parameter.requires_grad != wanted and name not in by_hand:
                parameter.requires_grad_(wanted)
        if frozen:
            self.drop_gradients()
        set_mode = hold if frozen and hold_norms else release
        for module in self.norms:
            set_mode(module)

    def drop_gradients(self) -> None:
        """Set all gradients to None."""
        for parameter in self.parameters.values():
            parameter.grad = None


def components_of(
    model: nn.Module, names: Mapping[nn.Parameter, tuple[str, ...]], patterns: Sequence[str]
) -> tuple[Component, ...]:
    """What each pattern names; normalisation layers alone are enough.

    Parameters
    ----------
    model : torch.nn.Module
    names : mapping of Parameter to names
        From `trainlens_torch.patterns.parameter_names`.
    patterns : sequence of str

    Raises
    ------
    TypeError, ValueError
        A pattern that names nothing, or something that two patterns name.
    """
    modules: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if has_statistics(module) and plain(name):
            modules.setdefault(module, []).append(plain(name))
    found = assigned([*names.values(), *modules.values()], patterns)
    parameters: dict[str, dict[str, nn.Parameter]] = {pattern: {} for pattern in patterns}
    norms: dict[str, list[nn.Module]] = {pattern: [] for pattern in patterns}
    for (parameter, own), match in zip(names.items(), found[: len(names)], strict=True):
        if match is not None:
            parameters[match.pattern][own[0]] = parameter
    for module, match in zip(modules, found[len(names) :], strict=True):
        if match is not None:
            norms[match.pattern].append(module)
    return tuple(Component(p, parameters[p], tuple(norms[p])) for p in patterns)
