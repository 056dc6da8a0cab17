"""Every kind of optimizer and gradient: skipped without a trace, else as without the guard."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")

from trainlens_torch.gradients import Accumulation  # noqa: E402
from trainlens_torch.guard import UpdateGuard  # noqa: E402

WAYS = ("branch", "restore")


class Lion(torch.optim.Optimizer):
    """An optimizer of nobody's library: a tensor of state that it makes anew at each step."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.01, "decay": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                past = state.get("past", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["decay"])
                p.sub_(group["lr"] * (0.9 * past + 0.1 * p.grad).sign())
                state["past"] = 0.99 * past + 0.01 * p.grad


def bits(value):
    """Nested state with tensors as bytes, so that NaN and -0.0 are compared, too."""
    if isinstance(value, torch.Tensor):
        dense = value.detach().to_dense() if value.is_sparse else value.detach()
        return str(dense.dtype), dense.reshape(-1).view(torch.uint8).tolist()
    if isinstance(value, dict):
        return {k: bits(v) for k, v in value.items()}
    return [bits(v) for v in value] if isinstance(value, list | tuple) else value


def everything(model, optimizer):
    return bits(list(model.parameters())), bits(optimizer.state_dict())


def lockstep(model, make, backward, way, bad=(2, 3, 5), steps=7, **limits):
    """A guarded training with bad batches against a plain one that never saw them."""
    twin = copy.deepcopy(model)
    ours, theirs = make(model), make(twin)
    guard = UpdateGuard(ours, way=way, **limits)
    for step in range(steps):
        backward(model, step, math.nan if step in bad else 1.0)
        before = everything(model, ours)
        assert bool(guard.step()) == (step in bad)
        if step in bad:
            assert everything(model, ours) == before
        else:
            backward(twin, step, 1.0)
            theirs.step()
        ours.zero_grad()
        theirs.zero_grad()
    assert everything(model, ours) == everything(twin, theirs)
    assert int(guard.skipped) == len(bad)


def rows(step, width=3):
    return torch.randn(8, width, generator=torch.Generator().manual_seed(step))


def plain_backward(model, step, factor):
    (model(rows(step)) * factor).square().mean().backward()


def layers():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_loops_and_kernels_of_many_tensors(way, foreach, kind):
    lockstep(layers(), lambda m: kind(m.parameters(), lr=0.1, foreach=foreach), plain_backward, way)


@pytest.mark.parametrize("way", WAYS)
def test_an_optimizer_of_another_library(way):
    lockstep(layers(), lambda m: Lion(m.parameters()), plain_backward, way)


@pytest.mark.filterwarnings("ignore:Adafactor keeps numbers in Python")
@pytest.mark.parametrize("way", WAYS)
def test_adafactor_of_transformers(way):
    adafactor = pytest.importorskip("transformers.optimization").Adafactor
    lockstep(layers(), lambda m: adafactor(m.parameters()), plain_backward, way)


@pytest.mark.parametrize("way", [*WAYS, "found_inf"])
def test_several_groups_of_which_one_has_no_gradients(way):
    model = layers()
    model[0].bias.requires_grad_(False)

    def make(m):
        groups = [
            {"params": [m[0].weight], "lr": 0.1},
            {"params": [m[0].bias], "lr": 0.5},
            {"params": list(m[2].parameters()), "lr": 0.01, "weight_decay": 0.3},
        ]
        return torch.optim.AdamW(groups, fused=way == "found_inf")

    before = model[0].bias.detach().clone()
    lockstep(model, make, plain_backward, way)
    assert torch.equal(model[0].bias, before)


@pytest.mark.parametrize("way", WAYS)
def test_parameters_that_have_gradients_now_and_then(way):
    def backward(model, step, factor):
        out = model[0](rows(step)) if step % 3 == 0 else model(rows(step))
        (out * factor).square().mean().backward()

    lockstep(
        layers(), lambda m: torch.optim.AdamW(m.parameters(), lr=0.1), backward, way, bad=(0, 3, 4)
    )


@pytest.mark.filterwarnings("ignore:SparseAdam keeps numbers in Python")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limits", [{}, {"clip_norm": 1e9, "max_norm": 1e9}])
@pytest.mark.parametrize(
    "kind",
    [lambda p: torch.optim.SGD(p, lr=0.1), lambda p: torch.optim.SparseAdam(list(p), lr=0.1)],
)
def test_sparse_gradients(way, limits, kind):
    torch.manual_seed(0)
    table = torch.nn.Embedding(9, 2, sparse=True)

    def backward(model, step, factor):
        (model(torch.tensor([step, 3, 3])) * factor).sum().backward()

    lockstep(table, lambda m: kind(m.parameters()), backward, way, **limits)


@pytest.mark.parametrize("way", WAYS)
def test_one_bad_micro_batch_of_several_skips_their_update(way):
    def backward(model, step, factor):
        accumulate = Accumulation(model, steps=2)
        for part, of in ((0, 1.0), (1, factor)):
            accumulate.backward((model(rows(2 * step + part)) * of).square().mean(), weight=8)
        accumulate.finish()

    lockstep(layers(), lambda m: torch.optim.AdamW(m.parameters(), lr=0.1), backward, way)


@pytest.mark.parametrize("way", WAYS)
def test_low_precision_with_a_scaler(way):
    """A scale under which float16 overflows is lowered until it does not, with no bad update."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    guard = UpdateGuard(optimizer, way=way, clip_norm=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=1000)
    skipped = []
    for step in range(12):
        with torch.autocast("cpu", torch.float16):
            loss = model(rows(step)).square().mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        skipped.append(bool(guard.step(loss)))
        scaler.update()
        optimizer.zero_grad()
        assert all(bool(p.isfinite().all()) for p in model.parameters())
    assert skipped == sorted(skipped, reverse=True)
    assert True in skipped
    assert False in skipped
    assert scaler.get_scale() == 2.0 ** (20 - sum(skipped))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("extra", [{"capturable": True}, {"fused": True}])
def test_capturable_and_fused_on_a_gpu(extra):
    lockstep(
        layers().cuda(),
        lambda m: torch.optim.AdamW(m.parameters(), lr=0.1, **extra),
        lambda m, step, factor: (m(rows(step).cuda()) * factor).square().mean().backward(),
        "auto",
    )
