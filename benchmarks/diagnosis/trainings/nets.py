"""Small networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

_ACT = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Mlp(nn.Module):
    """Linear layers fc1, fc2, ... with an activation between them.

    Parameters
    ----------
    *sizes : int
        Widths from input to output.
    act : str
        relu, tanh or sigmoid.
    """

    def __init__(self, *sizes: int, act: str = "relu") -> None:
        super().__init__()
        pairs = pairwise(sizes)
        self.layers = nn.ModuleDict(
            {f"fc{i}": nn.Linear(a, b) for i, (a, b) in enumerate(pairs, 1)}
        )
        self.act = act
        gain = 2.0 if act == "relu" else 1.0
        for layer in self.linears.values():
            nn.init.normal_(layer.weight, std=(gain / layer.in_features) ** 0.5)
            nn.init.zeros_(layer.bias)

    @property
    def linears(self) -> dict[str, nn.Linear]:
        """Layers by name, from input to output."""
        return {name: m for name, m in self.layers.items() if isinstance(m, nn.Linear)}

    def hidden(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Activations of each layer but the last, then its output."""
        x = x.flatten(1)
        for place, (name, layer) in enumerate(self.linears.items(), 1):
            x = layer(x)
            if place < len(self.layers):
                x = _ACT[self.act](x)
            yield name, x

    def forward(self, x: Tensor) -> Tensor:
        """Output of the last layer."""
        *_, (_, out) = self.hidden(x)
        return out


def conv(classes: int = 10, width: int = 8) -> nn.Module:
    """Two convolutions over 8 x 8 images."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * width, classes),
    )  # fmt: skip


class Rnn(nn.Module):
    """A plain recurrent network of ReLUs that reads numbers and says one.

    Parameters
    ----------
    width : int
    gain : float
        Size of the recurrent matrix: an orthogonal one times this.
    """

    def __init__(self, width: int = 24, gain: float = 1.0) -> None:
        super().__init__()
        self.cell = nn.RNN(2, width, batch_first=True, nonlinearity="relu")
        self.head = nn.Linear(width, 1)
        recurrent = self.cell.get_parameter("weight_hh_l0")
        nn.init.orthogonal_(recurrent, gain)

    def forward(self, x: Tensor) -> Tensor:
        """One number a sequence, shape (n, 1)."""
        out: Tensor = self.head(self.cell(x)[0][:, -1])
        return out


class Gru(nn.Module):
    """Letters in, a guess of the next letter out."""

    def __init__(self, letters: int = 16, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, 16)
        self.cell = nn.GRU(16, width, batch_first=True)
        self.head = nn.Linear(width, letters)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, length, letters)."""
        out: Tensor = self.head(self.cell(self.embed(x))[0])
        return out


class Transformer(nn.Module):
    """A causal transformer over letters; the normalisation comes after each block, as in 2017."""

    def __init__(self, letters: int = 16, width: int = 32, depth: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, width)
        self.place = nn.Parameter(0.1 * torch.randn(12, width))
        block = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, letters)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, length, letters)."""
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        out: Tensor = self.head(self.blocks(self.embed(x) + self.place, mask, is_causal=True))
        return out


class Fusion(nn.Module):
    """Two networks, each with half of the inputs, mixed by a learned gate.

    Parameters
    ----------
    bias : float
        The gate begins at the sigmoid of it.
    """

    def __init__(self, dims: int, classes: int, bias: float = 0.0) -> None:
        super().__init__()
        self.part = dims // 2
        self.left, self.right = Mlp(self.part, 24, 16), Mlp(dims - self.part, 24, 16)
        self.gate, self.head = nn.Linear(dims, 1), nn.Linear(16, classes)
        nn.init.constant_(self.gate.bias, bias)

    def alpha(self, x: Tensor) -> Tensor:
        """Share of the left network, shape (n, 1)."""
        return torch.sigmoid(self.gate(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        share = self.alpha(x)
        mixed = share * self.left(x[:, : self.part]) + (1 - share) * self.right(x[:, self.part :])
        out: Tensor = self.head(torch.relu(mixed))
        return out
