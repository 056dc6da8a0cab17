"""A small structure predictor: it moves the atoms of a template by the distances that it wants."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from examples.diffold_guarded.chains import BOND, KINDS
from examples.diffold_guarded.data import NEARER, Chains
from trainlens_torch.metrics import lddt_per_residue

ROOM = 7_000
"""Pairs of residues that fit into memory while gradients are kept."""

SCALE = 10.0
"""Å in the unit of the network."""

_FAR = 12
_CLAMP = 10.0
WEIGHTS = {"coordinate": 1.0, "bond": 0.5, "confidence": 1.0}


class Predictor(nn.Module):
    """Coordinates and a confidence for each residue.

    Whatever rotates or moves the template rotates or moves the prediction: all that it sees are
    distances, and all that it does is to move atoms towards and away from each other.

    Parameters
    ----------
    width : int
        Features of a pair.
    rounds : int
        Times that all atoms are moved.
    """

    def __init__(self, width: int = 16, rounds: int = 3) -> None:
        super().__init__()
        self.left = nn.Embedding(KINDS, width)
        self.right = nn.Embedding(KINDS, width)
        self.apart = nn.Embedding(2 * _FAR + 1, width)
        self.evidence = nn.Linear(len(NEARER), width)
        self.rounds = nn.ModuleList(Round(width) for _ in range(rounds))
        self.confidence = nn.Linear(width, 1)

    def forward(self, chains: Chains) -> tuple[Tensor, Tensor]:
        """Positions, shape (b, n, 3), in Å, and confidences from 0 to 1, shape (b, n)."""
        sequence, mask = chains["sequence"], chains["mask"]
        place = torch.arange(sequence.shape[1])
        apart = (place[:, None] - place).clamp(-_FAR, _FAR) + _FAR
        pairs = (
            self.left(sequence)[:, :, None]
            + self.right(sequence)[:, None]
            + self.apart(apart)
            + self.evidence(chains["contacts"])
        )
        both = (mask[:, :, None] & mask[:, None]).float()
        places = chains["template"]
        for each in self.rounds:
            places, pairs = each(places, pairs, both)
        seen = (pairs * both[..., None]).sum(2) / both.sum(2, keepdim=True).clamp_min(1.0)
        return places, self.confidence(seen).squeeze(-1).sigmoid()


class Round(nn.Module):
    """Looks at all pairs, and moves each atom to where its distances to the others ask for.

    With all distances trusted alike this is a step of de Leeuw's majorization for
    multidimensional scaling (1977, "Applications of convex analysis to multidimensional scaling").

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Linear(width + 1, width)
        self.want = nn.Linear(width, 2)
        # It begins by wanting the same distance of all pairs, whatever the seed.
        nn.init.zeros_(self.want.weight)
        nn.init.ones_(self.want.bias)

    def forward(self, places: Tensor, pairs: Tensor, both: Tensor) -> tuple[Tensor, Tensor]:
        """Places, shape (b, n, 3), and features of pairs, shape (b, n, n, width)."""
        towards = places[:, None] - places[:, :, None]
        far = distance(towards)[..., None] / SCALE
        pairs = pairs + torch.relu(self.look(torch.cat([pairs, far], -1)))
        wanted, trust = self.want(pairs).split(1, -1)
        trust = trust.sigmoid() * both[..., None]
        force = trust * (1 - nn.functional.softplus(wanted) / far)
        return places + (force * towards).sum(2) / trust.sum(2).clamp_min(1e-3), pairs


def distance(difference: Tensor) -> Tensor:
    """Lengths of vectors, with a gradient at 0."""
    return (difference.square().sum(-1) + 1e-6).sqrt()


def losses(chains: Chains, places: Tensor, confidence: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, a mean over chains, and the terms that make it up.

    ``coordinate`` compares distances up to a deviation of 10 Å, ``bond`` the lengths of bonds with
    3.8 Å, ``confidence`` what the model thinks of each residue with its lDDT.
    """
    target, mask = chains["trace"], chains["mask"]
    off = (_distances(places) - _distances(target)).abs().clamp_max(_CLAMP)
    bonds = (distance(places.diff(dim=1)) - BOND).abs()
    score = lddt_per_residue(places.detach(), target, mask)
    # Where there is no residue, there is no lDDT.
    wrong = torch.where(mask, confidence - score, 0.0).square()
    terms = {
        "coordinate": _mean(off, mask[:, :, None] & mask[:, None]),
        "bond": _mean(bonds, mask[:, 1:]),
        "confidence": _mean(wrong, mask),
    }
    total = torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum()
    return total, terms


def _distances(places: Tensor) -> Tensor:
    return distance(places[:, None] - places[:, :, None])


def _mean(value: Tensor, mask: Tensor) -> Tensor:
    """Mean over what counts of each chain, then over the chains."""
    within = tuple(range(1, value.dim()))
    return ((value * mask).sum(within) / mask.sum(within)).mean()


def limit_memory(model: nn.Module, room: int = ROOM) -> None:
    """Have a model run out of memory as a device would, where a batch has too many pairs.

    This stands for a GPU: the features of pairs are what fills it, so what counts is the number of
    chains times the square of the longest. Without gradients a pass keeps next to nothing.
    """

    def check(_: nn.Module, inputs: tuple[Chains]) -> None:
        chains, longest = inputs[0]["sequence"].shape
        pairs = chains * longest**2
        if torch.is_grad_enabled() and pairs > room:
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to hold {pairs:,} pairs, of which {room:,} fit"
            )

    model.register_forward_pre_hook(check)
