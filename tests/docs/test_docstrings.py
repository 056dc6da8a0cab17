"""Examples in the docstrings of trainlens run, and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import trainlens
from trainlens.readers import all_readers

# Those of a reader are run on its page.
ON_PAGES = {module.__name__ for module in all_readers().values()}
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(trainlens.__path__, "trainlens.")
    if not found.name.endswith(("__main__", "._native")) and found.name not in ON_PAGES
)


def examples(name):
    """The examples of a module; none where a library that it is about is not installed."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("trainlens"):
            raise
        return []
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


FOUND = {name: tests for name in MODULES if (tests := examples(name))}


@pytest.mark.parametrize("name", FOUND)
def test_examples_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner()
    for test in FOUND[name]:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_there_is_something_to_run():
    assert sum(len(test.examples) for tests in FOUND.values() for test in tests) > 50
