"""Freezing: a function of progress, exact to the bit, and gone without a trace when it ends."""

import copy
import io
import math
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip
from torch._dynamo.testing import CompileCounter  # noqa: E402

from tests.torch.freezing import (  # noqa: E402
    BACKBONE,
    Net,
    batch,
    loss_of,
    outside,
    same,
    snapshot,
    trainable,
)
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.freeze import ProgressiveFreezing  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

# What plain torch does.


@pytest.mark.parametrize("stale", [0.0, 0.5])
def test_plain_torch_moves_frozen_weights_and_this_does_not(stale):
    """Faults of requires_grad=False alone: AdamW moves weights that have a gradient, even of 0."""

    def trained(freeze):
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        loss_of(model, 0).backward()
        optimizer.step()  # there are moments now
        for p in model.backbone.parameters():
            p.grad = torch.full_like(p, stale)
        freeze(model, optimizer)
        weights, state = snapshot(model.backbone), copy.deepcopy(optimizer.state)
        optimizer.step()
        same_state = all(
            torch.equal(optimizer.state[p][key], old[key])
            for p, old in zip(model.parameters(), state.values(), strict=True)
            for key in ("step", "exp_avg", "exp_avg_sq")
            if any(p is own for own in model.backbone.parameters())
        )
        return same(weights, snapshot(model.backbone)), same_state

    def plain(model, optimizer):
        model.backbone.requires_grad_(False)

    def ours(model, optimizer):
        ProgressiveFreezing(model, {"backbone": 0.5}).apply(0.0)

    assert trained(plain) == (False, False)
    assert trained(ours) == (True, True)


@pytest.mark.parametrize("make", ["AdamW", "SGD", "NAdam", "RMSprop", "Adagrad"])
def test_whatever_leaves_gradients_the_attached_optimizer_drops_them(make):
    model = Net()
    options = {"weight_decay": 0.1, **({"momentum": 0.9} if make == "SGD" else {})}
    optimizer = getattr(torch.optim, make)(model.parameters(), lr=0.1, **options)
    freezing = ProgressiveFreezing(model, {"backbone": (0.5, 0.8)}, optimizer=optimizer)
    freezing.apply(0.0)
    loss_of(model, 0).backward()
    optimizer.step()
    freezing.apply(0.5)
    before = snapshot(model.backbone)
    state = {p: copy.deepcopy(optimizer.state[p]) for p in model.backbone.parameters()}
    head = snapshot(model.head)
    for k in range(3):
        optimizer.zero_grad()
        loss_of(model, k).backward()
        for p in model.backbone.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
    assert same(before, snapshot(model.backbone))
    assert not same(head, snapshot(model.head))
    for p, old in state.items():
        assert all(
            torch.equal(torch.as_tensor(optimizer.state[p][key]), torch.as_tensor(value))
            for key, value in old.items()
        )


@pytest.mark.parametrize("by_name", [True, False])
def test_a_closure_is_followed(by_name):
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    freezing = ProgressiveFreezing(model, {"backbone": 0.5}, optimizer=optimizer)
    freezing.apply(0.0)
    before = snapshot(model.backbone)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, 0)
        loss.backward()
        for p in model.backbone.parameters():
            p.grad = torch.ones_like(p)
        return loss

    loss = optimizer.step(closure=closure) if by_name else optimizer.step(closure)
    assert loss.requires_grad  # what the closure gave comes back
    assert same(before, snapshot(model.backbone))


def test_an_optimizer_in_a_wrapper_is_found():
    class Wrapper:  # as accelerate and Lightning have them
        def __init__(self, optimizer):
            self.optimizer = optimizer

    model = Net()
    optimizer = torch.optim.AdamW(model.parameters())
    ProgressiveFreezing(model, {"backbone": 0.5}, optimizer=Wrapper(optimizer))
    assert len(optimizer._optimizer_step_pre_hooks) == 1


# Training.


def test_statistics_stand_still_while_frozen_and_move_again():
    model = Net()
    freezing = ProgressiveFreezing(model, {"backbone": 0.5, "neck": 0.2})
    norm = model.backbone[1]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for k in range(10):
        freezing.apply(k / 10)
        model.train()
        frozen = k < 5
        assert norm.training is not frozen
        assert model.neck[1].training is (k >= 2)
        before = snapshot(model.backbone)
        model(batch(k)).square().mean().backward()
        optimizer.step()
        model.eval()
        assert not norm.training
        assert same(before, snapshot(model.backbone)) is frozen
    assert int(norm.num_batches_tracked) == 5
    assert int(model.neck[1].num_batches_tracked) == 8


def test_norms_may_go_on_collecting():
    model = Net()
    freezing = ProgressiveFreezing(model, {"backbone": 0.5}, norms="train")
    freezing.apply(0.0)
    model.train()
    model(batch(0))
    assert int(model.backbone[1].num_batches_tracked) == 1


def test_frozen_parameters_do_not_count_in_clipping():
    model = Net()
    freezing = ProgressiveFreezing(model, {"backbone": 0.5, "neck": 0.5})
    loss_of(model, 0).backward()
    every = [p.grad.square().sum() for p in model.head.parameters()]
    freezing.apply(0.1)
    norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf)
    assert all(p.grad is None for p in model.backbone.parameters())
    assert math.isclose(float(norm), float(sum(every)) ** 0.5, rel_tol=1e-6)


def test_mode_that_was_asked_for_comes_back():
    model = Net().eval()
    freezing = ProgressiveFreezing(model, {"backbone": 0.5})
    norm = model.backbone[1]
    freezing.apply(0.0)
    freezing.apply(0.9)
    assert not norm.training
    freezing.apply(0.0)
    model.train()
    assert not norm.training
    assert model.backbone[2].training
    freezing.apply(0.9)
    assert norm.training
    assert "train" not in vars(norm)


def test_state_dict_of_the_model_is_the_same_while_frozen():
    model = Net()
    before = list(model.state_dict())
    ProgressiveFreezing(model, {"backbone": 0.5}).apply(0.0)
    assert list(model.state_dict()) == before
    Net(1).load_state_dict(model.state_dict())


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_torch(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, by_pickle, by_torch])
def test_copies_of_a_frozen_model_work_and_are_their_own(duplicate):
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters())
    freezing = ProgressiveFreezing(model, {"backbone": 0.5}, optimizer=optimizer)
    freezing.apply(0.0)
    twin = duplicate(model)
    twin.train()
    assert not twin.backbone[1].training
    twin(batch(0))
    assert int(twin.backbone[1].num_batches_tracked) == 0
    freezing.apply(0.9)
    model.train()
    assert model.backbone[1].training
    assert not twin.backbone[1].training
    # A copy seems frozen by hand; the state says what was.
    resumed = ProgressiveFreezing(twin, {"backbone": 0.5})
    resumed.load_state_dict(freezing.state_dict())
    assert trainable(twin) == trainable(model)
    assert twin.backbone[1].training
    pickle.loads(pickle.dumps(optimizer))  # without the hook


def test_frozen_by_hand_stays_frozen_and_resume_knows():
    model = Net()
    model.backbone[0].requires_grad_(False)
    freezing = ProgressiveFreezing(model, {"backbone": 0.5})
    freezing.apply(0.0)
    freezing.apply(0.9)
    by_hand = {"backbone.0.weight", "backbone.0.bias"}
    assert trainable(model) == {n for n, _ in model.named_parameters()} - by_hand
    resumed = Net()  # here nobody froze it
    other = ProgressiveFreezing(resumed, {"backbone": 0.5})
    other.load_state_dict(freezing.state_dict())
    assert trainable(resumed) == trainable(model)
    other.apply(0.0)
    other.apply(0.9)
    assert trainable(resumed) == trainable(model)
    assert other.logged() == freezing.logged()


def test_numbers_for_the_log():
    model = Net()
    model.head.bias.requires_grad_(False)
    freezing = ProgressiveFreezing(model, {"backbone": 0.5})
    total = sum(p.numel() for p in model.parameters())
    for p in (0.0, 0.6):
        freezing.apply(p)
        count = sum(q.numel() for q in model.parameters() if q.requires_grad)
        assert freezing.logged() == {"params_with_grad": count, "params_total": total}


# Resume.


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"owner": "Clock"}, "belongs to a Clock"),
        ({"version": 99}, "has version 99"),
        ({"by_hand": ["gone.weight"]}, "gone.weight was frozen by hand; the model has no such"),
        (
            {"config": {"stages": {"backbone": [["0dur", "0.4dur"]]}, "norms": "hold"}},
            "stages.back",
        ),
        ({"config": {"stages": {"backbone": [["0dur", "0.5dur"]]}, "norms": "train"}}, "norms was"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, text):
    model = Net()
    freezing = ProgressiveFreezing(model, {"backbone": 0.5})
    freezing.apply(0.7)
    before = outside(model)
    state = {
        **ProgressiveFreezing(Net(), {"backbone": 0.5}).state_dict(),
        "progress": 0.1,
        **change,
    }
    with pytest.raises(StateMismatch, match=text):
        freezing.load_state_dict(state)
    assert outside(model) == before
    assert freezing.state_dict()["progress"] == 0.7


TOTAL = 10
STAGE = {"backbone": [(0.0, 0.3), (0.6, 0.8)], "neck": "2ba"}


def make_run():
    model, clock = Net(), Clock(TOTAL)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)
    freezing = ProgressiveFreezing(model, STAGE, optimizer=optimizer).resolve(clock)
    return model, clock, optimizer, Scheduler(optimizer, clock, lr=Cosine(), parts=[freezing])


def train(run, until):
    model, clock, optimizer, scheduler = run
    losses = []
    while clock.updates < until:
        scheduler.apply()
        model.train()
        loss = loss_of(model, clock.updates)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()
        losses.append(float(loss.detach()))
    return losses


def test_killed_at_every_step_and_resumed():
    whole = make_run()
    losses = train(whole, TOTAL)
    for k in range(TOTAL + 1):
        first, second = make_run(), make_run()
        found = train(first, k)
        file = io.BytesIO()
        torch.save([part.state_dict() for part in (first[0], first[2], first[3])], file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        for part, state in zip((second[0], second[2], second[3]), saved, strict=True):
            part.load_state_dict(state)
        assert found + train(second, TOTAL) == losses
        assert same(snapshot(whole[0]), snapshot(second[0]))


# Compiled models, devices.


def test_a_compiled_model_compiles_once_for_each_new_frozen_set():
    torch._dynamo.reset()
    counter = CompileCounter()
    model = Net()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    freezing = ProgressiveFreezing(
        compiled, {"backbone": [(0.0, 0.3), (0.5, 0.7)]}, optimizer=optimizer
    )
    assert freezing.frozen(0.0) == BACKBONE
    counts = []
    for k in range(10):
        freezing.apply(k / 10)
        compiled.train()
        before = snapshot(model.backbone)
        compiled(batch(k)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        assert same(before, snapshot(model.backbone)) is bool(freezing.frozen(k / 10))
        counts.append(counter.frame_count)
    # The second freezing and thawing find what was compiled for the first.
    assert counts == [1] * 3 + [2] * 7


def test_the_host_waits_for_no_tensor():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    freezing = ProgressiveFreezing(model, {"backbone": 0.5}, optimizer=optimizer)
    loss_of(model, 0).backward()
    with counted() as reads:
        for p in (0.0, 0.6, 0.2):
            freezing.apply(p)
            optimizer.step()
            freezing.logged()
    assert reads.count == 0


def test_attaching_twice_is_attaching_once_and_close_takes_it_off():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    freezing = ProgressiveFreezing(model, {"backbone": 0.5}, optimizer=optimizer)
    freezing.attach(optimizer)
    assert len(optimizer._optimizer_step_pre_hooks) == 1
    freezing.apply(0.0)
    freezing.close()
    assert not optimizer._optimizer_step_pre_hooks
    assert trainable(model) == {name for name, _ in model.named_parameters()}
