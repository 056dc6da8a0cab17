"""What is passed on, together in how many messages, and how often; time is made up."""

from hypothesis import given
from hypothesis import strategies as st
from reaction_updates import change

from trainlens.monitor.model import AGAIN, CLOSED, MILDER, OPENED, WORSE
from trainlens.monitor.reactions.limits import IN_ONE, Gate, Outbox
from trainlens.monitor.reactions.told import FOR_THE_WORSE, told
from trainlens.rules.base import Severity

ALWAYS = {"together": True, "window": 2.0, "most": 10, "period": 600.0}


def some(*changes):
    return [told(c, None) for c in changes]


def warning(number, kind=OPENED):
    return told(change(kind, number, "warning"), None)


# --- what is grave enough ---------------------------------------------------------------------


def passed(least, *changes):
    return [(c.kind, c.number) for c in Gate(Severity(least)).passed(changes)]


def test_only_what_is_grave_enough_passes():
    severities = ("info", "warning", "error")
    for k, least in enumerate(severities):
        given = [change(OPENED, n, s) for n, s in enumerate(severities)]
        assert passed(least, *given) == [(OPENED, n) for n in range(k, 3)]


def test_who_was_told_of_a_finding_is_told_of_its_end():
    told_of = [
        change(OPENED, 1, "info"),
        change(WORSE, 1, "warning", before="info"),
        change(MILDER, 1, "info", before="warning"),
        change(CLOSED, 1, "info"),
        change(CLOSED, 1, "info"),
    ]
    assert passed("warning", *told_of) == [(WORSE, 1), (MILDER, 1), (CLOSED, 1)]


def test_the_end_of_what_was_too_mild_stays_untold():
    assert passed("error", change(OPENED, 1, "warning"), change(CLOSED, 1, "warning")) == []


def test_the_end_of_a_grave_finding_of_an_earlier_watch_is_told():
    assert passed("error", change(CLOSED, 1, "error")) == [(CLOSED, 1)]
    assert passed("error", change(MILDER, 1, "warning", before="error")) == [(MILDER, 1)]


def test_findings_of_two_runs_with_one_number_are_two():
    a, b = change(OPENED, 1, "error", run="a"), change(CLOSED, 1, "warning", run="b")
    assert passed("error", a, b) == [(OPENED, 1)]


# --- together ---------------------------------------------------------------------------------


def test_changes_of_a_round_and_of_two_seconds_after_it_are_one_message():
    box = Outbox(**ALWAYS)
    box.add(some(change(number=1)), 100.0)
    assert box.due == 102.0
    box.add(some(change(number=2)), 101.9)
    assert box.take(101.99) is None
    assert {t.change.number for t in box.take(102.0).told} == {1, 2}
    assert box.due is None
    box.add(some(change(number=3)), 102.0)
    assert box.due == 104.0


def test_at_the_end_nothing_waits():
    box = Outbox(**ALWAYS)
    box.add(some(change()), 100.0)
    assert len(box.take(100.0, rest=True).told) == 1


def test_the_gravest_come_first_and_one_finding_stays_in_order():
    box = Outbox(**ALWAYS)
    box.add(some(change(OPENED, 1, "warning"), change(CLOSED, 2), change(OPENED, 3, "info")), 0)
    box.add(some(change(OPENED, 4), change(WORSE, 1, "error", before="warning")), 1)
    box.add(some(change(CLOSED, 1, "error")), 1.5)
    order = [(t.change.kind, t.change.number) for t in box.take(2).told]
    assert order == [(OPENED, 1), (OPENED, 4), (WORSE, 1), (CLOSED, 1), (OPENED, 3), (CLOSED, 2)]


def test_a_message_has_an_end():
    box = Outbox(**ALWAYS)
    box.add(some(*(change(number=n) for n in range(IN_ONE + 7))), 0)
    message = box.take(2)
    assert (len(message.told), message.held) == (IN_ONE, 7)


def test_alone_each_change_is_a_message():
    box = Outbox(**{**ALWAYS, "together": False, "window": 0.0})
    box.add(some(change(number=1, severity="warning"), change(number=2)), 0)
    assert [box.take(0).told[0].change.number for _ in range(2)] == [2, 1]
    assert box.take(0) is None


# --- how often --------------------------------------------------------------------------------


def test_what_is_too_often_is_held_back_and_counted_in_the_next_message():
    box = Outbox(together=True, window=0.0, most=3, period=600.0)
    for k in range(10):
        box.add([warning(k)], float(k))
        assert (box.take(float(k)) is not None) == (k < 3)
    assert box.held == 7
    box.add([warning(99)], 600.0)
    message = box.take(600.0)
    assert ([t.change.number for t in message.told], message.held) == ([99], 7)
    assert box.held == 0


def test_the_last_messages_are_kept_for_errors():
    box = Outbox(together=True, window=0.0, most=10, period=600.0)
    sent = []
    for k in range(12):
        box.add([warning(k)], float(k))
        sent.append(box.take(float(k)) is not None)
    assert sum(sent) == 8
    for k in range(3):
        box.add(some(change(number=100 + k)), 20.0)
        assert (box.take(20.0) is not None) == (k < 2)


KINDS = st.sampled_from([OPENED, WORSE, MILDER, CLOSED, AGAIN])
ROUNDS = st.lists(
    st.tuples(
        st.floats(0, 400),
        st.lists(st.tuples(KINDS, st.sampled_from(["info", "warning", "error"])), max_size=30),
    ),
    max_size=25,
)


@given(ROUNDS, st.booleans(), st.integers(1, 12), st.sampled_from([0.0, 2.0]), st.data())
def test_each_change_is_passed_on_or_counted_exactly_once(rounds, together, most, window, data):
    gate = Gate(Severity.WARNING)
    box = Outbox(together=together, window=window, most=most, period=600.0)
    now, number, offered, got, counted, times = 0.0, 0, [], [], 0, []

    def take(rest=False):
        nonlocal counted
        while (message := box.take(now, rest=rest)) is not None:
            assert message.told
            got.extend(t.change.number for t in message.told)
            counted += message.held
            times.append(now)

    for pause, kinds in rounds:
        now += pause
        changes = []
        for kind, severity in kinds:
            number += 1
            changes.append(change(kind, number, severity))
        through = gate.passed(changes)
        assert [c for c in changes if c.finding.severity is not Severity.INFO] == through
        offered += [c.number for c in through]
        box.add([told(c, None) for c in through], now)
        if data.draw(st.booleans()):
            take()
    take(rest=True)
    assert len(set(got)) == len(got)
    assert set(got) <= set(offered)
    assert len(got) + counted + box.held == len(offered)
    assert box.waiting == 0
    # Of any `most + 1` messages, the last comes a whole period after the first.
    assert all(b - a >= 600.0 for a, b in zip(times, times[most:], strict=False))
    assert FOR_THE_WORSE == (OPENED, WORSE, AGAIN)
