"""What outputs say of a run whose log was ended, and of one where that is not known."""

import json
import math
from dataclasses import replace

import click
import numpy as np
import pytest
import report_demo as demo

from trainlens.render.html import page as html
from trainlens.render.json import dumps
from trainlens.render.markdown import page as markdown
from trainlens.render.terminal import page
from trainlens.reporting import build
from trainlens.rules import Diagnosis
from trainlens.run import Ended

STEP = np.arange(200)
LAST = 1e9 + 199.0


def diagnosis(ended):
    run = demo.run("a", [demo.column("loss", STEP, 1 / (1 + STEP))])
    object.__setattr__(run["loss"], "wall_time", 1e9 + STEP.astype(float))
    return Diagnosis(replace(run, ended=ended), ())


def report(ended, later):
    return build([diagnosis(ended)], title="", command="", now=LAST + later, version="0")


@pytest.mark.parametrize(
    ("ended", "later", "said"),
    [
        (None, 100.0, "1 min ago, may be running"),
        (None, 7200.0, "2 h ago"),
        (Ended(LAST + 1, "closed"), 1.0, "ended 0 s ago"),
        (Ended(LAST + 10, "closed"), 190.0, "ended 3 min ago"),
        (Ended(LAST + 10, "exit"), 190.0, "ended 3 min ago"),
        (Ended(LAST + 10, "exception"), 7210.0, "ended 2 h ago, with an exception"),
        (Ended(math.nan, "closed"), 180.0, "ended 3 min ago"),
        (Ended(LAST + 500, "closed"), 100.0, "ended 0 s ago"),
        (Ended(LAST, "closed"), 1e8, "ended on 2001-09-09"),
    ],
)
def test_how_long_ago(ended, later, said):
    held = report(ended, later)
    assert held.runs[0].running is (ended is None and later < 120)
    assert f"Last record  {said}\n" in click.unstyle(page(held))
    assert f"- Last record: {said}\n" in markdown(held)
    assert said in html(held)


def test_json_has_it_only_where_it_is_known():
    ends = [None, Ended(LAST, "exception"), Ended(math.nan, "closed")]
    runs = [json.loads(dumps([diagnosis(ended)]))["runs"][0] for ended in ends]
    assert "ended" not in runs[0]
    assert runs[1].pop("ended") == {"time": LAST, "how": "exception"}
    assert runs[2].pop("ended") == {"time": None, "how": "closed"}
    assert runs[0] == runs[1] == runs[2]
