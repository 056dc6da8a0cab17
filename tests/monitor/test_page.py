"""When the page of the monitor is made anew, what it then is, and what happens where it cannot."""

import os
import re

import pytest
import report_demo as demo

import trainlens
from tests.monitor.serving.stages import digests, overfitting, spike, update
from trainlens.monitor.page import LivePage
from trainlens.render.html import page
from trainlens.reporting import build

COMMAND = "trainlens monitor runs --html night.html"


class Shown:
    """A server that only keeps what it is given."""

    def __init__(self):
        self.held = []

    def publish(self, html, version):
        self.held.append((html, version))


class Clock:
    """Seconds that pass when told; each page costs as many as `price`."""

    def __init__(self, price=0.0):
        self.now, self.used, self.price = 100.0, 0.0, price

    def __call__(self):
        return self.now

    def cost(self):
        self.used += self.price / 2
        return self.used


def made(file=None, server=None, clock=None):
    clock = clock or Clock()
    return LivePage(file=file, server=server, title="night", command=COMMAND, clock=clock,
                    cost=clock.cost)  # fmt: skip


def test_the_file_is_what_a_report_of_the_same_would_be(tmp_path):
    held = digests(2000, found=[(0, spike(1000))])
    told = build(held, title="night", command=COMMAND, now=demo.NOW, version=trainlens.__version__)
    assert made(tmp_path / "a.html", Shown()).update(held, update()) == ()
    text = (tmp_path / "a.html").read_bytes()
    assert text == page(told).encode()
    for word in (b"EventSource", b"connect-src", b"pulse", b"data-key", b"noscript"):
        assert word not in text
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def test_what_is_served_may_ask_where_it_came_from_and_nobody_else():
    shown = Shown()
    made(server=shown).update(digests(2000), update())
    (text, version), = shown.held  # fmt: skip
    assert version == 1
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "connect-src &#39;self&#39;" in policy
    assert "unsafe" not in policy
    assert text.count("connect-src") == 1
    assert "EventSource" in text
    assert "report.json beside" not in text


def test_nothing_is_made_where_nothing_changed():
    shown, clock = Shown(), Clock()
    live = made(server=shown, clock=clock)
    held = digests(1000)
    for _ in range(5):
        live.update(held, update())
        live.update(list(held), update(), force=True)
        clock.now += 1000
    assert len(shown.held) == 1
    live.update([*held[:2], digests(1100)[2]], update())
    live.update(held[:2], update())
    assert [version for _, version in shown.held] == [1, 2, 3]


def test_a_page_waits_twenty_times_what_the_last_one_cost():
    shown, clock = Shown(), Clock(price=1.0)
    live = made(server=shown, clock=clock)
    live.update(digests(1000), update())
    spent = clock.used - 0.5
    assert spent == pytest.approx(0.5)
    later = digests(1200)
    clock.now += 20 * spent - 0.01
    live.update(later, update())
    assert len(shown.held) == 1
    # What was held back then is not lost.
    clock.now += 0.02
    live.update(later, update())
    assert len(shown.held) == 2
    live.update(digests(1300), update(), force=True)
    assert len(shown.held) == 3


def test_before_any_run_there_is_a_page(tmp_path):
    shown = Shown()
    made(tmp_path / "a.html", shown).update([], update())
    assert "<h1>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert len(shown.held) == 1


def test_a_folder_that_goes_and_comes_back(tmp_path):
    folder, clock, shown = tmp_path / "out", Clock(), Shown()
    live = made(folder / "a.html", shown, clock)
    held = digests(1000)
    (said,) = live.update(held, update())
    reason = "cannot be written: No such file or directory; trying again"
    assert said == f"{folder / 'a.html'}: {reason}"
    for step in (1100, 1200):
        clock.now += 20
        assert live.update(digests(step), update()) == ()
    assert len(shown.held) == 3
    folder.mkdir()
    # Nothing changed since, but what there is was not written yet.
    newest = digests(1300)
    clock.now += 20
    assert live.update(newest, update()) == ()
    first = (folder / "a.html").read_bytes()
    (folder / "a.html").unlink()
    folder.rmdir()
    clock.now += 20
    assert len(live.update(digests(1400), update())) == 1
    folder.mkdir()
    clock.now += 1
    assert not (folder / "a.html").exists()
    live.update(newest, update(), force=True)
    assert (folder / "a.html").read_bytes() == first


def test_what_could_not_be_written_is_tried_again_without_being_made_again(tmp_path):
    folder, clock, shown = tmp_path / "out", Clock(), Shown()
    live = made(folder / "a.html", shown, clock)
    held = digests(1000)
    assert len(live.update(held, update())) == 1
    folder.mkdir()
    clock.now += 1
    assert live.update(held, update()) == ()
    assert not (folder / "a.html").exists()
    clock.now += 10
    assert live.update(held, update()) == ()
    assert (folder / "a.html").exists()
    assert len(shown.held) == 1


def test_on_a_full_disk_the_old_page_stays_and_no_rest_is_left(tmp_path, monkeypatch):
    file, clock = tmp_path / "a.html", Clock()
    live = made(file, None, clock)
    live.update(digests(1000), update())
    old = file.read_bytes()

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    held = digests(2000, found=[(1, overfitting(1500))])
    (said,) = live.update(held, update(), force=True)
    assert said == f"{file}: cannot be written: No space left on device; trying again"
    assert file.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    monkeypatch.undo()
    clock.now += 11
    assert live.update(held, update()) == ()
    assert b"has risen since step 1500" in file.read_bytes()


def test_what_went_wrong_is_kept_until_it_is_right_again(tmp_path):
    folder, clock = tmp_path / "out", Clock()
    live = made(folder / "a.html", None, clock)
    assert live.failure is None
    held = digests(1000)
    live.update(held, update())
    assert "--html" in str(live.failure)
    folder.mkdir()
    live.update(held, update(), force=True)
    assert live.failure is None


def test_a_page_of_a_single_round_promises_no_other_one(tmp_path):
    file = tmp_path / "no" / "a.html"
    live = LivePage(file=file, server=None, title="", command=COMMAND, again=False)
    assert live.update(digests(1000), update()) == ()
    assert "cannot be written" in str(live.failure)


def test_another_reason_is_said_as_well(tmp_path):
    folder, clock = tmp_path / "out", Clock()
    live = made(folder / "a.html", None, clock)
    assert "No such file" in live.update(digests(1000), update())[0]
    folder.write_text("a file now")
    assert "Not a directory" in live.update(digests(1100), update(), force=True)[0]
    assert live.update(digests(1200), update(), force=True) == ()
