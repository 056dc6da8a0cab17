"""Updates that are skipped leave every bit; all others are those of the optimizer alone."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.gradients import Accumulation  # noqa: E402
from trainlens_torch.guard import UpdateGuard  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "fused-momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
    "fused-adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1, fused=True),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.1),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.1),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.1),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    "fused-adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, fused=True),
}
WAYS = ("branch", "restore", "found_inf")


def ways(name):
    return WAYS if name.startswith("fused") else WAYS[:2]


CASES = [(name, way) for name in OPTIMIZERS for way in ways(name)]


class Counting(torch.optim.Optimizer):
    """Keeps a number in its group, a list in its state, and new tensors at each step."""

    def __init__(self, params):
        super().__init__(params, {"k": 0, "lr": 0.1})

    def step(self, closure=None):
        for group in self.param_groups:
            group["k"] += 1
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                state["sum"] = state.get("sum", torch.zeros_like(p)) + p.grad
                state.setdefault("seen", []).append(group["k"])
                p.data.sub_(group["lr"] * state["sum"] / group["k"])


def parameters(seed=0):
    rng = torch.Generator().manual_seed(seed)
    shapes = [(3, 2), (4,), (), (2, 3, 2)]
    found = [torch.nn.Parameter(torch.randn(s, generator=rng)) for s in shapes]
    found.append(torch.nn.Parameter(torch.randn(3, dtype=torch.float64, generator=rng)))
    return found


def gradients(held, seed, bad=None):
    rng = torch.Generator().manual_seed(seed)
    for p in held:
        p.grad = torch.randn(p.shape, generator=rng, dtype=p.dtype)
    if bad is not None:
        held[seed % len(held)].grad.view(-1)[0] = bad


def bits(value):
    """Nested state in plain bytes, so that NaN and -0.0 are compared, too."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.detach().reshape(-1).view(torch.uint8).tolist()
    if isinstance(value, dict):
        return {k: bits(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [bits(v) for v in value]
    return value


def everything(optimizer, held):
    return bits(held), bits(optimizer.state_dict())


@pytest.mark.parametrize(("name", "way"), CASES)
@pytest.mark.parametrize("bad_first", [False, True])
def test_a_skipped_update_changes_no_bit_and_others_are_those_of_the_optimizer(
    name, way, bad_first
):
    ours, theirs = parameters(), parameters()
    guarded, plain = OPTIMIZERS[name](ours), OPTIMIZERS[name](theirs)
    guard = UpdateGuard(guarded, way=way)
    bad = {0: math.nan} if bad_first else {}
    bad |= {3: math.inf, 4: math.nan, 7: -math.inf}
    for step in range(9):
        gradients(ours, step, bad.get(step))
        before = everything(guarded, ours)
        assert bool(guard.step()) == (step in bad)
        if step in bad:
            assert everything(guarded, ours) == before
        else:
            gradients(theirs, step)
            plain.step()
    assert everything(guarded, ours) == everything(plain, theirs)
    report = guard.report()
    assert (report["skipped"], report["for_gradient"], report["calls"]) == (len(bad), len(bad), 9)
    assert (report["first_bad"], report["last_bad"], report["in_a_row"]) == (min(bad), 7, 0)


@pytest.mark.filterwarnings("ignore:Counting keeps numbers in Python")
@pytest.mark.parametrize("way", ["branch", "restore"])
def test_an_optimizer_with_numbers_in_python_is_taken_back_too(way):
    ours, theirs = parameters(), parameters()
    guarded, plain = Counting(ours), Counting(theirs)
    guard = UpdateGuard(guarded, way=way)
    for step in range(6):
        gradients(ours, step, math.nan if step in (0, 2, 3) else None)
        before = everything(guarded, ours)
        if bool(guard.step()):
            assert everything(guarded, ours) == before
        else:
            gradients(theirs, step)
            plain.step()
    assert everything(guarded, ours) == everything(plain, theirs)


def test_who_makes_the_guard_wait_is_told():
    held = parameters()
    guard = UpdateGuard(Counting(held), way="restore")
    gradients(held, 0)
    guard.step()
    with pytest.warns(RuntimeWarning, match="Counting keeps numbers in Python"):
        guard.step()


@pytest.mark.parametrize("way", ["restore", "found_inf"])
def test_no_host_sync_in_the_step_path(way):
    held = parameters()
    optimizer = torch.optim.SGD(held, lr=0.1, momentum=0.9, fused=way == "found_inf")
    guard = UpdateGuard(optimizer, way=way, clip_norm=1.0, max_norm=1e6, z=6.0, warmup=2)
    gradients(held, 0)
    guard.step(torch.tensor(1.0))  # makes the state
    with counted() as reads:
        for step in range(1, 6):
            gradients(held, step, math.nan if step == 3 else None)
            guard.step(torch.tensor(1.0), step=step)
            guard.stats()
    assert reads.count == 0
    assert int(guard.skipped) == 1
    assert int(guard.first_bad) == 3


def test_a_parameter_that_joins_later_is_skipped_without_a_trace():
    held = parameters()
    optimizer = torch.optim.AdamW(held, lr=0.1, fused=True)
    guard = UpdateGuard(optimizer, way="found_inf")
    gradients(held, 0)
    held[1].grad = None
    guard.step()
    gradients(held, 1, math.nan)
    before = everything(optimizer, held)
    assert bool(guard.step())
    assert everything(optimizer, held) == before
    assert held[1] not in optimizer.state


@pytest.mark.parametrize("layout", [torch.channels_last])
def test_tensors_that_do_not_lie_in_order_keep_their_values(layout):
    weight = torch.nn.Parameter(torch.randn(2, 3, 4, 5).to(memory_format=layout))
    guard = UpdateGuard(torch.optim.SGD([weight], lr=0.1), way="restore")
    kept = weight.detach().clone()
    for bad in (math.nan, 0.0):
        weight.grad = torch.full_like(weight, 1.0)
        weight.grad[0, 0, 0, 0] += bad
        guard.step()
        assert torch.equal(weight, kept if bad != 0.0 else kept - 0.1)
    assert weight.is_contiguous(memory_format=layout)


def test_a_loss_that_is_not_finite_is_skipped_whatever_its_gradient():
    held = parameters()
    guard = UpdateGuard(torch.optim.SGD(held, lr=0.1))
    gradients(held, 0)
    before = bits(held)
    assert bool(guard.step(torch.tensor([1.0, math.inf])))
    assert bits(held) == before
    assert guard.report()["for_loss"] == 1


def test_limits_skip_what_explodes_and_clipping_scales_the_rest():
    weight = torch.nn.Parameter(torch.zeros(1))
    guard = UpdateGuard(torch.optim.SGD([weight], lr=1.0), clip_norm=1.0, max_norm=100.0)
    for size, at in ((101.0, 0.0), (100.0, -1.0), (0.5, -1.5)):
        weight.grad = torch.tensor([size])
        guard.step()
        assert weight.item() == pytest.approx(at, abs=1e-6)
    assert guard.report()["for_explosion"] == 1


def test_a_norm_far_above_the_usual_is_an_explosion_and_a_new_level_is_followed():
    weight = torch.nn.Parameter(torch.zeros(1))
    guard = UpdateGuard(torch.optim.SGD([weight], lr=0.0), z=6.0, warmup=20)
    found = []
    for size in [1.0] * 50 + [50.0] + [1.0] * 20 + [4.0] * 400:
        weight.grad = torch.tensor([size])
        found.append(bool(guard.step()))
    assert found.index(True) == 50
    assert not any(found[51:71])
    assert not any(found[-100:])  # a guard that never lets go would end a training


def test_it_steps_with_accumulation_and_a_clock():
    model = torch.nn.Linear(2, 1)
    clock = Clock(10, accumulation=2)
    accumulate = Accumulation(model, clock=clock)
    guard = UpdateGuard(torch.optim.AdamW(model.parameters(), lr=0.1), clock=clock)
    for micro in range(8):
        rows = torch.ones(3, 2) * (math.inf if micro == 5 else 1.0)
        accumulate.backward(model(rows).square().mean(), weight=len(rows))
        if due := accumulate.due:
            guard.step(accumulate.finish())
            guard.optimizer.zero_grad()
        clock.tick(samples=3, update=due)
    assert guard.report() | {"calls": 4, "skipped": 1, "first_bad": 2} == guard.report()
    assert all(bool(p.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize("fused", [False, True])
def test_mixed_precision_lowers_its_scale_and_the_guard_skips(fused):
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], lr=0.1, fused=fused)
    guard = UpdateGuard(optimizer, way="found_inf" if fused else "restore")
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    skipped = []
    for _ in range(4):
        scaler.scale((weight * 3.0).sum()).backward()
        scaler.unscale_(optimizer)
        skipped.append(bool(guard.step()))
        scaler.update()
        optimizer.zero_grad()
    assert skipped == [True, False, False, False]  # 3 * 2**127 is more than a float32 holds
    assert scaler.get_scale() == 2.0**126


def test_memory_that_runs_out_costs_one_update_or_goes_on():
    held = parameters()
    guard = UpdateGuard(torch.optim.SGD(held, lr=0.1), out_of_memory="skip")
    before = bits(held)
    with guard.sheltered():
        gradients(held, 0)
        raise torch.OutOfMemoryError("CUDA out of memory")
    gradients(held, 1)  # the other micro-batch of this update
    assert bool(guard.step())
    assert bits(held) == before
    gradients(held, 2)
    assert not bool(guard.step())
    assert guard.report()["for_out_of_memory"] == 1
    guard.out_of_memory = "raise"
    with pytest.raises(torch.OutOfMemoryError), guard.sheltered():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(KeyError), guard.sheltered():
        raise KeyError("another fault")


def test_it_goes_on_from_a_saved_state_with_the_same_decisions():
    def run(guard, weight, sizes):
        found = []
        for size in sizes:
            weight.grad = torch.tensor([size])
            found.append(bool(guard.step()))
        return found

    def made():
        weight = torch.nn.Parameter(torch.zeros(1))
        return UpdateGuard(torch.optim.SGD([weight], lr=0.0), z=6.0, warmup=10), weight

    sizes = [1.0, 1.1, 0.9, 1.2] * 5 + [9.0, math.nan, 1.0, 1.9, 1.0]
    whole, cut = made(), made()
    told = run(*whole, sizes)
    run(*cut, sizes[:15])
    resumed = made()
    resumed[0].load_state_dict(copy.deepcopy(cut[0].state_dict()))
    assert run(*resumed, sizes[15:]) == told[15:]
    assert resumed[0].state_dict() == whole[0].state_dict()
    with pytest.raises(StateMismatch, match="z was 6"):
        UpdateGuard(whole[0].optimizer).load_state_dict(whole[0].state_dict())
    broken = whole[0].state_dict() | {"skipped": "two"}
    with pytest.raises(StateMismatch, match="skipped"):
        resumed[0].load_state_dict(broken)


def test_without_gradients_nothing_happens():
    held = parameters()
    guard = UpdateGuard(torch.optim.AdamW(held, lr=0.1))
    before = bits(held)
    assert not bool(guard.step())
    assert bits(held) == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_norm": 0.0}, "max_norm must be above 0"),
        ({"z": math.nan}, "z must be above 0"),
        ({"out_of_memory": "halve"}, "out_of_memory is"),
        ({"way": "hope"}, "way is one of"),
    ],
)
def test_wrong_arguments_are_told(wrong, said):
    optimizer = torch.optim.SGD(parameters(), lr=0.1)
    with pytest.raises(ValueError, match=said):
        UpdateGuard(optimizer, **wrong)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["momentum", "fused-momentum", "fused-adamw", "rmsprop"])
def test_a_gpu_is_never_waited_for(name):
    held = [torch.nn.Parameter(torch.ones(4, device="cuda")) for _ in range(3)]
    extra = {"capturable": True} if name == "rmsprop" else {}
    optimizer = OPTIMIZERS[name]([{"params": held, **extra}])
    guard = UpdateGuard(optimizer, clip_norm=1.0, z=6.0)
    fine, broken = torch.ones(4, device="cuda"), torch.full((4,), math.nan, device="cuda")
    for p in held:
        p.grad = fine.clone()
    guard.step()
    kept = [p.detach().clone() for p in held]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for p in held:
            p.grad = broken.clone()
        guard.step(fine.sum(), step=3)
        guard.stats()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.equal(p, k) for p, k in zip(held, kept, strict=True))
    assert int(guard.first_bad) == 3
