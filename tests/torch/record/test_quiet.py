"""A noisy import says nothing, and leaves the warnings of all others as they were."""

import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from trainlens_torch.record._quiet import quiet_import, silence

ROOT = Path(__file__).resolve().parents[3]


def test_a_module_that_warns_is_imported_where_warnings_are_errors(tmp_path, monkeypatch):
    (tmp_path / "noisy_module.py").write_text("import warnings\nwarnings.warn('old')\nHERE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "noisy_module", raising=False)
    before = list(warnings.filters)
    assert quiet_import("noisy_module").HERE == 1
    assert list(warnings.filters) == before
    assert quiet_import("noisy_module").HERE == 1
    with pytest.raises(ModuleNotFoundError):
        quiet_import("no_such_module_anywhere")
    assert list(warnings.filters) == before


def test_only_the_thread_that_asked_is_silent():
    raised = []

    def other():
        try:
            warnings.warn("mine", stacklevel=1)
        except UserWarning as error:
            raised.append(str(error))

    with silence():
        warnings.warn("theirs", stacklevel=1)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert raised == ["mine"]
    with pytest.raises(UserWarning, match="again"):
        warnings.warn("again", stacklevel=1)


def test_filters_that_others_change_meanwhile_stay():
    with warnings.catch_warnings():
        with silence():
            warnings.filterwarnings("ignore", "kept")
        warnings.warn("kept", stacklevel=1)


@pytest.mark.parametrize("inner_first", [True, False])
def test_nothing_is_left_where_others_catch_warnings_meanwhile(inner_first):
    before = list(warnings.filters)
    quiet, others = silence(), warnings.catch_warnings()
    first, second = (quiet, others) if inner_first else (others, quiet)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning):
        warnings.warn("seen", stacklevel=1)


@pytest.mark.parametrize("first", ["", "sqlalchemy"])
def test_the_aim_sink_is_silent_where_warnings_are_errors(first, tmp_path):
    pytest.importorskip("aim")
    code = f"""
import {first or "sys"}, sys, warnings
warnings.simplefilter("error")
from pathlib import Path
from trainlens_torch.record import aim
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.sinks import Target
sink = aim.make(Target(Path(sys.argv[1]), "a", lambda: 1.0))
sink.write([Entry(1, 1.0, {{"m": 1.0}}, {{}})])
sink.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
