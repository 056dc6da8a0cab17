"""Shares of a loss and of its gradients."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

import trainlens  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.metrics import decompose_loss, gradient_shares  # noqa: E402
from trainlens_torch.record.logger import RunLogger  # noqa: E402

VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=5)


@settings(max_examples=60)
@given(VALUES, st.floats(-5, 5), st.integers(0, 10**6))
def test_terms_shares_and_what_is_left(values, extra, seed):
    weights = np.random.default_rng(seed).uniform(-1, 2, size=len(values))
    names = [f"part{i}" for i in range(len(values))]
    parts = {n: torch.tensor(v, dtype=torch.float64) for n, v in zip(names, values, strict=True)}
    terms = weights * values
    total = torch.tensor(terms.sum() + extra)
    found = decompose_loss(total, parts, dict(zip(names, weights.tolist(), strict=True)))
    assert found.residual.item() == pytest.approx(extra, abs=1e-9)
    if np.abs(terms).sum() > 1e-200:
        shares = [found.shares[n].item() for n in names]
        assert shares == pytest.approx(list(np.abs(terms) / np.abs(terms).sum()))
        assert sum(shares) == pytest.approx(1)
    told = abs(extra) > 1e-4 * max(np.abs(terms).sum(), abs(total.item()))
    assert bool(found.complaint()) == told


def test_a_missing_term_is_told_with_its_size():
    parts = {"fape": torch.tensor(2.0), "plddt": torch.tensor(3.0)}
    found = decompose_loss(torch.tensor(2.5), parts, {"plddt": 0.01})
    assert "total 2.5 is not the weighted sum 2.03 of its components: +0.47" in found.complaint()
    assert decompose_loss(torch.tensor(2.03), parts, {"plddt": 0.01}).complaint() == ""


def test_components_of_zero_and_those_that_are_not_finite():
    nothing = decompose_loss(torch.tensor(0.0), {"a": torch.tensor(0.0)})
    assert nothing.shares["a"].isnan()
    assert nothing.complaint() == ""
    lost = decompose_loss(torch.tensor(math.nan), {"a": torch.tensor(math.nan)})
    assert lost.residual.isnan()
    assert lost.complaint() != ""


def test_nothing_is_read_and_no_graph_is_kept():
    w = torch.nn.Linear(3, 2)
    x = torch.ones(4, 3)
    with counted() as syncs:
        parts = {"a": w(x).square().mean(), "b": w(x).abs().mean()}
        total = parts["a"] + 0.5 * parts["b"]
        stats = decompose_loss(total, parts, {"b": torch.tensor(0.5)}).stats()
        stats |= gradient_shares(parts, w).stats()
    assert syncs.count == 0
    assert not any(value.requires_grad for value in stats.values())
    total.backward()  # the graph is still there
    assert all(p.grad is not None for p in w.parameters())


def test_gradients_by_hand():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    x = torch.randn(8, 4)
    out = model(x)
    parts = {"a": out[:, 0].square().mean(), "b": out.sum(), "c": -3 * out.sum()}
    vectors = {}
    for name, weight in (("a", 1.0), ("b", 0.2), ("c", 1.0)):
        grads = torch.autograd.grad(
            parts[name] * weight, list(model.parameters()), retain_graph=True
        )
        vectors[name] = torch.cat([g.flatten() for g in grads])
    found = gradient_shares(parts, model, {"b": 0.2})
    lengths = {name: v.norm() for name, v in vectors.items()}
    for name, length in lengths.items():
        torch.testing.assert_close(found.norms[name], length)
        torch.testing.assert_close(found.shares[name], length / sum(lengths.values()))
    for (a, b), cosine in found.cosines.items():
        expected = torch.cosine_similarity(vectors[a], vectors[b], dim=0)
        torch.testing.assert_close(cosine, expected)
    assert list(found.cosines) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found.cosines["b", "c"].item() == pytest.approx(-1)
    assert all(p.grad is None for p in model.parameters())


def test_components_that_reach_only_some_parameters():
    one, other = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    parts = {"a": one.sum(), "b": other.sum(), "none": torch.tensor(3.0)}
    found = gradient_shares(parts, [one, other, frozen])
    assert [float(v) for v in found.norms.values()] == pytest.approx([2**0.5, 2**0.5, 0])
    assert found.cosines["a", "b"] == 0
    assert found.cosines["a", "none"].isnan()
    assert float(found.shares["none"]) == 0


@pytest.mark.parametrize("name", ["fape", "loss_fape", "fape_loss", "mpjpe", "acc"])
def test_no_name_of_a_component_gives_its_share_the_role_of_a_loss(name):
    w = torch.nn.Parameter(torch.ones(2))
    parts = {name: w.sum(), "other": w.square().sum()}
    stats = decompose_loss(torch.tensor(4.0), parts).stats() | gradient_shares(parts, w).stats()
    roles = {key: role_of(key).name for key in stats}
    assert {r for k, r in roles.items() if k.startswith("loss_weight/")} == {"loss-weight"}
    assert {r for k, r in roles.items() if not k.startswith("loss_weight/")} == {"other"}


def test_a_log_holds_what_was_found(tmp_path):
    parts = {"fape": torch.tensor(2.0), "dist": torch.tensor(4.0)}
    found = decompose_loss(torch.tensor(3.2), parts, {"dist": 0.3})
    with RunLogger(tmp_path / "run.jsonl", sync=True, strict=True) as log:
        for step in range(3):
            log.log(step, losses=found.losses(), stats=found.stats())
    run = trainlens.load_one(tmp_path / "run.jsonl")
    names = {metric for metric, _ in run.series}
    assert {
        "total",
        "fape",
        "dist",
        "loss_share/fape",
        "loss_weight/dist",
        "loss_residual",
    } <= names
    assert run["loss_share/dist", "train"].value.tolist() == pytest.approx([0.375] * 3)


def test_other_input_is_refused():
    one, w = torch.tensor(1.0), torch.nn.Parameter(torch.ones(2))
    for call, error, message in [
        (lambda: decompose_loss(one, {}), ValueError, "at least one"),
        (lambda: decompose_loss(one, {"a": 1.0}), TypeError, "a must be a tensor"),
        (lambda: decompose_loss(w, {"a": one}), ValueError, "the total must be one number"),
        (lambda: decompose_loss(one, {"a": one}, {"b": 1.0}), ValueError, "no such component"),
        (lambda: gradient_shares({"a": one}, torch.ones(2)), ValueError, "needs a gradient"),
        (lambda: gradient_shares({}, w), ValueError, "there must be a component"),
        (lambda: gradient_shares({"a": w.sum()}, w, {"b": 1.0}), ValueError, "no such component"),
    ]:
        with pytest.raises(error, match=message):
            call()
