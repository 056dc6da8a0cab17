"""The pages that come from the code are what the code says."""

import io
import subprocess
import sys

import pytest

pytest.importorskip("torch")

from PIL import Image

from docs.make import examples, readers, rules, schedules
from docs.make.book import check, pages, pictures, without_figures
from docs.make.docstrings import parsed, told
from docs.make.imports import layers, needed, uses
from docs.make.marks import between
from tests.docs.documents import DOCS, ROOT
from trainlens.plots import figure_bytes
from trainlens.readers import all_readers
from trainlens.rules import PROFILES, all_rules
from trainlens.rules.base import Status
from trainlens.stats.schedule import recognise
from trainlens_torch.schedules import ALL


def test_every_page_is_what_the_code_says():
    assert check() == [], "run: python -m docs.make"


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The documentation as it would be written, its pictures empty."""
    home = tmp_path_factory.mktemp("docs")
    for path, text in [*pages().items(), *((path, "") for path in pictures())]:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")
    return home


def test_a_change_is_told_with_its_line(copied):
    assert check(copied) == []
    page = copied / "rules/divergence.md"
    text = page.read_text("utf-8")
    page.write_text(text.replace("# divergence", "# convergence"), encoding="utf-8")
    (told,) = check(copied)
    page.write_text(text, encoding="utf-8")
    assert (
        told == "docs/rules/divergence.md: line 1 is '# convergence', the code says '# divergence'"
    )


def test_what_is_missing_and_what_is_left_over_is_told(copied):
    picture, page = copied / "schedules/pictures/cosine.png", copied / "readers/csv.md"
    stray = copied / "rules/gone.md"
    text = page.read_text("utf-8")
    picture.unlink()
    page.unlink()
    stray.write_text("# gone\n")
    told = check(copied)
    picture.touch()
    stray.unlink()
    page.write_text(text, encoding="utf-8")
    assert told == [
        "docs/readers/csv.md: missing",
        "docs/schedules/pictures/cosine.png: missing",
        "docs/rules/gone.md: nothing makes it",
    ]


def test_only_figures_that_another_command_measures_may_differ():
    index, page = pages()["rules.md"], pages()["rules/divergence.md"]
    assert "precision" in page
    for text in (index, page):
        assert without_figures(text) != text
        assert without_figures(text) == without_figures(text.replace("1.000", "0.123"))


def test_the_command_says_what_is_wrong(monkeypatch, capsys):
    from docs.make import __main__ as command

    monkeypatch.setattr(sys, "argv", ["docs.make", "--check"])
    monkeypatch.setattr(command, "check", lambda: ["docs/x.md: missing"])
    assert command.main() == 1
    assert capsys.readouterr().err == "docs/x.md: missing\nrun: python -m docs.make\n"
    monkeypatch.setattr(command, "check", list)
    assert command.main() == 0


def test_every_picture_is_a_small_one_with_something_on_it():
    for path in pictures():
        with Image.open(DOCS / path) as picture:
            assert 600 <= picture.width <= 1300, path
            assert (DOCS / path).stat().st_size < 250_000, path
            assert len(picture.convert("L").getcolors()) > 10, path


@pytest.mark.parametrize(
    "path",
    ["rules/pictures/loss-spike.png", "schedules/pictures/chain.png", "architecture.png"],
)
def test_a_picture_of_each_kind_is_drawn(path):
    with (
        Image.open(io.BytesIO(figure_bytes(pictures()[path]()))) as new,
        Image.open(DOCS / path) as held,
    ):
        assert new.size == held.size


# --- rules ------------------------------------------------------------------------------------


def test_every_rule_of_every_profile_has_a_page():
    known = {name for profile in PROFILES for name in all_rules(profile)}
    assert {path for path in pages() if path.startswith("rules/")} == {
        f"rules/{name}.md" for name in known
    }
    index = pages()["rules.md"]
    assert [n for n in known if f"[`{n}`](rules/{n}.md)" not in index] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_setting_has_a_unit_and_a_meaning(profile):
    from trainlens.catalogue import catalogue

    held = [(e.rule.name, s) for e in catalogue(profile) for s in e.settings]
    assert [(rule, s.name) for rule, s in held if not s.unit or not s.meaning] == []


def test_the_example_of_a_rule_shows_its_fault():
    for entry in rules._entries():
        example, found = examples.best(entry.rule)
        assert example.made
        assert any(f.rule == entry.rule.name for f in found.findings), entry.rule.name
        page = pages()[f"rules/{entry.rule.name}.md"]
        assert f"`{example.made}`" in page
        assert "A fault:" in page
        assert "Not applicable:" in page or "Passed:" in page


def test_what_makes_an_example_is_python_that_makes_it():
    import benchmarks.diagnosis.synthetic
    import docs.make.examples

    for entry in rules._entries()[::6]:
        example, _ = examples.best(entry.rule)
        run = eval(example.made, {"benchmarks": benchmarks, "docs": docs})
        assert {k: s.value.tobytes() for k, s in run.series.items()} == {
            k: s.value.tobytes() for k, s in example.run.series.items()
        }


def test_a_rule_without_an_example_is_told():
    from dataclasses import replace

    with pytest.raises(
        ValueError, match=r"no run of docs\.make\.examples shows a fault of new-rule"
    ):
        examples.best(replace(all_rules()["divergence"], name="new-rule"))


# --- readers and schedules --------------------------------------------------------------------


def test_every_reader_and_every_schedule_has_a_page():
    assert {p for p in pages() if p.startswith("readers/")} == {
        f"readers/{name}.md" for name in all_readers()
    }
    assert {p for p in pages() if p.startswith("schedules/")} == {
        f"schedules/{kind}.md" for kind in ALL
    }


@pytest.mark.parametrize("format", all_readers())
def test_a_reader_says_how_it_knows_its_format_what_damage_costs_and_where_it_ends(format):
    found = parsed(all_readers()[format].__doc__).sections
    assert {"Recognition", "Damage", "Limits", "Examples"} <= found.keys()
    assert "tests/readers/test_" in pages()[f"readers/{format}.md"]


@pytest.mark.parametrize("kind", ALL)
def test_a_schedule_is_checked_against_its_own_header(kind):
    text = schedules.EXAMPLES[kind][0]
    assert schedules._said(schedules._run(text)).status is Status.PASS
    off = schedules._said(schedules._run(text, off=True))
    assert (off.status, off.first_step) == (Status.FAIL, 600)


@pytest.mark.parametrize(
    ("kind", "family"),
    [(k, k) for k in ("cosine", "polynomial", "step", "one-cycle", "cosine-restarts", "linear")]
    + [("chain", "cosine"), ("custom", "polynomial"), ("piecewise", "step")],
)
def test_a_schedule_is_recognised_without_its_header(kind, family):
    curve = schedules._run(schedules.EXAMPLES[kind][0])["lr"].finite
    assert recognise(curve.step, curve.value).family == family


# --- what the pages are made with -------------------------------------------------------------


def test_imports_are_those_that_python_makes():
    """What `trainlens.words` and `trainlens.detect` bring along, in a process of its own."""
    code = "import sys, trainlens.detect.spike as d; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {n.split(".")[1] for n in ran.stdout.split() if n.startswith("trainlens.")}
    found, reached, open_ = uses(), set(), ["detect"]
    while open_:
        new = found[open_.pop()] - reached
        reached |= new
        open_ += new
    assert loaded - {"detect"} <= reached


def test_what_follows_from_other_imports_is_left_out():
    found = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()}
    assert needed(found) == {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset()}


def test_the_layers_are_those_of_the_test():
    from tests.test_layers import LAYERS

    assert [set(names) for names in layers()] == LAYERS


def test_docstrings_become_markdown():
    doc = parsed(
        """One thing.

        It is so::

            a = 1

            b = 2

        Parameters
        ----------
        x, y : int
            Of it,
            or not.
        *rest : float
            More.

        Examples
        --------
        Here:

        >>> 1 + 1
        2
        """
    )
    assert (doc.title, doc.prose) == ("One thing", "It is so:\n\n```text\na = 1\n\nb = 2\n```")
    assert list(doc.fields("Parameters")) == [
        ("x, y", "int", "Of it, or not."),
        ("*rest", "float", "More."),
    ]
    assert doc.sections["Examples"] == "Here:\n\n```python\n>>> 1 + 1\n2\n```"
    assert list(doc.fields("Notes")) == []
    assert told("A thing.\n\nMore\nof it.") == "A thing. More of it."


def test_a_part_of_a_page_is_put_between_its_marks():
    page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    assert between(page, "x", "new") == "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n"
    with pytest.raises(ValueError, match="no '<!-- y: begin -->'"):
        between(page, "y", "new")


def test_readers_are_listed_with_what_they_recognise():
    index = pages()["readers.md"]
    for name, module in all_readers().items():
        row = next(line for line in index.splitlines() if line.startswith(f"| [`{name}`]"))
        assert row.endswith("files and folders |") == getattr(module, "FOLDERS", False)
    assert readers.pictures() == {}
