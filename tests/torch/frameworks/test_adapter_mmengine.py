"""A training of MMEngine is recorded as one that is written by hand."""

import uuid
import warnings
from functools import partial

import pytest

torch = pytest.importorskip("torch")
with warnings.catch_warnings():  # what MMEngine imports of torch is deprecated there
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("mmengine.runner")

from mmengine.evaluator import BaseMetric  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

from tests.torch.frameworks import plain  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.adapters.mmengine import TrainlensHook  # noqa: E402
from trainlens_torch.guard import Diverged, UpdateGuard  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402

pytestmark = [
    # MMEngine loads checkpoints with a call that torch 2.6 and later refuse; see `_trusted`.
    pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"),
    # It moves learning rates in iterations that make no update.
    pytest.mark.filterwarnings(r"ignore:Detected call of `scheduler.step\(\)` before"),
]

HALVED = {"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.5, "by_epoch": False}


@pytest.fixture(autouse=True)
def _trusted(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")


class Net(BaseModel):
    """The network; `spoil` is asked for a factor of the loss of each batch, from 0."""

    def __init__(self, spoil=lambda batch: 1.0):
        super().__init__()
        self.net, self.spoil, self.seen = plain.net(), spoil, 0

    def forward(self, x, y, mode):
        loss = plain.loss_of(self.net, x, y)
        if mode == "predict":
            return [loss]
        self.seen += 1
        return {"loss": loss * self.spoil(self.seen - 1)}


class Loss(BaseMetric):
    default_prefix = "val"

    def process(self, data_batch, data_samples):
        self.results.append(data_samples[0].item())

    def compute_metrics(self, results):
        return {"loss": results[0], "half": results[0] / 2, "name": "a"}


def runner(
    folder, hook, *, model=None, accumulation=1, epochs=2, clip=plain.CLIP, rates=HALVED,
    wrapped=None, train=None, checkpoints=None, **more,
):  # fmt: skip
    model = Net() if model is None else model
    rows = torch.utils.data.TensorDataset(*plain.rows(plain.EPOCH * plain.BATCH * accumulation))
    whole = torch.utils.data.TensorDataset(*plain.rows())
    if wrapped is None:
        wrapped = OptimWrapper(
            plain.optimizer(model.net), accumulation, {"max_norm": clip} if clip else None
        )
    return Runner(
        model, str(folder / "work"),
        train_dataloader=torch.utils.data.DataLoader(rows, plain.BATCH),
        val_dataloader=torch.utils.data.DataLoader(whole, len(whole)), val_cfg={},
        val_evaluator=[Loss()], train_cfg=train or {"by_epoch": True, "max_epochs": epochs},
        optim_wrapper=wrapped, custom_hooks=[hook], log_level="ERROR",
        param_scheduler=None if rates is None else {**rates, "end": plain.UPDATES + 1},
        default_hooks={"checkpoint": checkpoints}, experiment_name=uuid.uuid4().hex, **more,
    )  # fmt: skip


def train_records(path):
    return [one for one in plain.records(path) if one.get("split") != "val"]


def rates_of(accumulation, monkeypatch):
    """The same rates on both sides: MMEngine moves its own within an update."""
    if accumulation == 1:
        return HALVED
    unchanged = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda update: 1.0)
    monkeypatch.setattr(plain, "rates", unchanged)
    return None


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_log_is_that_of_the_plain_loop(tmp_path, monkeypatch, accumulation):
    rates = rates_of(accumulation, monkeypatch)
    model = plain.plain(tmp_path / "plain", accumulation)
    hook = TrainlensHook(tmp_path / "a")
    ours = runner(tmp_path, hook, accumulation=accumulation, rates=rates)
    assert plain.same_weights(ours.train().net, model)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    train = train_records(tmp_path / "a")
    assert [one["epoch"] for one in train] == [k / plain.EPOCH for k in range(plain.UPDATES)]
    assert [one["progress"] for one in train] == [k / plain.UPDATES for k in range(plain.UPDATES)]
    assert all({"batch_time", "data_time"} <= one["stats"].keys() for one in train)
    val = [one for one in plain.records(tmp_path / "a") if one.get("split") == "val"]
    assert [one["epoch"] for one in val] == [1.0, 2.0]
    assert [one["stats"] for one in val] == [{"half": one["losses"]["loss"] / 2} for one in val]
    assert plain.is_healthy(tmp_path / "a")


def test_iterations_instead_of_epochs_and_no_clipping(tmp_path, monkeypatch):
    monkeypatch.setattr(plain, "CLIP", 1e9)  # a limit that is not reached
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # MMEngine's, between two epochs
    model = plain.plain(tmp_path / "plain")
    train = {"by_epoch": False, "max_iters": plain.UPDATES, "val_interval": plain.EPOCH}
    ours = runner(tmp_path, TrainlensHook(tmp_path / "a"), clip=None, train=train)
    assert plain.same_weights(ours.train().net, model)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    epochs = [one["epoch"] for one in train_records(tmp_path / "a")]
    assert epochs == [k / plain.EPOCH for k in range(plain.UPDATES)]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_learning_rates_are_those_of_the_step(tmp_path, accumulation):
    model, used = Net(), []
    own = plain.optimizer(model.net)
    own.register_step_pre_hook(lambda own, *_: used.append([g["lr"] for g in own.param_groups]))
    wrapped = OptimWrapper(own, accumulation)
    hook = TrainlensHook(tmp_path / "a")
    runner(tmp_path, hook, model=model, accumulation=accumulation, wrapped=wrapped).train()
    kept = [one["stats"] for one in train_records(tmp_path / "a")]
    assert [[one["lr/0"], one["lr/1"]] for one in kept] == used
    assert len({one["lr/0"] for one in kept}) > 1


def test_iterations_that_are_left_make_an_update(tmp_path):
    model, hook = Net(), TrainlensHook(tmp_path / "a")
    wrapped = OptimWrapper(plain.optimizer(model.net), 3)
    runner(tmp_path, hook, model=model, wrapped=wrapped).train()  # 8 = 3 + 3 + 2
    train = train_records(tmp_path / "a")
    assert [one["step"] for one in train] == [0, 1, 2]
    assert [one["progress"] for one in train] == [0, 1 / 3, 2 / 3]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_resumed_training_continues_its_log(tmp_path, monkeypatch, accumulation):
    more = {"accumulation": accumulation, "rates": rates_of(accumulation, monkeypatch)}
    model = plain.plain(tmp_path / "plain", accumulation)
    saves = {"type": "CheckpointHook", "interval": 1}
    first = TrainlensHook(tmp_path / "a")
    runner(tmp_path, first, epochs=1, checkpoints=saves, **more).train()
    again = TrainlensHook(tmp_path / "a")
    ours = runner(tmp_path, again, resume=True, **more).train()
    assert plain.same_weights(ours.net, model)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    assert plain.is_healthy(tmp_path / "a")


def test_updates_of_a_checkpoint_count_and_those_of_loaded_weights_do_not(tmp_path):
    saves = {"type": "CheckpointHook", "interval": 1}
    first = TrainlensHook(tmp_path / "a", guard=partial(UpdateGuard, z=6.0, warmup=2))
    model = Net(spoil=lambda batch: float("nan") if batch == 2 else 1.0)
    wrapped = OptimWrapper(plain.optimizer(model.net), 3)  # 3 + 1 iterations: 2 updates
    runner(tmp_path, first, model=model, wrapped=wrapped, epochs=1, checkpoints=saves).train()
    steps, calls = {}, {}
    for name, resume in {"resumed": True, "loaded": False}.items():
        hook = TrainlensHook(tmp_path / name, guard=partial(UpdateGuard, z=6.0, warmup=2))
        path = str(tmp_path / "work" / "epoch_1.pth")
        runner(tmp_path, hook, load_from=path, resume=resume, epochs=2).train()
        steps[name] = [one["step"] for one in train_records(tmp_path / name)]
        calls[name] = hook.steps.guard.report()["calls"], hook.steps.guard.report()["first_bad"]
    assert steps == {"resumed": [2, 3, 4, 5], "loaded": list(range(8))}
    assert calls == {"resumed": (6, 0), "loaded": (8, -1)}


def test_an_update_is_in_the_log_before_its_checkpoint(tmp_path):
    class Full(Hook):
        def before_save_checkpoint(self, runner, checkpoint):
            if runner.iter == 3:
                raise OSError(28, "No space left on device")

    saves = {"type": "CheckpointHook", "interval": 1, "by_epoch": False}
    ours = runner(tmp_path, TrainlensHook(tmp_path / "a"), checkpoints=saves)
    ours.register_hook(Full())
    with pytest.raises(OSError, match="No space left"):
        ours.train()
    *before, last = plain.records(tmp_path / "a")
    assert [one["step"] for one in before] == [0, 1, 2, 3]
    assert [one["type"] for one in last["anomalies"]] == ["exception"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (ValueError("shapes do not fit"), "exception"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_an_error_is_the_last_record(tmp_path, error, kind):
    def fails(batch):
        if batch == 3:
            raise error
        return 1.0

    hook = TrainlensHook(tmp_path / "a")
    ours = runner(tmp_path, hook, model=Net(fails))
    with pytest.raises(type(error)):
        ours.train()
    *before, last = plain.records(tmp_path / "a")
    assert [one["step"] for one in before] == [0, 1, 2]
    assert (last["step"], last["losses"]) == (3, {})
    assert [one["type"] for one in last["anomalies"]] == [kind]
    assert hook.steps.log is None


def test_everything_is_given_back(tmp_path):
    ours = runner(tmp_path, TrainlensHook(tmp_path / "a"), rates=None)
    own = ours.optim_wrapper
    before = dict(vars(own)), dict(vars(own.optimizer))
    ours.train()
    names = ("step", "backward", "clip_func")
    assert [vars(own).get(name) for name in names] == [before[0].get(name) for name in names]
    assert ("step" in vars(own.optimizer), "run" in vars(ours.train_loop)) == (False, False)
    assert ours.val()["val/loss"] > 0  # a validation alone leaves no record
    assert plain.records(tmp_path / "a")[-1]["step"] == plain.UPDATES


def test_guard_and_health(tmp_path):
    hook = TrainlensHook(tmp_path / "a", guard=UpdateGuard, health=partial(HealthCheck, every=2))
    model = Net(lambda batch: float("nan") if batch == 3 else 1.0)
    runner(tmp_path, hook, model=model, clip=None).train()
    train = [one["stats"] for one in train_records(tmp_path / "a")]
    assert [one["skipped_updates"] for one in train] == [0, 0, 0, 1, 1, 1, 1, 1]
    assert [one.get("params_with_grad") for one in train] == [4, None] * 4
    assert all(bool(weights.isfinite().all()) for weights in model.parameters())


def test_a_guard_is_shown_the_loss(tmp_path):
    class Infinite(Net):
        def forward(self, x, y, mode):
            found = super().forward(x, y, mode)
            if mode == "loss" and self.seen == 4:
                found["loss"] = found["loss"] + float("inf")  # finite gradients
            return found

    hook = TrainlensHook(tmp_path / "a", guard=UpdateGuard)
    runner(tmp_path, hook, model=Infinite()).train()
    assert hook.steps.guard.report()["for_loss"] == 1


def test_a_guard_that_gives_up_says_so(tmp_path):
    hook = TrainlensHook(tmp_path / "a", guard=partial(UpdateGuard, stop_after=2))
    with pytest.raises(Diverged):
        runner(tmp_path, hook, model=Net(lambda batch: float("nan")), clip=None).train()
    assert [one["type"] for one in plain.said(tmp_path / "a")] == ["diverged"]


def test_parts_are_applied_before_the_forward_pass(tmp_path, follower):
    part, seen = follower(), []

    def seeing(batch):
        seen.append(part.at)
        return 1.0

    hook = TrainlensHook(tmp_path / "a", parts=[part])
    runner(tmp_path, hook, model=Net(seeing), accumulation=2).train()
    assert seen == [k / plain.UPDATES for k in range(plain.UPDATES) for _ in range(2)]


def test_a_hook_of_a_configuration(tmp_path):
    runner(tmp_path, {"type": "TrainlensHook", "log": str(tmp_path / "a")}, epochs=1).train()
    assert [one["step"] for one in train_records(tmp_path / "a")] == list(range(plain.EPOCH))


class Two(Net):
    """Two optimizers, each with an update a batch."""

    def train_step(self, data, optim_wrapper):
        for own in optim_wrapper.values():
            loss = plain.loss_of(self.net, *data)
            own.update_params(loss)
        return {"loss": loss.detach()}


def test_two_optimizers(tmp_path):
    def made():
        model = Two()
        owns = [torch.optim.SGD(model.net[i].parameters(), lr=0.1) for i in (0, 2)]
        clips = [{"max_norm": 1.0}, None]
        pairs = zip(owns, clips, strict=True)
        wrapped = {f"own{i}": OptimWrapper(own, 1, clip) for i, (own, clip) in enumerate(pairs)}
        return {"model": model, "wrapped": OptimWrapperDict(**wrapped), "rates": None}

    runner(tmp_path, TrainlensHook(tmp_path / "a"), **made()).train()
    train = train_records(tmp_path / "a")
    assert [one["step"] for one in train] == list(range(0, 2 * plain.UPDATES, 2))
    assert [one["progress"] for one in train] == [k / plain.UPDATES for k in range(plain.UPDATES)]
    names = {f"{name}/optimizer-{i}" for name in ("lr", "grad_norm") for i in (0, 1)}
    assert all(names <= one["stats"].keys() and "loss" in one["losses"] for one in train)
    with pytest.raises(UsageError, match="this training has 2"):
        runner(tmp_path, TrainlensHook(tmp_path / "b", guard=UpdateGuard), **made()).train()


class Scaled(AmpOptimWrapper):
    """Scales losses as on a device, where there is none."""

    def __init__(self, own, scale, clip):
        OptimWrapper.__init__(self, own, 1, clip)
        self._scale_update_param, self.cast_dtype = None, torch.bfloat16
        self.loss_scaler = torch.amp.GradScaler("cpu", init_scale=scale)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("clip", [None, plain.CLIP])
def test_norms_are_those_of_unscaled_gradients(tmp_path, fused, clip):
    norms = {}
    for scale in (1.0, 1024.0):
        model, path = Net(), tmp_path / f"{scale}"
        own = torch.optim.AdamW(model.net.parameters(), lr=0.01, fused=fused)
        wrapped = Scaled(own, scale, None if clip is None else {"max_norm": clip})
        runner(tmp_path, TrainlensHook(path), model=model, wrapped=wrapped, rates=None).train()
        norms[scale] = [one["stats"]["grad_norm"] for one in train_records(path)]
    assert norms[1024.0] == pytest.approx(norms[1.0], rel=0.05)
    assert max(norms[1.0]) > plain.CLIP
