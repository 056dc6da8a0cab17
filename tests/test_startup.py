"""What a command does not need is not imported: a small log is judged before pandas has started."""

import json
import subprocess
import sys

import pytest

HEAVY = ("aim", "dask", "jinja2", "matplotlib", "pandas", "scipy", "torch", "wandb", "yaml")
MAIN = """
import json, sys
from trainlens.cli import cli
sys.argv[1:] = {arguments!r}
code = cli.main(standalone_mode=False)
print(json.dumps([code, sorted({{name.split(".")[0] for name in sys.modules}})]), file=sys.stderr)
"""


def loaded_by(*arguments):
    ran = subprocess.run(
        [sys.executable, "-c", MAIN.format(arguments=list(arguments))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(ran.stderr.splitlines()[-1])


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_diagnosing_a_small_log_imports_nothing_of_weight(tmp_path, options):
    log = tmp_path / "run.jsonl"
    log.write_text(
        "".join(
            f'{{"step": {i}, "loss": {2 / (i + 3) ** 0.3}, "lr": {1e-3 * (1 - i / 1000)}}}\n'
            for i in range(1000)
        )
    )
    code, modules = loaded_by("diagnose", *options, str(log))
    assert code == 0
    assert "numpy" in modules
    assert not set(HEAVY) & set(modules)


def test_the_rules_are_listed_without_any_reader():
    _, modules = loaded_by("rules")
    assert not {*HEAVY, "orjson"} & set(modules)
