"""Multi-head attention whose dropout rate can change inside a compiled graph."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainlens_torch.dropout.tensors import TensorRate

__all__ = ["ScheduledAttention"]


class ScheduledAttention(TensorRate, nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` whose dropout rate is a tensor that is filled in place.

    Parameters, results and ``state_dict`` are those of torch's layer. Its rate is a plain number
    that goes into `scaled_dot_product_attention`, so each new one compiles the graph again; here
    the weights are computed, dropped and used in three steps, which keeps the (N, heads, L, S)
    weights in memory as torch does with ``need_weights=True``. In evaluation it is torch's layer.

    A query that may attend to nothing gets zeros, and its weights are zeros.

    Parameters
    ----------
    embed_dim, num_heads, dropout, **kwargs
        As for `torch.nn.MultiheadAttention`.

    Raises
    ------
    TypeError, ValueError
        A rate that is none; in `forward`, masks of another shape than torch takes.

    References
    ----------
    Vaswani et al. 2017, arXiv:1706.03762.

    Examples
    --------
    >>> attention = ScheduledAttention(8, 2, dropout=0.1)
    >>> attention.dropout = 0.2
    >>> attention.dropout, [name for name in attention.state_dict() if "scale" in name]
    (0.2, [])
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(embed_dim, num_heads, dropout, *args, **kwargs)
        device = self.out_proj.weight.device
        if self.keep_from.device != device:
            for name in self._filling(self._rate):
                self._buffers[name] = self.get_buffer(name).to(device)

    @property
    def dropout(self) -> float:
        """The rate, as a plain number."""
        # A graph that is traced in evaluation must not be guarded by a number it has no use for.
        return 0.0 if torch.compiler.is_compiling() else self._rate

    @dropout.setter
    def dropout(self, rate: float) -> None:
        self.take_rate(rate)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend, as `torch.nn.MultiheadAttention` does; see there.

        Returns
        -------
        Tensor of the shape of `query`, and the weights after dropout or None

        Raises
        ------
        ValueError
            A mask of another shape, or `is_causal` without one.
        """
        if not self.training:
            return super().forward(
                query,
                key,
                value,
                key_padding_mask=key_padding_mask,
                need_weights=need_weights,
                attn_mask=attn_mask,
                average_attn_weights=average_attn_weights,
                is_causal=is_causal,
            )
        if is_causal and attn_mask is None:
            raise ValueError("is_causal is a hint about attn_mask, which is missing")
        q, k, v = (self._heads(x) for x in self._with_bias(*self._projected(query, key, value)))
        mask = self._mask(attn_mask, key_padding_mask, q, k)
        weights, out = self._attended(q, k, v, mask)
        out = functional.linear(
            self._joined(out, query.dim() == 3), self.out_proj.weight, self.out_proj.bias
        )
        if not need_weights:
            return out, None
        weights = weights.mean(dim=1) if average_attn_weights else weights
        return out, weights if query.dim() == 3 else weights.squeeze(0)

    def _attended(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Weights (N, heads, L, S) after dropout, and values (N, heads, L, head_dim)."""
        scores = (q * math.sqrt(1.0 / self.head_dim)) @ k.transpose(-2, -1)
        if mask is None:
            weights = scores.softmax(dim=-1)
        else:
            # Where everything is masked the softmax is 0 / 0, and so are its gradients, even of
            # results that are not used: give it something finite, and no weight.
            nowhere = (mask == -math.inf).all(dim=-1, keepdim=True)
            scores = scores + mask.masked_fill(nowhere, 0.0)
            weights = scores.softmax(dim=-1).masked_fill(nowhere, 0.0)
        weights = (weights * self.noise(weights)).to(weights.dtype)
        return weights, weights @ v

    def _projected(
        self, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, each (N, length, embed_dim)."""
        same, bias = query is key and key is value, self.in_proj_bias
        query, key, value = (self._batch_first(x) for x in (query, key, value))
        if self.in_proj_weight is not None and same:
            q, k, v = functional.linear(query, self.in_proj_weight, bias).chunk(3, dim=-1)
            return q, k, v
        weights = (
            (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            if self.in_proj_weight is None
            else self.in_proj_weight.chunk(3)
        )
        biases = (None, None, None) if bias is None else bias.chunk(3)
        inputs = (query, key, value)
        q, k, v = (functional.linear(*x) for x in zip(inputs, weights, biases, strict=True))
        return q, k, v

    def _with_bias(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same with the learned key and value, and the zeros, that the layer may add."""
        count, width = k.shape[0], self.embed_dim
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(count, 1, width).to(k.dtype)], dim=1)
            v = torch.cat([v, self.bias_v.expand(count, 1, width).to(v.dtype)], dim=1)
        if self.add_zero_attn:
            zeros = k.new_zeros(count, 1, width)
            k, v = torch.cat([k, zeros], dim=1), torch.cat([v, zeros], dim=1)
        return q, k, v

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.num_heads, self.head_dim).transpose(1, 2)

    def _batch_first(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return x.unsqueeze(0)
        return x if self.batch_first else x.transpose(0, 1)

    def _joined(self, x: Tensor, batched: bool) -> Tensor:
        """From (N, heads, L, head_dim) to the layout of the query."""
        x = x.transpose(1, 2).flatten(2)
        if not batched:
            return x.squeeze(0)
        return x if self.batch_first else x.transpose(0, 1)

    def _mask(
        self, attn: Tensor | None, padding: Tensor | None, q: Tensor, k: Tensor
    ) -> Tensor | None:
        """Both masks as one that is added to the scores: (N or 1, heads or 1, L or 1, S)."""
        parts = []
        added = k.shape[2]  # includes the learned key and the zeros, which nothing masks
        source = added - (self.bias_k is not None) - self.add_zero_attn
        if attn is not None:
            parts.append(self._shaped(attn, q, source))
        if padding is not None:
            expected = (q.shape[0], source)
            if padding.dim() == 1:
                padding = padding.unsqueeze(0)
            if tuple(padding.shape) != expected:
                raise ValueError(
                    f"key_padding_mask must have shape {expected}, not {tuple(padding.shape)}"
                )
            parts.append(padding[:, None, None, :])
        masks = [functional.pad(_additive(part, q.dtype), (0, added - source)) for part in parts]
        return sum(masks[1:], masks[0]) if masks else None

    def _shaped(self, attn: Tensor, q: Tensor, source: int) -> Tensor:
        count, heads, length = q.shape[:3]
        if attn.dim() == 2 and tuple(attn.shape) == (length, source):
            return attn
        if attn.dim() == 3 and tuple(attn.shape) == (count * heads, length, source):
            return attn.view(count, heads, length, source)
        raise ValueError(
            f"attn_mask must have shape {(length, source)} or {(count * heads, length, source)}, "
            f"not {tuple(attn.shape)}"
        )


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers to add: -inf where a boolean one is True."""
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -math.inf)
    return mask.to(dtype)
