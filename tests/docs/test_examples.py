"""What stands on the pages as Python runs, and gives what it says."""

import doctest
import shutil

import pytest

from tests.docs.documents import DOCS, PAGES, ROOT, blocks, name

# Run by tests of their own, which give them what they take for granted.
ELSEWHERE = {
    "adding.md": "tests/docs/test_adding.py",
    "own-rules.md": "tests/test_own_rules.py",
    "companion/configuration.md": "tests/torch/config/test_page.py",
} | {
    f"companion/{page}.md": "tests/torch/test_examples_in_docs.py"
    for page in ("README", "schedules", "parameter-groups", "losses", "adaptive-lr", "data",
                 "memory", "checkpoints", "metrics")
}  # fmt: skip
# Parts of loops, which show one line among others; or loops without an end.
FRAGMENTS = {
    "monitor.md": {0},
    "companion/frameworks.md": {0, 1, 3, 4, 5},
    "companion/gradients.md": {1, 2},
    "companion/health.md": {1},
    "companion/recording.md": {1},
    "companion/setting-up.md": {2, 3},
}
NEEDS = {"readers/aim.md": "aimrocks", "schedules/": "torch", "companion/": "torch"}
TOLD = [p for p in PAGES if name(p) not in ELSEWHERE and any(">>>" in block for block in blocks(p))]
RUN = [p for p in PAGES if name(p) not in ELSEWHERE and p not in TOLD and blocks(p)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the sample runs and two logs, as the pages take for granted."""
    (tmp_path / "sample_runs").symlink_to(ROOT / "sample_runs")
    (tmp_path / "runs").mkdir()
    for log in ("a", "b"):
        shutil.copy(
            ROOT / "sample_runs/healthy_jsonl/healthy.jsonl", tmp_path / f"runs/{log}.jsonl"
        )
    (tmp_path / "runs" / "a").mkdir()
    shutil.copy(ROOT / "sample_runs/healthy_jsonl/healthy.jsonl", tmp_path / "runs/a/log.jsonl")
    monkeypatch.chdir(tmp_path)


def needed(page):
    for begin, module in NEEDS.items():
        if name(page).startswith(begin):
            pytest.importorskip(module)


@pytest.mark.parametrize("page", TOLD, ids=name)
def test_examples_give_what_they_say(page, place):
    needed(page)
    told = "\n".join(block for block in blocks(page) if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(told, {}, name(page), str(page), 0)
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert test.examples


@pytest.mark.parametrize("page", RUN, ids=name)
def test_python_on_a_page_runs(page, place, capsys):
    needed(page)
    names = {}
    if name(page).startswith("companion/"):
        from tests.torch.test_examples_in_docs import given

        names = given()
    for number, block in enumerate(blocks(page)):
        code = compile(block, name(page), "exec")
        if number not in FRAGMENTS.get(name(page), ()):
            exec(code, names)


def test_exceptions_are_still_there():
    held = {name(p): len(blocks(p)) for p in PAGES}
    assert [page for page in ELSEWHERE if not held.get(page)] == []
    assert [(p, n) for p, some in FRAGMENTS.items() for n in some if n >= held.get(p, 0)] == []
    assert [test for test in ELSEWHERE.values() if not (ROOT / test).is_file()] == []


def test_examples_of_readers_and_schedules_are_among_them():
    told = {name(page) for page in TOLD}
    assert {
        name(p) for folder in ("readers", "schedules") for p in (DOCS / folder).glob("*.md")
    } <= told
    assert "log-schema.md" in told
