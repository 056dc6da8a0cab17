"""Rates that change inside compiled graphs: one compilation, whatever they are."""

import copy
import shutil

import pytest

torch = pytest.importorskip("torch")

from torch import _dynamo as dynamo  # noqa: E402 - after the skip
from torch import nn  # noqa: E402
from torch._dynamo.testing import CompileCounterWithBackend  # noqa: E402
from torch._dynamo.utils import counters  # noqa: E402

from trainlens_torch.dropout import (  # noqa: E402
    ProgressiveDropout,
    ScheduledAttention,
    prepare_dropout,
    set_dropout_rate,
)

WIDTH, HEADS = 16, 2


class Attention(nn.Module):
    """Attention as decoders of poses write it: its weights go through a dropout layer."""

    def __init__(self):
        super().__init__()
        self.to_q, self.to_kv = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
        self.dropout, self.out = nn.Dropout(0.1), nn.Linear(WIDTH, WIDTH)

    def forward(self, x, context=None):
        k, v = self.to_kv(x if context is None else context).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (self.to_q(x), k, v))
        weights = self.dropout((q @ k.transpose(-2, -1) / WIDTH**0.5).softmax(dim=-1))
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class HandDecoder(nn.Module):
    """One layer of the seed's decoder: attention, cross attention, feed-forward."""

    def __init__(self):
        super().__init__()
        self.attention, self.cross = Attention(), Attention()
        self.feed_forward = nn.Sequential(
            *(nn.Linear(WIDTH, 32), nn.GELU(), nn.Dropout(0.1)),
            *(nn.Linear(32, WIDTH), nn.Dropout(0.1)),
        )

    def forward(self, x, context):
        x = x + self.attention(x)
        x = x + self.cross(x, context)
        return x + self.feed_forward(x)


class PoseNet(nn.Module):
    """Has the method of the seed, which asks for its decoder alone."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5))
        self.decoder = HandDecoder()

    def set_dropout_rate(self, dropout_rate):
        return set_dropout_rate(self.decoder, dropout_rate)

    def forward(self, x, context):
        return self.decoder(self.backbone(x), context)


def encoder():
    return nn.TransformerEncoderLayer(WIDTH, HEADS, 32, 0.1, batch_first=True)


def decoder():
    return nn.TransformerDecoderLayer(WIDTH, HEADS, 32, 0.1, batch_first=True)


def tokens():
    return torch.randn(2, 5, WIDTH)


MODELS = {
    "encoder": (encoder, 1),
    "decoder": (decoder, 2),
    "hand decoder": (HandDecoder, 2),
    "pose net": (PoseNet, 2),
}
every_model = pytest.mark.parametrize(("make", "count"), MODELS.values(), ids=list(MODELS))


@pytest.fixture(autouse=True)
def fresh():
    dynamo.reset()
    counters.clear()
    torch.manual_seed(0)
    yield
    dynamo.reset()


def compiled(model, backend="eager"):
    counter = CompileCounterWithBackend(backend)
    return torch.compile(model, backend=counter, fullgraph=True), counter


class SelfAttention(nn.MultiheadAttention):
    """Attention of a sequence to itself."""

    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize("make", [lambda: SelfAttention(WIDTH, HEADS), nn.Dropout])
def test_plain_layers_run_into_the_limit_of_recompilations(make):
    model, counter = compiled(make())
    limit = dynamo.config.recompile_limit
    for k in range(limit):
        set_dropout_rate(model, k / 20)
        model(tokens())
    set_dropout_rate(model, 0.9)
    with pytest.raises(dynamo.exc.FailOnRecompileLimitHit):
        model(tokens())
    assert counter.frame_count == limit == 8


@every_model
def test_a_hundred_rates_compile_once(make, count):
    model = make()
    assert prepare_dropout(model).plain == ()
    run, counter = compiled(model)
    inputs = [tokens() for _ in range(count)]
    for k in range(100):
        assert set_dropout_rate(run, k / 100) >= 4
        run(*inputs)
    assert counter.frame_count == 1
    assert not counters["graph_break"]
    model.eval()
    for k in range(20):
        set_dropout_rate(run, k / 100)
        run(*inputs)
    assert counter.frame_count == 2, "one graph to train, one to evaluate"


def test_the_graph_sees_each_rate():
    model = nn.Sequential(nn.Dropout(0.5))
    prepare_dropout(model)
    run, counter = compiled(model, "aot_eager")
    x = torch.ones(100_000)
    for rate in (0.0, 0.1, 0.5, 0.9, 1.0):
        set_dropout_rate(model, rate)
        assert (run(x) == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    assert counter.frame_count == 1


@every_model
def test_at_rate_zero_outputs_and_gradients_are_those_of_the_plain_model(make, count):
    plain = make()
    prepared = copy.deepcopy(plain)
    prepare_dropout(prepared)
    inputs = [tokens() for _ in range(count)]
    outputs = []
    for model in (plain, prepared):
        set_dropout_rate(model.train(), 0.0)
        set_dropout_rate(getattr(model, "backbone", nn.Identity()), 0.0)
        outputs.append(model(*inputs))
        outputs[-1].square().sum().backward()
    uses_fused = any(isinstance(module, ScheduledAttention) for module in prepared.modules())
    if not uses_fused:
        assert torch.equal(*outputs)
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-6)
    for a, b in zip(plain.parameters(), prepared.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-4, atol=1e-5)
    assert list(plain.state_dict()) == list(prepared.state_dict())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor imports what torch gave up
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_forward_and_backward_use_the_same_mask(backend):
    if backend == "inductor" and shutil.which("g++") is None:
        pytest.skip("no compiler")
    layer = nn.Dropout(0.5)
    prepare_dropout(layer)
    run, counter = compiled(layer, backend)
    for rate in (0.0, 0.3, 0.7):
        layer.p = rate
        x = torch.randn(4000).requires_grad_()
        out = run(x)
        out.sum().backward()
        scale = 1 / (1 - rate)
        torch.testing.assert_close(out, x * x.grad)
        torch.testing.assert_close(x.grad.unique()[-1].item(), scale, rtol=1e-6, atol=0)
        assert (x.grad == 0).float().mean().item() == pytest.approx(rate, abs=0.05)
    assert counter.frame_count == 1


def test_a_model_that_is_prepared_after_it_was_compiled():
    model = encoder()
    run, counter = compiled(model)
    run(tokens())
    prepare_dropout(run)
    for k in range(20):
        set_dropout_rate(run, k / 20)
        run(tokens())
    assert counter.frame_count == 2


def test_a_ramp_of_a_whole_training_resumes_to_the_bit():
    def train(first, last, state=None):
        torch.manual_seed(1)
        model = PoseNet()
        prepare_dropout(model)
        dropout = ProgressiveDropout(model, 0.2, 3, ramp_steps=6, total=12)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        if state is not None:
            model.load_state_dict(state[0])
            optimizer.load_state_dict(state[1])
            torch.set_rng_state(state[2])
        for step in range(first, last):
            dropout.apply(step / 12)
            loss = model(tokens(), tokens()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return copy.deepcopy((model.state_dict(), optimizer.state_dict(), torch.get_rng_state()))

    whole = train(0, 12)
    for k in range(0, 12, 2):
        resumed = train(k, 12, train(0, k))
        for name, weight in whole[0].items():
            assert torch.equal(weight, resumed[0][name])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_captured_graph_sees_each_rate():
    layer = nn.Dropout(0.5).cuda()
    x = torch.ones(100_000, device="cuda")
    model = nn.Sequential(nn.Linear(1, 1).cuda(), layer)
    prepare_dropout(model)
    assert layer.keep_from.device.type == "cuda"
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        layer(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = layer(x)
    torch.cuda.set_sync_debug_mode("error")
    try:
        shares = []
        for rate in (0.0, 0.1, 0.5, 0.9, 1.0):
            set_dropout_rate(layer, rate)
            graph.replay()
            shares.append((out == 0).float().mean())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for rate, share in zip((0.0, 0.1, 0.5, 0.9, 1.0), shares, strict=True):
        assert share.item() == pytest.approx(rate, abs=0.01)
