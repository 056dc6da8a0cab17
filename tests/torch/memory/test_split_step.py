"""Memory runs out within the optimizer step."""

import pytest

torch = pytest.importorskip("torch")

from tests.torch.memory.faults import Bombs, Fragile  # noqa: E402 - after the skip
from tests.torch.memory.test_split import ROWS, Run, assert_same, batch  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("update", [0, 1, 2])
def test_out_of_memory_in_the_optimizer_step(after, update):
    bombs = Bombs("step", {update})
    run = Run(bombs, make=lambda p: Fragile(p, bombs, after), protect="always", clock=Clock(9))
    quiet = Bombs()
    whole = Run(quiet, make=lambda p: Fragile(p, quiet, after), clock=Clock(9))
    for number in range(3):
        assert run.split.update(batch(seed=number)).attempts == 1 + (number == update)
        whole.split.update(batch(seed=number))
        assert_same(run.all(), whole.all())
    assert run.split.clock.updates == whole.split.clock.updates == 3
    assert run.split.batch.size == ROWS  # a step does not depend on it
    assert [(e.where, e.next_size) for e in run.events] == [("step", ROWS)]


def test_the_first_step_is_protected_and_later_ones_are_told():
    bombs = Bombs("step", {0, 2})
    run = Run(bombs, make=lambda p: Fragile(p, bombs))
    assert run.split.update(batch()).attempts == 2
    with pytest.raises(RuntimeError, match=r"parameters .* may have moved: .*checkpoint"):
        run.split.update(batch())
    untouched = Bombs("step", {1})
    run = Run(untouched, make=lambda p: Fragile(p, untouched, after=0))
    run.split.update(batch())
    assert run.split.update(batch()).attempts == 2  # nothing had been written


@pytest.mark.parametrize("kind", ["fused", "foreign"])
def test_writes_that_torch_does_not_count_are_not_denied(kind):
    class Foreign(torch.optim.Optimizer):
        """Writes past torch's back, as kernels of other packages do, and then fails."""

        def __init__(self, parameters):
            super().__init__(parameters, {"lr": 0.1})

        def step(self, closure=None):
            for p in self.param_groups[0]["params"]:
                p.detach().numpy()[...] -= 0.1
            bombs.pass_by("step")

    class Fused(torch.optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            bombs.pass_by("step")

    bombs = Bombs("step", {1})
    make = {"foreign": Foreign, "fused": lambda p: Fused(p, lr=0.1, fused=True)}[kind]
    run = Run(bombs, make=make)
    run.split.update(batch())
    with pytest.raises(RuntimeError, match="may have moved"):
        run.split.update(batch())


def test_a_step_that_fails_twice_goes_on_with_everything_put_back():
    bombs = Bombs("step", {0, 1})
    run = Run(bombs, make=lambda p: Fragile(p, bombs))
    before = run.all()
    with pytest.raises(torch.OutOfMemoryError):
        run.split.update(batch())
    assert_same(run.all(), before)
    assert run.optimizer.state_dict()["state"] == {}
