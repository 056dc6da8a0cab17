"""``--stop-on``."""

import pytest
from reaction_updates import CLOSED, OPENED, WORSE, change, finding, standing, update

from trainlens.errors import UsageError
from trainlens.monitor.reactions import Reactions, Wanted
from trainlens.monitor.reactions.stop import criteria

KNOWN = ("loss-spike", "non-finite", "divergence")


def stopping(stop_on, *updates):
    reactions = Reactions(Wanted(stop_on=stop_on), known=KNOWN, environ={})
    for one in updates:
        assert reactions.react(one) == ()
    assert reactions.close(0) == ()
    return reactions.stopping


def open_(*findings):
    return update(runs=[standing(), standing("bert", findings)])


def test_without_it_nothing_stops():
    assert stopping((), open_(finding("error")), update(change())) == ""


@pytest.mark.parametrize("severity", ["info", "warning", "error"])
@pytest.mark.parametrize("least", ["info", "warning", "error"])
def test_severities(severity, least):
    order = ("info", "warning", "error")
    stops = bool(stopping((least,), open_(finding(severity))))
    assert stops == (order.index(severity) >= order.index(least))


def test_what_is_open_at_the_first_look_stops_whoever_was_told_of_it():
    assert stopping(("error",), open_(finding("error"))) == (
        "stopped because of error 'Divergence at step 12\u202f000' of run bert (--stop-on error)"
    )


def test_what_opened_and_closed_within_a_round_stops():
    assert stopping(("error",), update(change(OPENED), change(CLOSED)))


def test_what_closed_before_the_watch_does_not_stop():
    assert stopping(("error",), update(change(CLOSED))) == ""


def test_it_stops_when_it_gets_worse():
    mild, worse = open_(finding("warning")), update(change(WORSE, before="warning"))
    assert stopping(("error",), mild) == ""
    assert stopping(("error",), mild, worse)


def test_rules_and_severities_mix():
    for given in (("loss-spike,error",), ("loss-spike", "error"), (" error , loss-spike ",)):
        assert stopping(given, open_(finding("info", "loss-spike")))
        assert stopping(given, open_(finding("error", "divergence")))
        assert not stopping(given, open_(finding("warning", "divergence")))


def test_the_reason_is_safe_to_print():
    bad = update(runs=[standing("x\x1b[2J\n\u202e", [finding()])])
    assert stopping(("error",), bad).replace("\u202f", "").isprintable()


def test_the_first_reason_stays():
    first, later = open_(finding("error")), open_(finding("error", "non-finite"))
    assert stopping(("error",), first, later) == stopping(("error",), first)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("los-spike",), "--stop-on: no severity or rule 'los-spike'; did you mean 'loss-spike'?"),
        (("eror",), "--stop-on: no severity or rule 'eror'; did you mean 'error'?"),
        (("error,",), None),
        (("",), "--stop-on needs a severity or the name of a rule"),
        ((" , ",), "--stop-on needs a severity or the name of a rule"),
    ],
)
def test_bad_values(given, said):
    if said is None:
        assert criteria("--stop-on", given, KNOWN).said == "--stop-on error"
        return
    with pytest.raises(UsageError) as caught:
        criteria("--stop-on", given, KNOWN)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"webhook_form": "xml"}, "--webhook-form 'xml' is unknown; there are: auto, json, slack"),
        ({"react_on": "errors"}, "--react-on 'errors' is unknown; did you mean 'error'?"),
        ({"hook_timeout": 0}, "--hook-timeout must be a number of seconds above 0, not 0"),
        ({"hook_timeout": float("nan")},
         "--hook-timeout must be a number of seconds above 0, not nan"),
        ({"pid": 1, "once": True}, None),
        ({"signal_on": ("error",)}, None),
        ({"most": 0}, None),
    ],
)  # fmt: skip
def test_options_that_cannot_be(options, said):
    with pytest.raises(UsageError) as caught:
        Wanted(**options)
    assert said in (None, str(caught.value))
