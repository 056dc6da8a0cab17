"""Settings and suppressions as the commands show them: output, exit codes, what is told."""

import json
import sys

import pytest

from trainlens.cli import main

LINE = '{{"step": {0}, "loss": {1}}}\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The current folder: a project with settings still to be written."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def broken(tmp_path):
    """A run elsewhere whose loss becomes NaN."""
    path = tmp_path / "sent" / "broken.jsonl"
    path.parent.mkdir()
    values = [3 / (1 + i) ** 0.3 if i < 300 else "NaN" for i in range(400)]
    path.write_text("".join(LINE.format(i, v) for i, v in enumerate(values)))
    return path


@pytest.fixture
def trainlens(monkeypatch, capsys):
    """A command as a shell would run it: (code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["trainlens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


SENSOR = '[[suppress]]\nrule = "non-finite"\nreason = "the sensor was off"\n'


def test_a_suppressed_finding_is_told_and_does_not_fail(project, broken, trainlens):
    assert trainlens("diagnose", broken)[0] == 1
    (project / "trainlens.toml").write_text(SENSOR)
    code, out, err = trainlens("diagnose", broken)
    assert code == 0
    assert "healthy" in out
    assert "1 finding suppressed: the sensor was off" in " ".join(out.split())
    assert "non-finite at steps 300–399" in " ".join(out.split())
    assert err == f"Settings: {project / 'trainlens.toml'}\n"
    code, out, err = trainlens("diagnose", broken, "--no-config")
    assert (code, "suppressed" in out, err) == (1, False, "")


def test_json_has_a_key_more_only_where_something_is_suppressed(project, broken, trainlens):
    before = json.loads(trainlens("diagnose", broken, "--json")[1])
    (project / "trainlens.toml").write_text(SENSOR)
    after = json.loads(trainlens("diagnose", broken, "--json")[1])
    (was,), (now,) = before["runs"], after["runs"]
    assert not [f for f in was["results"] if "suppressed" in f]
    told = [f for f in now["results"] if "suppressed" in f]
    assert [(f["rule"], f["status"], f["suppressed"]) for f in told] == [
        ("non-finite", "fail", "the sensor was off")
    ]
    for f in told:
        del f["suppressed"]
    assert now["results"] == was["results"]
    assert (was["verdict"], now["verdict"]) == ("failing", "healthy")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_page_of_a_report_tells_what_is_suppressed(project, broken, trainlens, workers):
    (project / "trainlens.toml").write_text(
        f'{SENSOR}[[suppress]]\nrule = "outlier"\nreason = "none"\n'
    )
    code, out, err = trainlens(
        "report", broken, "-o", project / "out", "--format", "html", "--format", "md",
        "--no-plots", "--workers", workers,
    )  # fmt: skip
    assert code == 0
    assert "1 finding suppressed: the sensor was off" in out
    assert "unused suppression: [[suppress]] number 2 (outlier)" in " ".join(err.split())
    for name in ("index.html", "report.md"):
        page = (project / "out" / name).read_text()
        assert "Suppressed" in page
        assert "the sensor was off: train/loss is NaN" in page
        assert "unused suppression" in page.replace("\\", "")
    document = json.loads((project / "out" / "report.json").read_text())
    assert [n["kind"] for n in document["notices"]] == ["settings"]


def test_settings_beside_a_log_are_never_read(project, broken, trainlens):
    (broken.parent / "trainlens.toml").write_text(SENSOR)
    (broken.parent / "pyproject.toml").write_text("[tool.trainlens]\nfail-on = 'never'\n")
    for path in (broken, broken.parent):
        code, _, err = trainlens("diagnose", path)
        assert (code, err) == (1, "")
    code, out, err = trainlens("diagnose", broken, "--config", broken.parent / "trainlens.toml")
    assert (code, "suppressed" in out, err) == (0, True, "")


def test_expired_and_unused_are_told_after_the_verdict(project, broken, trainlens):
    (project / "trainlens.toml").write_text(
        f'{SENSOR}expires = 2001-01-01\n[roles]\n"no/such" = "loss"\n'.replace(
            "[roles]", "\n[roles]"
        )
    )
    code, _, err = trainlens("diagnose", broken)
    told = " ".join(err.split())
    assert code == 1
    assert "(non-finite) expired on 2001-01-01: its findings count again" in told
    assert "the role of 'no/such' is unused" in told


def test_fail_on_of_the_file_holds_for_both_commands(project, broken, trainlens):
    (project / "pyproject.toml").write_text('[tool.trainlens]\nfail-on = "never"\n')
    assert trainlens("diagnose", broken)[0] == 0
    assert trainlens("diagnose", broken, "--fail-on", "error")[0] == 1
    (project / "pyproject.toml").write_text('[tool.trainlens]\nfail-on = "error"\n')
    assert trainlens("report", broken, "-o", project / "out", "--no-plots")[0] == 1


def test_a_role_on_the_command_line(project, tmp_path, trainlens):
    log = tmp_path / "a.jsonl"
    log.write_text("".join(f'{{"step": {i}, "thing": {3 / (1 + i) ** 0.3}}}\n' for i in range(400)))
    assert trainlens("diagnose", log)[0] == 2
    code, out, _ = trainlens("diagnose", log, "--role", "thing=loss:min:nats")
    assert (code, "Healthy so far" in out) == (0, True)
    code, out, err = trainlens("diagnose", log, "--role", "thing")
    assert (code, out) == (2, "")
    assert "--role thing: it has no name; write NAME=ROLE" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "no.toml"], ["no.toml", "cannot be read"]),
        (["--config", "a", "--no-config"], ["exclude each other"]),
        (["--role", "x=metrik"], ["--role x=metrik", "'metric'?"]),
        (["--select", "los-spike"], ["unknown rule 'los-spike'", "did you mean 'loss-spike'?"]),
        (["--set", "loss-spike.most=many"], ["most: expected a whole number above 0", "'many'"]),
        (["--set", "loss-spike.most=0"], ["most: expected a whole number above 0", "not 0"]),
    ],
)
def test_a_wrong_option_is_one_line(project, broken, trainlens, arguments, words):
    code, out, err = trainlens("diagnose", broken, *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert all(word in err for word in words), err


def test_a_wrong_file_is_one_line(project, broken, trainlens):
    (project / "trainlens.toml").write_text("[rules.loss-spike]\nmost = true\n")
    code, out, err = trainlens("diagnose", broken)
    assert (code, out) == (2, "")
    assert err.splitlines()[1:] == [
        f"trainlens: {project / 'trainlens.toml'}: rules.loss-spike.most: "
        "expected a whole number above 0 such as 5, not True"
    ]
