"""``--webhook``, against a server on this machine."""

import base64
import email.utils
import json
import socket
import threading

import pytest
from hostile import PAYLOADS
from reaction_server import SECRET, Server
from reaction_updates import change, standing

from trainlens.errors import UsageError
from trainlens.monitor.model import CLOSED, MILDER
from trainlens.monitor.reactions import chat
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import document, told
from trainlens.monitor.reactions.webhook import Webhook


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


def message(*told_of, held=0):
    return Message(tuple(told_of) or (told(change(), standing()),), held)


def post(url, what=None, form="auto", timeout=20.0, now=1e9):
    """What went wrong, and the seconds that were waited."""
    waited = []
    hook = Webhook(url, form, timeout=timeout, sleep=waited.append, now=lambda: now)
    said = hook.send(what or message())
    assert "sEcReT" not in said
    assert "hidden" not in said
    assert "\n" not in said
    return said, waited


def test_the_json_form(server):
    a, b = told(change(number=1), standing()), told(change(CLOSED, 2, "warning"), standing())
    assert post(server.url, message(a, b, held=7)) == ("", [])
    ((path, headers, body),) = server.asked
    assert path == f"/{SECRET}?key=hidden"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "schema": "trainlens.findings/1",
        "text": "1 error, 1 over",
        "findings": [document(a), document(b)],
        "held_back": 7,
    }


def test_the_form_of_slack(server):
    advised = change(prescriptions=({"text": "Lower the learning rate."},))
    assert post(server.url, message(told(advised, None), held=2), form="slack") == ("", [])
    told_of = json.loads(server.asked[0][2])
    head = "Error: Divergence at step 12\u202f000"
    assert told_of["text"] == (
        f"*trainlens: 1 error*\n• {head} (run gpt)\n2 more findings were held back"
    )
    texts = [b["text"]["text"] for b in told_of["blocks"] if b["type"] == "section"]
    assert texts == [
        "*trainlens: 1 error*",
        f"*{head}*, run gpt\nThe loss rose from 1.2 to 4.5.\n"
        "_What to do:_ Lower the learning rate.",
    ]
    assert told_of["blocks"][-1]["elements"][0]["text"] == "2 more findings were held back"


@pytest.mark.parametrize(
    ("url", "form", "slack"),
    [
        ("https://hooks.slack.com/services/x", "auto", True),
        ("https://HOOKS.slack.com/services/x", "auto", True),
        ("https://discord.com/api/webhooks/1/x/slack", "auto", True),
        ("https://hooks.slack.com.example.org/x", "auto", False),
        ("https://example.org/x", "auto", False),
        ("https://example.org/x", "slack", True),
        ("https://hooks.slack.com/services/x", "json", False),
    ],
)
def test_the_form_follows_the_host(url, form, slack):
    assert Webhook(url, form)._slack is slack


def test_user_and_password_are_sent_and_not_shown(server):
    server.answers = [(404, {})]
    url = server.url.replace("://", "://me:sEcReT%21@")
    said, _ = post(url)
    sent = server.asked[0][1]["Authorization"]
    assert base64.b64decode(sent.split()[1]) == b"me:sEcReT!"
    assert said == "127.0.0.1 answered 404 Not Found; 1 finding not passed on"


def test_a_host_that_fails_is_asked_again(server):
    server.answers = [(500, {}), (503, {}), (200, {})]
    assert post(server.url) == ("", [1.0, 2.0])
    assert len({body for _, _, body in server.asked}) == 1


def test_a_host_that_goes_on_failing_is_given_up(server):
    server.answers = [(502, {})] * 9
    said, waited = post(server.url, message(told(change(), None), told(change(number=2), None)))
    assert said == "127.0.0.1 answered 502 Bad Gateway; 2 findings not passed on"
    assert waited == [1.0, 2.0, 4.0]
    assert len(server.asked) == 4


def test_a_host_that_asks_for_patience_gets_it(server):
    moment = email.utils.formatdate(1e9 + 90, usegmt=True)
    server.answers = [(429, {"Retry-After": "7"}), (429, {"Retry-After": moment}),
                      (429, {"Retry-After": "soon\u00e9"})]  # fmt: skip
    assert post(server.url) == ("", [7.0, 90.0, 4.0])


def test_a_host_that_asks_for_too_much_patience_is_given_up(server):
    server.answers = [(429, {"Retry-After": "7200"})]
    said, waited = post(server.url)
    assert waited == []
    assert said == (
        "127.0.0.1 answered 429 Too Many Requests and asked to wait for 2 h; "
        "1 finding not passed on"
    )


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server, code):
    other = Server()
    try:
        server.answers = [(code, {"Location": f"http://localhost:{other.port}/sEcReT"})]
        said, waited = post(server.url)
    finally:
        other.close()
    assert "redirects to another address" in said
    assert (len(server.asked), other.asked, waited) == (1, [], [])


def test_a_host_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        said, waited = post(f"http://127.0.0.1:{mute.getsockname()[1]}/{SECRET}", timeout=0.1)
    assert said == "127.0.0.1 did not answer within 0.1 s; 1 finding not passed on"
    assert waited == [1.0, 2.0, 4.0]


def test_a_host_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    said, waited = post(f"http://127.0.0.1:{port}/{SECRET}")
    assert said == "127.0.0.1 cannot be reached: Connection refused; 1 finding not passed on"
    assert len(waited) == 3


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 99999 \x1b[31m\r\n\r\n"])
def test_a_host_that_speaks_no_http(answer):
    with socket.create_server(("127.0.0.1", 0)) as strange:

        def serve():
            for _ in range(4):
                held, _ = strange.accept()
                with held:
                    held.recv(1 << 16)
                    held.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        said, _ = post(f"http://127.0.0.1:{strange.getsockname()[1]}/{SECRET}", timeout=20)
        thread.join(20)
    assert said.isprintable()
    assert said.startswith("127.0.0.1 ")


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/x", "file:///etc/passwd", "example.org/x", "https://", "https:///x",
     "https://[::1/x", "https://host:port/x", "https://host/a b", "https://host/\u00e9",
     "https://host/x\r\nX: y", "javascript:hit()"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError, match=r"^--webhook") as caught:
        Webhook(url)
    assert "\n" not in str(caught.value)


def test_http_is_noted_but_on_this_machine():
    assert "prefer https" in Webhook("http://example.org/sEcReT").insecure
    assert "sEcReT" not in Webhook("http://example.org/sEcReT").insecure
    assert Webhook("https://example.org/x").insecure == ""
    assert Webhook("http://[::1]:8000/x").insecure == ""


# --- hostile logs -----------------------------------------------------------------------------

MENTIONS = ("<!channel>", "<!here|x>", "<@U123>", "@channel @everyone @here", "<http://x|y>",
            "[click](http://canary.invalid)", "![i](http://canary.invalid/i.png)", "```\n@all",
            "&lt;!channel&gt;", "\u202e@all")  # fmt: skip


@pytest.mark.parametrize("text", [*MENTIONS, *PAYLOADS[::7]])
def test_text_of_a_log_mentions_nobody_and_links_nowhere(text):
    hostile = change(run=text, message=text, metric=text, prescriptions=({"text": text},))
    body = chat.body(message(told(hostile, None), told(change(MILDER, 2, run=text), None)))
    texts = [body["text"], *(b["text"]["text"] for b in body["blocks"])]
    for shown in texts:
        assert not set(shown) & set("<>@`\u202e\x00")
        assert "](" not in shown
        assert "://" not in shown


def test_a_chat_message_keeps_to_its_limits():
    many = [told(change(number=n, run="r&" * 500, message="m&" * 5000), None) for n in range(20)]
    body = chat.body(message(*many, held=5))
    assert len(body["text"]) < 2000
    assert "more findings\n5 more findings were held back" in body["text"]
    assert len(body["blocks"]) <= 50
    assert all(len(b["text"]["text"]) <= 3000 for b in body["blocks"] if b["type"] == "section")
