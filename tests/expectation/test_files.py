"""Expectations in files, and where a mistake stands."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trainlens.errors import NotFound, Unreadable, UsageError
from trainlens.expectation import Expectation, load, parse

EXAMPLES = Path(__file__).parents[2] / "examples" / "expectations"


def written(folder, text, name="next.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_statements_tables_and_headings(tmp_path):
    plain = written(tmp_path, 'expect = ["a < 3", { metric = "b", op = ">", value = 1 }]')
    assert load(plain) == (parse("a < 3"), parse("b > 1"))
    tables = written(tmp_path, '[[expect]]\nmetric = "b"\nop = ">"\nvalue = 1\nlabel = "mine"\n')
    (one,) = load(tables)
    assert (one.metric, one.label) == ("b", "mine")
    headed = written(tmp_path, '[expect]\n"short term" = ["a < 3", "b > 1"]\nlong = "a < 2"\n')
    assert [e.label for e in load(headed)] == ["short term", "short term", "long"]


def test_a_patch_and_an_array_in_json(tmp_path):
    expect = [parse("val/a < 3").mapping]
    patch = {"schema": "trainlens.patch/1", "run": "r", "patch": {}, "expect": expect}
    for given in (patch, expect, {"expect": ["val/a < 3"]}):
        path = written(tmp_path, json.dumps(given), "p.json")
        (found,) = load(path)
        assert replace(found, label="") == parse("val/a < 3")
        assert found.label == ("what was prescribed" if given is patch else "")


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ('expect = [\n  "a < 3",\n  "mean(b < 3",\n]', ":3:11", r"a closing \) is missing"),
        ('expect = ["a <"]', ":1:15", "a number is missing before the end"),
        ('expect = [\n  "a <",\n  "a <",\n]', ":2:7", "a number is missing"),
        ('expect = [\n  "a < 3",\n  "a < 3 4",\n]', ":3:10", "'4' is too much"),
        ("expect = [\n", ":1", "unclosed|expected|invalid"),
        ("expect = ]\n", ":1:10", "nvalid value"),
        ('[[expect]]\nmetric = "a"\nop = "<"\nvalue = 3\n\n[[expect]]\nmetric = "b"\nop = "!"\n'
         "value = 3\n", ":7:1", "no operator '!'"),
        ('[[expect]]\nmetric = "a"\nop = "<"\n', ":2:1", "needs 'value'"),
        ('[[expect]]\nmetric = "a"\nop = "<"\nvalue = 3\ntoll = 1\n', ":2:1", "no key 'toll'"),
        ("expect = [3]", "", "3 is neither a statement nor a table"),
        ('expected = ["a < 3"]', ":1:1", "did you mean 'expect'"),
        ('expect = ["\\u0061 <"]', "", "a number is missing"),
        ("", "", "no expectation in it"),
        ("expect = []", "", "no expectation in it"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(tmp_path, text, place, why):
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=why) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert "\n" not in str(caught.value)


def test_a_mistake_in_json_has_its_place(tmp_path):
    path = written(tmp_path, '{"expect": [\n  "a < 3",,\n]}', "p.json")
    with pytest.raises(UsageError, match=r"p\.json:2:11: "):
        load(path)
    path = written(tmp_path, '[\n "a < 3",\n "a !"\n]', "p.json")
    with pytest.raises(UsageError, match=r"p\.json:3:5: <, >, about"):
        load(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(NotFound, match="no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(Unreadable, match="directory"):
        load(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b'title = "x"\nexpect = ["caf\xe9 < 3"]')
    with pytest.raises(UsageError, match=r"latin\.toml:2: no UTF-8 text"):
        load(path)
    deep = written(tmp_path, "expect = " + "[" * 100_000)
    with pytest.raises(UsageError):
        load(deep)
    deep = written(tmp_path, "[" * 100_000, "deep.json")
    with pytest.raises(UsageError):
        load(deep)


def test_many_statements_are_read_in_no_time_and_the_last_is_found(tmp_path):
    lines = ['  "mean(val/loss) < 3",'] * 5000
    path = written(tmp_path, "expect = [\n" + "\n".join(lines) + '\n  "mean(val/loss) 3",\n]\n')
    with pytest.raises(UsageError, match=r":5002:"):
        load(path)


@pytest.mark.parametrize(("name", "count"), [("handpose", 11), ("decode", 10), ("quadmodal", 11)])
def test_the_tables_of_the_seeds_can_be_said(name, count):
    held = load(EXAMPLES / f"{name}.toml")
    assert len(held) == count
    for one in held:
        assert one.label
        assert Expectation.of(one.mapping) == one
