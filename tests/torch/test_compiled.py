"""With every schedule changing in every update, nothing is compiled twice and no graph breaks."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch._dynamo.testing import CompileCounterWithBackend  # noqa: E402

from tests.torch.resume.test_resume import schedule  # noqa: E402
from trainlens_torch import (  # noqa: E402
    AdaptiveLRManager,
    AlphaDiversity,
    CLIPConsistencyLoss,
    Clock,
    Linear,
    NormalizedFeatures,
    ProgressiveDropout,
    Scheduler,
    Value,
    prepare_dropout,
)
from trainlens_torch.schedules import ALL  # noqa: E402

# Of torch's own modules, when they are first loaded.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")

UPDATES = 25


class Fusion(nn.Module):
    """A gated fusion of two sides, with attention, dropout, a temperature and two loss weights."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(6, 8)
        self.mixer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.gate = nn.Linear(16, 1)
        self.normalized = NormalizedFeatures(8, temperature=0.5)
        self.clip = CLIPConsistencyLoss()
        self.diversity = AlphaDiversity()
        self.head = nn.Linear(8, 1)
        for kind in ALL:
            self.register_buffer(kind.replace("-", "_"), torch.zeros(()))

    def forward(self, x, valid):
        a, b = self.a(x), self.b(x)
        alpha = torch.sigmoid(self.gate(torch.cat([a, b], -1)))
        mixed = (
            self.normalized(self.mixer(alpha * a + (1 - alpha) * b)) / self.normalized.temperature
        )
        error = (self.head(mixed) - x.sum(-1, keepdim=True)).square().mean()
        loss = error + self.clip(a, b, valid) + self.diversity(alpha)
        # One weight for each kind of schedule.
        return loss + sum(getattr(self, kind.replace("-", "_")) for kind in ALL) * alpha.mean()


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def training():
    torch.manual_seed(0)
    model = Fusion()
    prepare_dropout(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=torch.tensor(1e-3), betas=(torch.tensor(0.9), torch.tensor(0.99)),
        foreach=False,
    )  # fmt: skip
    clock = Clock(UPDATES, updates_per_epoch=5)
    scheduler = Scheduler(
        optimizer,
        clock,
        lr=schedule("chain"),
        momentum=Linear(1.0, 0.9),
        values={
            "temperature": Value(0.5, Linear(1.0, 0.2), into=model.normalized.set_temperature),
            "clip_weight": Value(0.05, schedule("cosine"), into=model.clip.weight),
            **{
                f"w_{kind}": Value(0.1, schedule(kind), into=getattr(model, kind.replace("-", "_")))
                for kind in ALL
            },
            "diversity": Value(0.1, Linear(1.0, 0.0), into=model.diversity.weight),
        },
        parts=[ProgressiveDropout(model, 0.3, 2, ramp_steps=20), model.clip.part()],
        adaptive=AdaptiveLRManager(1e-3, threshold=10.0, window=3, no_improvement=1),
    )
    return model, optimizer, clock, scheduler


def test_the_model_compiles_once():
    model, optimizer, clock, scheduler = training()
    counter = CompileCounterWithBackend("eager")
    # fullgraph: a graph break is an error.
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    x, valid = torch.randn(4, 5, 6), torch.rand(4, 5) > 0.2
    seen = set()
    for _ in range(UPDATES):
        scheduler.apply()
        loss = compiled(x, valid)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()
        scheduler.adaptive.update(loss.item())
        seen.add(tuple(scheduler.logged().values()))
    assert counter.frame_count == 1
    assert len(seen) == UPDATES, "every update had values of its own"


def test_the_step_of_the_optimizer_compiles_once():
    model, optimizer, clock, scheduler = training()
    counter = CompileCounterWithBackend("eager")
    step = torch.compile(optimizer.step, backend=counter)
    frames = []
    for _ in range(10):
        scheduler.apply()
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        step()
        clock.tick()
        frames.append(counter.frame_count)
    # The first step makes the moments; from then on nothing is compiled.
    assert len(set(frames[2:])) == 1


def test_the_backward_pass_compiles_once_too():
    model, optimizer, clock, scheduler = training()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    x, valid = torch.randn(4, 5, 6), torch.rand(4, 5) > 0.2
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(5):
            scheduler.apply()
            compiled(x, valid).backward()
            optimizer.step()
            optimizer.zero_grad()
            clock.tick()
    assert clock.updates == 5
