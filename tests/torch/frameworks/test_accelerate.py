"""Inside accelerate: prepared with accumulation, saved, and with several processes."""

import pytest

torch = pytest.importorskip("torch")
accelerate = pytest.importorskip("accelerate")

from accelerate.state import AcceleratorState, GradientState, PartialState  # noqa: E402

from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

T = 6


@pytest.fixture(autouse=True)
def _fresh():
    """Accelerate keeps its state for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


class Training:
    def __init__(self, accumulation=1, total=T, **given):
        self.accelerator = accelerate.Accelerator(
            cpu=True, gradient_accumulation_steps=accumulation, **given
        )
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.Dropout(), torch.nn.Linear(4, 1)
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        self.plain = Scheduler(optimizer, Clock(total), lr=Cosine(end=0.1))
        self.model, self.optimizer, self.scheduler = self.accelerator.prepare(
            model, optimizer, self.plain
        )
        self.accumulation, self.seen = accumulation, []

    def go(self, batch, first, last, step=lambda t: t.scheduler.step()):
        """Micro-batches `first` up to `last`."""
        for micro in range(first, last):
            x, y = batch(micro)
            with self.accelerator.accumulate(self.model):
                self.seen.append(self.optimizer.param_groups[0]["lr"])
                self.accelerator.backward((self.model(x) - y).square().mean())
                self.optimizer.step()
                step(self)
                self.optimizer.zero_grad()
        return self

    def weights(self):
        return {name: w.clone() for name, w in self.model.state_dict().items()}


@pytest.mark.parametrize("accumulation", [1, 3])
def test_an_update_is_counted_once(batch, accumulation):
    training = Training(accumulation).go(batch, 0, T * accumulation)
    assert training.plain.clock.updates == T
    assert training.seen == [
        0.1 * Cosine(end=0.1).factor(k / T) for k in range(T) for _ in range(accumulation)
    ]
    assert training.scheduler.get_last_lr() == [pytest.approx(0.01, rel=1e-14)]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_resuming_from_a_saved_state_is_not_to_have_stopped(tmp_path, batch, accumulation):
    end = T * accumulation
    whole = Training(accumulation)
    for k in range(1, T):
        whole.go(batch, (k - 1) * accumulation, k * accumulation)
        whole.accelerator.save_state(tmp_path / str(k))
    whole.go(batch, (T - 1) * accumulation, end)
    for k in (1, 3, T - 1):
        again = Training(accumulation)
        again.accelerator.load_state(tmp_path / str(k))
        again.go(batch, k * accumulation, end)
        assert again.seen == whole.seen[k * accumulation :]
        expected = whole.weights()
        for name, weights in again.weights().items():
            assert torch.equal(weights, expected[name])


def test_another_configuration_is_refused(tmp_path, batch):
    Training().go(batch, 0, 2).accelerator.save_state(tmp_path)
    other = Training(total=2 * T)
    with pytest.raises(StateMismatch, match="total was '6ba', is '12ba'"):
        other.accelerator.load_state(tmp_path)
    assert other.plain.clock.updates == 0


def test_with_several_processes_accelerate_steps_once_for_each(monkeypatch, batch):
    """Its convention, not ours: what the documentation says to switch off."""
    training = Training()
    monkeypatch.setitem(PartialState._shared_state, "num_processes", 2)
    training.go(batch, 0, 2)
    assert training.plain.clock.updates == 4


@pytest.mark.parametrize("accumulation", [1, 3])
def test_with_several_processes_it_is_stepped_by_hand(monkeypatch, batch, accumulation):
    training = Training(accumulation, step_scheduler_with_optimizer=False)
    monkeypatch.setitem(PartialState._shared_state, "num_processes", 2)

    def step(training):
        if training.accelerator.sync_gradients:
            training.scheduler.step()

    training.go(batch, 0, T * accumulation, step)
    assert training.plain.clock.updates == T
    assert training.seen[-1] == 0.1 * Cosine(end=0.1).factor((T - 1) / T)


def test_with_split_batches_it_is_stepped_once(monkeypatch, batch):
    given = accelerate.DataLoaderConfiguration(split_batches=True)
    training = Training(dataloader_config=given)
    monkeypatch.setitem(PartialState._shared_state, "num_processes", 2)
    assert training.go(batch, 0, 3).plain.clock.updates == 3
