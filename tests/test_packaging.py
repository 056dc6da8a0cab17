"""What is shipped: the package list, the templates, and a wheel that works outside the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11 to read pyproject.toml")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_package_list_is_the_folders():
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("trainlens", "trainlens_torch")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders | {"trainlens.templates"}


def test_constraints_are_exact_and_name_no_index():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 20
    assert all("==" in line and "://" not in line and not line.startswith("-") for line in pins)
    assert "torch==2.13.0" in pins


def test_readme_has_the_two_commands():
    lines = (ROOT / "README.md").read_text().splitlines()
    commands = [line for line in lines if line.startswith("pip install -e")]
    assert commands == [
        "pip install -e '.[aim]' -c constraints.txt && "
        "trainlens report sample_runs -o reports/demo",
        "pip install -e '.[dev]' -c constraints.txt && pytest -n auto --dist loadfile",
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "tree"
    # A copy: a build leaves build/ and *.egg-info behind.
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if name.split("/")[0] in ("sample_runs", "tests", "docs") or not (ROOT / name).is_file():
            continue
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, source],
        check=True, capture_output=True,
    )  # fmt: skip
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_templates(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        f"trainlens/templates/{p.name}" for p in (ROOT / "templates").iterdir() if p.is_file()
    }
    assert shipped <= names
    assert "trainlens/py.typed" in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "examples/"))]


def test_a_report_is_built_from_the_wheel(wheel, tmp_path):
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    log = tmp_path / "run.jsonl"
    log.write_text("".join(f'{{"step": {i}, "loss": {3 / (i + 1)}}}\n' for i in range(200)))
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import trainlens; "
        f"assert trainlens.__file__.startswith({str(target)!r}); "
        f"print(trainlens.report(trainlens.load({str(log)!r}), {str(tmp_path / 'out')!r})[0])"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).read_text().startswith("<!doctype html>")


def test_the_readme_lists_every_rule_with_its_title():
    from trainlens.rules import all_rules

    text = (ROOT / "README.md").read_text()
    for name, rule in all_rules().items():
        assert f"| `{name}` | {rule.title} |" in text
