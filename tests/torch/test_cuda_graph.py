"""A whole update captured as a CUDA graph, with rates, decay, dropout and weights that change."""

import pytest

torch = pytest.importorskip("torch")

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

from trainlens_torch import (  # noqa: E402 - after the skip
    AdaptiveClip,
    Clock,
    Cosine,
    Linear,
    ProgressiveDropout,
    Scheduler,
    TensorDecay,
    Value,
    prepare_dropout,
)

T = 30


class Update:
    """A training whose update can be run, or captured and replayed."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(64, 1)
        ).cuda()
        prepare_dropout(self.model)
        rate = torch.tensor(1e-2, device="cuda")
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=rate, weight_decay=0.1, capturable=True
        )
        self.decay = TensorDecay(self.optimizer)
        self.weight = torch.ones((), device="cuda")
        self.clip = AdaptiveClip(device="cuda")
        self.clock = Clock(T)
        self.scheduler = Scheduler(
            self.optimizer,
            self.clock,
            lr=Cosine(),
            weight_decay=Linear(1.0, 0.0),
            values={"weight": Value(1.0, Linear(1.0, 0.5), into=self.weight)},
            parts=[ProgressiveDropout(self.model, 0.0, 0)],
        )
        self.x = torch.randn(32, 16, device="cuda")

    def run(self):
        self.optimizer.zero_grad(set_to_none=False)
        loss = self.weight * (self.model(self.x) - self.x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        self.clip(self.model.parameters())
        self.decay.step()
        self.optimizer.step()

    def warm(self):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.run()
        torch.cuda.current_stream().wait_stream(stream)


def test_replayed_is_run():
    eager, captured = Update(), Update()
    eager.warm()
    captured.warm()
    graph = torch.cuda.CUDAGraph()
    # Capturing runs nothing; it would refuse anything that waits for the device.
    with torch.cuda.graph(graph):
        captured.run()
    for _ in range(T):
        for training, go in ((eager, eager.run), (captured, graph.replay)):
            training.scheduler.apply()
            go()
            training.clock.tick()
    for a, b in zip(eager.model.parameters(), captured.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_step_path_never_waits():
    training = Update()
    training.warm()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(T):
            training.scheduler.apply()
            training.run()
            training.clock.tick()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert training.clock.progress == 1.0
