"""Which runs make an arm, by path, setting or name; the seeds that they have."""

import pytest

from trainlens.comparison.arms import arm, arms_of, grouped, seed_pairs, seeds_of
from trainlens.errors import UsageError
from trainlens.run import Run


def run(name, source="", **config):
    return Run(name, source or name, "synthetic", config=config)


def names(arms):
    return {one.name: [r.name for r in one.runs] for one in arms}


def test_a_path_with_one_run_is_itself_and_several_are_seeds():
    one, *several = (run(n) for n in ("a", "b_seed1", "b_seed2"))
    found = arms_of([("folder/a", [one]), ("folder/b", several)])
    assert names(found) == {"a": ["a"], "folder/b": ["b_seed1", "b_seed2"]}
    assert [a.single for a in found] == [True, False]
    assert found[1].seeds == ("1", "2")


def test_two_sides_of_one_name_stay_apart():
    found = arms_of([("x", [run("a")]), ("y", [run("a")]), ("z", [run("a")])])
    assert [a.name for a in found] == ["a", "a (2)", "a (3)"]


def test_no_run():
    with pytest.raises(UsageError, match="empty: no run to compare"):
        arm("empty", [])


def test_grouped_by_a_setting_ascending():
    runs = [run(f"r{i}", optimizer={"lr": lr}, seed=i) for i, lr in enumerate([0.1, 0.01, 0.1])]
    found = grouped(runs, "optimizer.lr")
    assert names(found) == {"lr=0.01": ["r1"], "lr=0.1": ["r0", "r2"]}
    assert [a.seeds for a in found] == [("1",), ("0", "2")]
    assert names(grouped(runs, "lr")) == names(found)
    assert names(grouped(runs, "Optimizer.LR")) == names(found)


def test_the_same_number_in_three_formats_is_one_arm():
    runs = [run("a", width=64), run("b", width=64.0), run("c", width="64"), run("d", width=128)]
    assert names(grouped(runs, "width")) == {"width=64": ["a", "b", "c"], "width=128": ["d"]}


def test_runs_without_the_setting_are_an_arm_of_their_own():
    runs = [run("a"), run("b", augment="flip"), run("c")]
    assert names(grouped(runs, "augment")) == {"augment=flip": ["b"], "augment not set": ["a", "c"]}


def test_numbered_runs_are_one_arm_but_no_pairs():
    runs = [run(f"{n}/run_{i}") for n in ("strict", "lax") for i in (1, 2, 3)]
    strict, lax = grouped(runs, "name")
    assert names([strict, lax]) == {
        "strict": ["strict/run_1", "strict/run_2", "strict/run_3"],
        "lax": ["lax/run_1", "lax/run_2", "lax/run_3"],
    }
    assert seed_pairs(strict, lax) == ()


@pytest.mark.parametrize(
    "ending", ["/run-2020-08-28-19-30-41", "/result_{}", "_rep{}", "/version_{}/metrics"]
)
def test_other_repetitions(ending):
    runs = [run(n + ending.format(i)) for n in ("es", "icm") for i in (1, 2)]
    assert [len(a.runs) for a in grouped(runs, "name")] == [2, 2]


def test_long_values_that_differ_in_the_middle_are_not_mixed_up():
    runs = [run(n, data="x" * 60 + n + "y" * 60) for n in "aab"]
    found = grouped(runs, "data")
    assert [len(a.runs) for a in found] == [2, 1]
    assert len({a.name for a in found}) == 2


def test_grouped_by_name():
    runs = [run(n) for n in ("base_seed1", "wide_seed1", "base_seed2", "wide_seed2")]
    wanted = {"base": ["base_seed1", "base_seed2"], "wide": ["wide_seed1", "wide_seed2"]}
    assert names(grouped(runs, "name")) == wanted
    assert names(grouped(runs, r"name:^(\w+?)_seed")) == wanted
    assert names(grouped([run("sac/0"), run("sac/1"), run("td3/0")], "name")) == {
        "sac": ["sac/0", "sac/1"], "td3": ["td3/0"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("batch", "no run has a setting 'batch'; settings that differ: optimizer.lr, head.dropout"),
        ("optimizer.rl", "did you mean 'optimizer.lr'"),
        ("decay", "several settings are called 'decay': optimizer.decay, head.decay"),
        ("optimizer.decay", "nothing to compare: all 2 runs have optimizer.decay = 0; "
                            "settings that differ: optimizer.lr, head.dropout"),
        ("name:(", "'(' is no regular expression"),
        ("name:a.b", "'a.b' has 0 groups; it needs one pair of parentheses"),
        ("name:(a)(b)", "has 2 groups"),
        ("name:(z+)", "'(z+)' does not fit the run 'a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_grouped_by_is_said(key, said):
    runs = [
        run(
            n,
            optimizer={"lr": lr, "decay": 0},
            head={"decay": 1, "dropout": lr},
            seed=lr,
            run_name=n,
        )
        for n, lr in (("a", 0.1), ("b", 0.2))
    ]
    with pytest.raises(UsageError) as caught:
        grouped(runs, key)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_runs_without_any_configuration():
    with pytest.raises(UsageError, match="none of the runs has a configuration"):
        grouped([run("a"), run("b")], "lr")


@pytest.mark.parametrize(
    ("config", "seed"),
    [
        ({"seed": 3}, "3"),
        ({"random_seed": 3.0}, "3"),
        ({"GENERAL": {"seed": "03"}}, "3"),
        ({"args": {"seed": 3}}, "3"),
        ({"val_seed": 42}, ""),
        ({"GENERAL": {"val_seed": 42, "seed": 7}}, "7"),
        ({"seed": None}, ""),
        ({"seed": True}, ""),
        ({"seeds_per_plant": 4}, ""),
    ],
)
def test_seed_in_the_settings(config, seed):
    assert seeds_of([run("a", **config)]) == (seed,)


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("ppo-seed3", "3"), ("ppo_seed_03", "3"), ("seed=3,lr=0.1", "3"), ("ppo (seed 3)", "3"),
        ("ppo_s3", "3"), ("ppo-s3-long", "3"), ("ppo/3", "3"), ("ppo/3/csv", "3"),
        ("resnet50", ""), ("lr0.1", ""), ("val_seed3", ""), ("linseed3", ""), ("classes10", ""),
        ("birdseed9x", ""), ("v2_s3dis", ""),
    ],
)  # fmt: skip
def test_seed_in_the_name(name, seed):
    assert seeds_of([run(name, "log.csv")]) == (seed,)


def test_seed_in_the_folders_above():
    assert seeds_of([run("progress.csv", "/logs/ppo/seed7/progress.csv")]) == ("7",)


def test_the_setting_that_differs_is_the_seed():
    runs = [run(f"r_seed{i}", seed=42, data={"seed": 5}, args={"seed": i}) for i in (1, 2, 3)]
    assert seeds_of(runs) == ("1", "2", "3")
    assert seeds_of([run(f"r_seed{i}", seed=42) for i in (1, 2)]) == ("1", "2")


def side(name, *seeds):
    return arm(name, [run(f"{name}{i}", seed=s) for i, s in enumerate(seeds)])


def test_pairs_of_seeds():
    assert seed_pairs(side("a", 1, 2, 3), side("b", 3, 1, 2)) == ((0, 1), (1, 2), (2, 0))
    assert seed_pairs(side("a", 1, 2, 3, 4), side("b", 3, 1, 2)) == ((0, 1), (1, 2), (2, 0))
    # Two pairs are too few, and so are three of eight runs.
    assert seed_pairs(side("a", 1, 2, 3), side("b", 1, 2, 9)) == ()
    assert seed_pairs(side("a", *range(8)), side("b", 0, 1, 2)) == ()
    # A seed that an arm has twice pairs with none.
    assert seed_pairs(side("a", 1, 1, 2, 3), side("b", 1, 2, 3)) == ()
    assert seed_pairs(side("a", None, None, None), side("b", None, None, None)) == ()
