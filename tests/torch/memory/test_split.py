"""Memory runs out at every point of an update, and the update is the undisturbed one."""

import gc
import logging
import random
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from tests.torch.memory.faults import SAID, Bombs, Fragile, net  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.memory import AdaptiveBatch, SplitOnOOM  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

ROWS = 12
LIMIT = {torch.float64: 1e-12, torch.float32: 1e-6}


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL, "trainlens_torch.memory")


def batch(n=ROWS, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64).to(dtype)
    return x, x[:, :2] * 3.0


def mean_loss(model):
    return lambda piece: (model(piece[0]) - piece[1]).square().mean()


class Run:
    """One model with its `SplitOnOOM`; keeps the gradients of each update."""

    def __init__(self, bombs=None, size=ROWS, *, make=None, scaler=None, **options):
        keys = ("norm", "dropout", "dtype")
        self.bombs = bombs or Bombs()
        self.model = net(self.bombs, **{k: options.pop(k) for k in keys if k in options})
        kind = make or (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
        self.optimizer = kind(self.model.parameters())
        self.grads, self.events = [], []
        self.split = SplitOnOOM(
            self.model, options.pop("loss", mean_loss(self.model)), self.optimizer,
            batch=size, scaler=scaler, callback=self.events.append,
            step=options.pop("step", None if scaler else self.step), **options,
        )  # fmt: skip

    def step(self):
        self.grads.append([p.grad.clone() for p in self.model.parameters()])
        self.optimizer.step()

    def all(self):
        """Everything that an update may change."""
        state = self.optimizer.state_dict()["state"]
        moments = {f"{i}/{k}": v for i, row in state.items() for k, v in row.items()}
        tensors = {**self.model.state_dict(), **moments}
        return {name: v.clone() for name, v in tensors.items() if v is not None}


def assert_near(ours, theirs, dtype):
    # Of the norm: single entries near 0 are sums of larger ones in another order.
    for a, b in zip(ours, theirs, strict=True):
        assert float((a - b).norm()) <= LIMIT[dtype] * float(b.norm())


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", ["forward", "backward"])
def test_out_of_memory_at_any_point_of_the_passes(kind, dtype):
    whole = Run(dtype=dtype)
    undisturbed = whole.split.update(batch(dtype=dtype))
    halves = Run(size=3, dtype=dtype)
    halves.split.update(batch(dtype=dtype))
    # Three bombs and four pieces; nothing goes back through the first bomb, which has the data.
    points, first_attempt = halves.bombs.passed[kind], {"forward": 6, "backward": 4}[kind]
    assert points == 2 * first_attempt
    for point in range(points):
        # Begun in pieces of 6, so that any bomb of any piece comes before or after others.
        run = Run(Bombs(kind, {point}), size=6, dtype=dtype)
        done = run.split.update(batch(dtype=dtype))
        assert_near(run.grads[-1], whole.grads[-1], dtype)
        assert_near([done.loss], [undisturbed.loss], dtype)
        hit = point < first_attempt
        assert len(run.events) == hit == run.split.out_of_memory
        assert (done.attempts, done.pieces) == ((2, 4) if hit else (1, 2))
        if hit:
            assert_same(run.all(), halves.all())  # as if the pieces had been so from the start


@pytest.mark.parametrize("pair", [(a, b) for a in range(2) for b in range(a + 1, a + 5)])
def test_several_failures_in_one_update(pair):
    whole, run = Run(), Run(Bombs("backward", pair))
    whole.split.update(batch())
    done = run.split.update(batch())
    assert_near(run.grads[-1], whole.grads[-1], torch.float64)
    assert done.attempts == 3
    assert [(e.size, e.next_size) for e in run.events] == [(12, 6), (6, 3)]
    assert run.events[0].where == "backward"
    assert run.events[0].message == SAID
    assert run.split.stats() == {
        "oom_count": 2.0, "micro_batch_size": 3.0, "micro_batches": 4.0,
    }  # fmt: skip


def test_a_limit_of_rows_is_found_and_kept():
    whole, run = Run(), Run(Bombs("forward", limit=4))
    for update in range(5):
        whole.split.update(batch(seed=update))
        run.split.update(batch(seed=update))
        assert_near(run.grads[-1], whole.grads[-1], torch.float64)
    assert run.split.out_of_memory == 2
    assert run.split.batch.size == 3
    torch.testing.assert_close(run.model.state_dict(), whole.model.state_dict())


def test_random_numbers_and_order_of_batches_are_those_of_the_undisturbed_run():
    def order(bombs):
        run = Run(bombs, dropout=0.3)
        random.seed(5)
        np.random.seed(6)
        torch.manual_seed(7)
        data = torch.utils.data.TensorDataset(*batch(36))
        seen = []
        for _ in range(2):
            for x, y in torch.utils.data.DataLoader(data, ROWS, shuffle=True):
                seen.append(x)
                run.split.update((x, y))
        return torch.cat(seen), torch.get_rng_state(), random.random(), np.random.random(), run

    undisturbed = order(Bombs())
    disturbed = order(Bombs("backward", {2, 5, 9}))
    assert disturbed[-1].split.out_of_memory == 3
    for ours, theirs in zip(disturbed[:-1], undisturbed[:-1], strict=True):
        assert torch.equal(torch.as_tensor(ours), torch.as_tensor(theirs))


def test_another_attempt_begins_at_the_same_random_numbers():
    def loss(model, seen):
        def of(piece):
            seen.append((torch.rand(()).item(), random.random(), np.random.random()))
            return mean_loss(model)(piece)

        return of

    seen = []
    run = Run(Bombs("forward", {4}), size=6, loss=lambda piece: of(piece))
    of = loss(run.model, seen)
    run.split.update(batch())
    assert len(seen) == 2 + 4
    assert seen[:2] == seen[2:4]
    assert len(set(seen)) == 4
    run.split.update(batch())
    assert len(set(seen)) == 8  # the next update draws others


@pytest.mark.filterwarnings("ignore:2 normalises")
def test_statistics_of_batch_norm_are_put_back():
    first, again = Run(size=6, norm=True), Run(Bombs("backward", {1}), norm=True)
    first.split.update(batch())
    again.split.update(batch())
    assert again.split.out_of_memory == 1
    assert_same(again.all(), first.all())
    assert int(again.model[2].num_batches_tracked) == 2


def test_a_buffer_that_was_replaced_comes_back():
    class Replacing(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            self.seen = self.seen + len(x)
            if len(x) > 4:
                raise RuntimeError(SAID)
            return x * self.weight

    model = Replacing()
    split = SplitOnOOM(
        model, lambda x: model(x).mean(), torch.optim.SGD(model.parameters()), batch=8
    )
    split.update(torch.ones(8))
    assert float(model.seen) == 8.0


@pytest.mark.parametrize(("norm", "separable", "warned"), [
    (True, None, True), (True, True, False), (False, None, False),
])  # fmt: skip
def test_batch_norm_is_warned_about_once(norm, separable, warned, recwarn):
    run = Run(size=6, norm=norm, separable=separable)
    run.split.update(batch())
    run.split.update(batch())
    assert len(recwarn) == warned
    assert not warned or "2 normalises by the samples of a piece" in str(recwarn[0].message)


def test_a_loss_that_is_not_separable_is_never_cut():
    run = Run(Bombs("backward", {0}), size=4, separable=False)
    before = run.all()
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        run.split.update(batch())
    assert_same(run.all(), before)
    assert all(p.grad is None for p in run.model.parameters())
    done = run.split.update(batch())
    assert done.pieces == 1


@pytest.mark.parametrize("kind", ["forward", "backward"])
def test_giving_up_leaves_everything_as_it_was(kind):
    clock = Clock(10)
    run = Run(Bombs(kind, limit=1, at=set(range(99))), size=8, clock=clock)
    run.split.batch.floor = 2
    before, state = run.all(), torch.get_rng_state()
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        run.split.update(batch())
    assert_same(run.all(), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in run.model.parameters())
    assert clock.updates == 0
    assert [e.next_size for e in run.events] == [3, 2]


def test_other_errors_go_on_and_leave_no_trace():
    run = Run(loss=lambda piece: 1 / 0)
    before, state = run.all(), torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        run.split.update(batch())
    with pytest.raises(RuntimeError, match="shapes"):
        Run(loss=lambda piece: piece[0] @ piece[0]).split.update(batch())
    assert_same(run.all(), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert run.split.out_of_memory == 0


@pytest.mark.parametrize("kind", ["forward", "backward", "step"])
def test_a_gradient_scaler_keeps_its_scale(kind):
    def made(bombs):
        # Grows every second update: a failed attempt that counted would show in the scale.
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
        run = Run(bombs, make=lambda p: Fragile(p, bombs), scaler=scaler, protect="always")
        return run, scaler

    run, scaler = made(Bombs(kind, {1} if kind == "step" else {0, 5}))
    whole, undisturbed = made(Bombs())
    for number in range(4):
        run.split.update(batch(seed=number))
        whole.split.update(batch(seed=number))
        assert scaler.state_dict() == undisturbed.state_dict()
    assert run.split.out_of_memory
    torch.testing.assert_close(run.all(), whole.all(), rtol=1e-9, atol=1e-12)


def test_weights_and_means_beside_the_loss():
    x, y = batch()
    valid = torch.arange(ROWS) % 3 > 0

    def loss(piece):
        rows, target, mask = piece
        error = (run.model(rows) - target).square().mean(1)[mask]
        return error.mean(), {"worst": error.mean() * 2, "one": 1.0}

    run = Run(
        Bombs("forward", limit=5), loss=loss, weight=lambda piece: piece[2].sum(),
        clock=Clock("99sp"),
    )  # fmt: skip
    twin = net(Bombs())
    whole = (twin(x) - y).square().mean(1)[valid].mean()
    whole.backward()
    done = run.split.update((x, y, valid))
    assert_near(run.grads[-1], [p.grad for p in twin.parameters()], torch.float64)
    torch.testing.assert_close(done.loss, whole.detach())
    torch.testing.assert_close(done.told["worst"], 2 * whole.detach())
    assert float(done.told["one"]) == 1.0
    assert (run.split.clock.updates, run.split.clock.samples) == (1, ROWS)


def test_several_batches_are_one_update():
    whole, run = Run(), Run(Bombs("backward", {3}), size=8)
    whole.split.update(batch())
    x, y = batch()
    done = run.split.update(*zip(x.split([7, 5]), y.split([7, 5]), strict=True))
    assert_near(run.grads[-1], whole.grads[-1], torch.float64)
    assert (done.attempts, done.pieces) == (2, 3 + 2)  # pieces of at most 7 // 2


def test_nothing_of_a_failed_attempt_is_kept_alive():
    alive = []

    def loss(piece):
        hidden = run.model(piece[0])
        alive.append(weakref.ref(hidden))
        if len(alive) == 1:
            raise torch.OutOfMemoryError(SAID)
        assert alive[0]() is None
        return hidden.mean()

    run = Run(loss=loss)
    gc.disable()  # freed without it
    try:
        run.split.update(batch())
    finally:
        gc.enable()


def test_resumes_and_refuses_another_configuration():
    run = Run(Bombs("forward", limit=4))
    run.split.update(batch())
    twin = Run()
    twin.split.load_state_dict(run.split.state_dict())
    assert twin.split.stats() == {**run.split.stats(), "micro_batches": 0.0}
    other = Run(size=AdaptiveBatch(ROWS, grow_after=7))
    with pytest.raises(StateMismatch, match="grow_after was 500, is 7"):
        other.split.load_state_dict(run.split.state_dict())
    assert other.split.out_of_memory == 0


def test_what_cannot_work_is_refused():
    model = nn.Linear(2, 1)
    foreign = torch.optim.SGD(nn.Linear(2, 1).parameters())
    with pytest.raises(UsageError, match="not in the model"):
        SplitOnOOM(model, None, foreign, batch=4)
    with pytest.raises(UsageError, match="no parameters"):
        SplitOnOOM(nn.Tanh(), None, foreign, batch=4)
    own = torch.optim.SGD(model.parameters())
    with pytest.raises(UsageError, match="protect is"):
        SplitOnOOM(model, None, own, batch=4, protect="never")
    with pytest.raises(UsageError, match="needs a batch"):
        SplitOnOOM(model, None, own, batch=4).update()


def test_it_is_logged(caplog):
    caplog.set_level(logging.WARNING, "trainlens_torch.memory")
    Run(Bombs("forward", {0})).split.update(batch())
    (record,) = caplog.records
    assert record.getMessage() == (
        f"memory ran out (forward, pieces of 12): {SAID}; going on with pieces of 6"
    )
