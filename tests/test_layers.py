"""The layers of the design, read off the import statements."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {
        "errors",
        "schema",
        "words",
        "chunk",
        "atomic",
        "engine",
        "remote",
        "cachedir",
        "splits",
        "_role_table",
        "compact",
        "leaves",
        "notebook",
    },
    {"roles", "run", "stats"},
    {"detect"},
    {"expectation"},
    {"readers", "rules", "comparison"},
    {
        "prescribe",
        "plots",
        "verdict",
        "judged",
        "reporting",
        "export",
        "traces",
        "across",
        "settings",
        "catalogue",
    },
    {"render"},
    {"work", "place", "sides"},
    {"attach"},
    {"jobs", "asked"},
    {"monitor"},
    {"api"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
SHARED_WITH_TORCH = {"errors", "schema", "stats", "detect"}


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """Absolute names of the modules that a file imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name):
    """The part of trainlens that a dotted name lies in, None outside of it."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "trainlens" and len(pieces) > 1 else None


@pytest.mark.parametrize("path", modules("trainlens"), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path):
    own = path.relative_to(ROOT / "trainlens").parts[0].removesuffix(".py")
    if own == "__init__":
        return  # the lazy table of public names
    assert own in LEVEL, f"{own} is in no layer of {Path(__file__).name}"
    for name in imported(path):
        other = part(name)
        if other is None or other == own or other.startswith("__"):
            continue
        if other == "templates":
            continue
        assert other in LEVEL, f"{path}: {name} is in no layer"
        if own == "prescribe" and other == "rules":
            continue
        assert LEVEL[other] <= LEVEL[own], f"{path} imports upward: {name}"


@pytest.mark.parametrize("folder", ["readers", "rules"])
def test_siblings_do_not_import_each_other(folder):
    for path in modules(f"trainlens/{folder}"):
        if path.name == "__init__.py":
            continue
        for name in imported(path):
            pieces = name.split(".")
            if pieces[:2] != ["trainlens", folder] or len(pieces) < 3:
                continue
            shared = (
                pieces[2] == "base" or pieces[2].startswith("_") or path.parent.name == pieces[2]
            )
            assert shared or pieces[2] == path.stem, f"{path} imports its sibling {name}"


@pytest.mark.parametrize("path", modules("trainlens"), ids=lambda p: str(p.relative_to(ROOT)))
def test_trainlens_knows_nothing_of_torch(path):
    assert not [n for n in imported(path) if n.split(".")[0] in ("torch", "trainlens_torch")]


@pytest.mark.parametrize("path", modules("trainlens_torch"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_companion_uses_only_the_shared_layers(path):
    for name in imported(path):
        assert part(name) is None or part(name) in SHARED_WITH_TORCH, f"{path} imports {name}"


@pytest.mark.parametrize("path", modules("trainlens"), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_runs_what_it_reads(path):
    """No pickle, eval or unsafe loader: logs are hostile input."""
    tree = ast.parse(path.read_text())
    names = set(imported(path))
    assert not {n for n in names if n.split(".")[0] in ("pickle", "joblib", "shelve", "marshal")}
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert not calls & {"eval", "exec", "yaml.load", "pd.read_pickle", "torch.load"}
    assert "allow_pickle=True" not in path.read_text()


def test_no_file_is_too_long():
    long = [
        (str(p.relative_to(ROOT)), n)
        for package in ("trainlens", "trainlens_torch", "benchmarks", "examples")
        for p in modules(package)
        if (n := p.read_text().count("\n")) > 400
    ]
    assert long == []
