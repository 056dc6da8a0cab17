"""The structure predictor that runs out of memory, waits for its data, and meets a NaN."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from examples.diffold_guarded import chains  # noqa: E402
from examples.diffold_guarded.data import (  # noqa: E402
    LONGEST,
    SLOW,
    USUAL,
    Archive,
    Stream,
    collate,
)
from examples.diffold_guarded.model import ROOM, Predictor, limit_memory, losses  # noqa: E402
from examples.diffold_guarded.own_time import OwnTime  # noqa: E402
from examples.diffold_guarded.scoring import scores  # noqa: E402
from examples.diffold_guarded.story import STORY, baseline  # noqa: E402
from examples.diffold_guarded.updates import Plain, updates  # noqa: E402

SEEDS = 3


def comparison(told):
    return json.loads((told[1] / "comparison" / "comparison.json").read_text())


def test_it_ends_well_and_says_nothing_on_stderr(ended):
    done, _ = ended
    assert (done.returncode, done.stderr) == (0, "")


def test_every_fault_is_found_in_every_run_and_gone_afterwards(told):
    said = told[0]
    assert f"found in every run: {', '.join(STORY.faults)}" in said
    assert "after the treatment: no fault" in said


def test_the_patch_holds_what_helps_and_nothing_else(told):
    patch = json.loads((told[1] / "patch.json").read_text())["patch"]
    assert patch.pop("loader.prefetch") >= 3
    assert patch == {
        "guard.skip_nonfinite": True,
        "batch.size": 4,
        "batch.accumulation": 2,
        "guard.out_of_memory": "halve",
    }


def test_the_best_checkpoint_is_better_by_an_interval(told):
    (row,) = (
        m for m in comparison(told)["metrics"] if (m["split"], m["metric"]) == ("test", "lddt")
    )
    assert row["verdict"] == "better"
    low, high = row["difference"]["interval"]
    assert 0 < low < row["difference"]["mean"] < high


def test_the_last_weights_of_the_baseline_are_worse_than_any(told):
    (row,) = (
        m for m in comparison(told)["metrics"] if (m["split"], m["metric"]) == ("val", "lddt")
    )
    assert row["verdict"] == "better"
    assert row["because"].startswith("all runs of baseline failed and none of treated")


def test_every_target_is_met(told):
    targets = comparison(told)["expectations"]
    assert len(targets) >= 12
    assert [one["text"] for one in targets if one["status"] != "met"] == []


def records(told, side, seed):
    path = told[1] / "runs" / side / f"seed-{seed}" / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_batch_of_the_treated_runs_is_lost_but_the_corrupt_one(told, seed):
    held = [r["stats"] for r in records(told, "treated", seed) if "oom_count" in r.get("stats", {})]
    assert {stats["oom_count"] for stats in held} == {0.0}
    assert held[-1]["skipped_updates"] == 1
    lost = [
        r for r in records(told, "baseline", seed) if r.get("losses") == {} and "split" not in r
    ]
    assert len(lost) > 20


def test_the_report_is_there_and_logs_are_small(told):
    _, folder = told
    for name in ("index.html", "comparison/index.html", "story.md", "baseline.toml",
                 "treated.toml"):  # fmt: skip
        assert (folder / name).is_file()
    logs = list(folder.glob("runs/*/*/log.jsonl"))
    assert len(logs) == 2 * SEEDS
    assert max(log.stat().st_size for log in logs) < 300_000


# --- chains ---------------------------------------------------------------------------------


def angles_of(places):
    """Bond angles and torsions of a trace, by the textbook."""
    bonds = places.diff(dim=-2)
    bonds = bonds / bonds.norm(dim=-1, keepdim=True)
    bend = math.pi - (bonds[1:] * bonds[:-1]).sum(-1).clamp(-1, 1).acos()
    a, b = bonds[:-1].cross(bonds[1:], dim=-1)[:-1], bonds[:-1].cross(bonds[1:], dim=-1)[1:]
    turn = torch.atan2((a.cross(b, dim=-1) * bonds[1:-1]).sum(-1), (a * b).sum(-1))
    return bend, turn


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(5, LONGEST))
def test_a_trace_has_the_bonds_and_angles_it_was_built_from(seed, length):
    g = torch.Generator().manual_seed(seed)
    bend = 1.2 + 1.4 * torch.rand(length, generator=g).double()
    turn = 3.0 * (2 * torch.rand(length, generator=g).double() - 1)
    torch.set_default_dtype(torch.float64)
    try:
        places = chains.trace(torch.stack([bend, turn], -1))
    finally:
        torch.set_default_dtype(torch.float32)
    found, turned = angles_of(places)
    assert torch.allclose(places.diff(dim=0).norm(dim=-1), torch.tensor(chains.BOND).double())
    assert torch.allclose(found, bend[1:-1], atol=1e-6)
    assert torch.allclose(turned.abs(), turn[2:-1].abs(), atol=1e-5)
    # Of one hand: a mirror image would have every torsion the other way round.
    assert torch.allclose(turned, turn[2:-1], atol=1e-5)


def test_a_helix_rises_by_an_angstrom_and_a_half_a_residue():
    helix = torch.tensor([91.0, 50.0]).deg2rad().expand(40, 2)
    places = chains.trace(helix)
    rise = (places[37] - places[1]).norm() / 36
    assert float(rise) == pytest.approx(1.5, abs=0.1)


def test_segments_keep_their_fold():
    folds = chains.sample_folds(50, 30, torch.Generator().manual_seed(0))
    assert folds.unique().tolist() == [0, 1, 2]
    changes = (folds.diff(dim=1) != 0).float().mean()
    assert float(changes) == pytest.approx(2 / 3 / 7, abs=0.03)


# --- the archive ----------------------------------------------------------------------------


def an_archive(count=160, **more):
    return Archive(count, 3, **{"long": 0.1, **more})


def test_one_residue_of_one_entry_has_no_coordinates_and_no_long_chain_is_near():
    data = an_archive(200, long=0.5, corrupt=100)
    bad = data.trace.isnan().any(-1)
    assert bad.sum() == 1
    assert bad[100, int(data.length[100]) // 2]
    assert int(data.length[60:140].max()) <= USUAL < int(data.length.max())
    whole = [data.contacts, data.template]
    assert all(bool(one.isfinite().all()) for one in whole)


@pytest.mark.parametrize("seed", range(3))
def test_the_stream_gives_each_entry_once_and_near_its_place(seed):
    order = Stream(an_archive(), seed).order()
    assert sorted(order) == list(range(160))
    assert order != sorted(order)
    assert max(abs(place - index) for place, index in enumerate(order)) <= 32


def test_slow_entries_keep_their_reader_waiting():
    waited = []
    entries = list(Stream(an_archive(20, slow=[3, 11]), 0, sleep=waited.append))
    assert len(entries) == 20
    assert waited == [SLOW, SLOW]


def test_two_workers_share_the_stream():
    stream = Stream(an_archive(12), 0)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2)
    read = sorted(float(entry.trace[-1].sum()) for entry in loader)
    assert read == sorted(float(entry.trace[-1].sum()) for entry in stream)


def a_batch(size=4, seed=0):
    data = Archive(size, seed, 0.5)
    return collate([data[i] for i in range(size)]), data


def test_a_batch_is_padded_to_its_longest_chain():
    batch, data = a_batch()
    assert batch["mask"].sum(1).tolist() == data.length.tolist()
    longest = int(data.length.max())
    assert batch["contacts"].shape == (4, longest, longest, 5)
    row = int(data.length.argmin())
    end = int(data.length[row])
    assert torch.equal(batch["trace"][row, :end], data.trace[row, :end])
    assert not batch["trace"][row, end:].any()


# --- the model ------------------------------------------------------------------------------


def test_what_turns_the_template_turns_the_prediction():
    torch.manual_seed(0)
    model, (batch, _) = Predictor(), a_batch()
    turn = torch.linalg.qr(torch.randn(3, 3)).Q
    moved = {**batch, "template": batch["template"] @ turn + 5.0}
    places, sure = model(batch)
    turned, as_sure = model(moved)
    rows = batch["mask"]
    assert torch.allclose((places @ turn + 5.0)[rows], turned[rows], atol=1e-3)
    assert torch.allclose(sure[rows], as_sure[rows], atol=1e-4)


def test_padding_changes_nothing():
    torch.manual_seed(0)
    model, (batch, data) = Predictor(), a_batch()
    row = int(data.length.argmin())
    end = int(data.length[row])
    alone, sure = model(collate([data[row]]))
    among, as_sure = model(batch)
    assert end < batch["mask"].shape[1]
    assert torch.allclose(alone[0], among[row, :end], atol=1e-3)
    assert torch.allclose(sure[0], as_sure[row, :end], atol=1e-4)


def test_a_perfect_prediction_costs_nothing_but_doubt():
    batch, _ = a_batch()
    total, terms = losses(batch, batch["trace"], batch["mask"].float())
    assert float(terms["coordinate"]) == pytest.approx(0.0, abs=1e-6)
    assert float(terms["bond"]) == pytest.approx(0.0, abs=1e-4)
    assert float(terms["confidence"]) == pytest.approx(0.0, abs=1e-6)
    doubting, _ = losses(batch, batch["trace"], torch.zeros_like(batch["trace"][..., 0]))
    assert float(doubting - total) == pytest.approx(1.0, abs=1e-4)


def test_memory_runs_out_beyond_the_budget_and_only_while_gradients_are_kept():
    model = Predictor()
    limit_memory(model, room=4 * 20**2)
    data = Archive(200, 0, 0.0)
    fits = collate([data[i] for i in range(200) if data.length[i] == 20][:4])
    too_long = collate([data[i] for i in range(200) if data.length[i] >= 20][:5])
    model(fits)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        model(too_long)
    with torch.no_grad():
        model(too_long)


def test_half_of_a_batch_with_a_long_chain_fits():
    assert 8 * USUAL**2 <= ROOM < 8 * (LONGEST - 2) ** 2
    assert 4 * LONGEST**2 <= ROOM


def test_scores_of_the_template_itself():
    class Copies(torch.nn.Module):
        def forward(self, batch):
            return batch["trace"], batch["mask"].float()

    _, found = scores(Copies(), [a_batch()[0]])
    assert found["rmsd"] == pytest.approx(0.0, abs=1e-3)
    assert [found[n] for n in ("lddt", "long_lddt", "gdt_ts_bound", "mean_confidence")] == [1.0] * 4
    assert found["confidence_mae"] == 0.0


# --- updates --------------------------------------------------------------------------------


def parts(room=ROOM, **changed):
    torch.manual_seed(0)
    config = baseline(True).changed({"schedule.total": 10, **changed})
    model = Predictor()
    limit_memory(model, room)
    clock = config.clock()
    return updates(config, model, config.optimizer_for(model), clock), model, clock


def test_a_batch_that_does_not_fit_is_lost_and_counted():
    made, model, clock = parts(room=10)
    before = [p.clone() for p in model.parameters()]
    assert isinstance(made, Plain)
    assert made.update(a_batch()[0]) is None
    assert (made.stats()["oom_count"], clock.updates) == (1.0, 1)
    assert all(map(torch.equal, before, model.parameters()))


def test_recovery_learns_from_it():
    split = {"memory.on_oom": "split", "guard.skip_nonfinite": True}
    batch, _ = a_batch(4)
    made, model, clock = parts(room=3 * batch["mask"].shape[1] ** 2, **split)
    before = [p.clone() for p in model.parameters()]
    done = made.update(batch)
    assert (done.attempts, done.pieces, made.stats()["oom_count"]) == (2, 2, 1.0)
    assert clock.updates == 1
    assert not all(map(torch.equal, before, model.parameters()))


def test_micro_batches_are_accumulated_where_the_configuration_says_so():
    made, model, clock = parts(**{"batch.accumulation": 2})
    before = [p.clone() for p in model.parameters()]
    made.update(a_batch()[0])
    assert (clock.updates, clock.micro) == (0, 1)
    assert all(map(torch.equal, before, model.parameters()))
    made.update(a_batch(seed=1)[0])
    assert clock.updates == 1
    assert not all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize(("guarded", "finite"), [(False, False), (True, True)])
def test_a_corrupt_chain_reaches_the_weights_unless_it_is_skipped(guarded, finite):
    made, model, _ = parts(**{"guard.skip_nonfinite": guarded})
    batch, _ = a_batch()
    batch["trace"][0, 3] = torch.nan
    made.update(batch)
    assert all(bool(p.isfinite().all()) for p in model.parameters()) is finite


def test_own_time_counts_computing_and_waiting():
    wall, busy = iter([0.0, 5.0, 5.0, 6.0]), iter([1.0, 2.0, 2.0, 2.5, 4.0])
    clock = OwnTime(wall=lambda: next(wall), busy=lambda: next(busy))
    assert list(clock.waiting("a")) == ["a"]
    assert clock() == 2.5 + 4.0
