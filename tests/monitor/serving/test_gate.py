"""Who may ask: every route, every method, everything that can be wrong with who asks."""

import pytest

from tests.monitor.serving.asking import TOKEN, ask, head
from trainlens.monitor.serving import Server
from trainlens.monitor.serving.gate import Gate, names
from trainlens.monitor.serving.request import Request, parse

ROUTES = ("/", "/page", "/events", "/nothing")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
           "PROPFIND", "get", "%$!")  # fmt: skip
HOSTS = ("evil.example", "evil.example:80", "localhost.evil.example:80", "127.0.0.1.evil.example:1",
         "evil.example@127.0.0.1:80", "127.0.0.1:80@evil.example", "0.0.0.0:80", "127.0.0.2:80",
         "127.1:80", "2130706433:80", "[::]:80", "localhost", "localhost:", "localhost:80:80",
         "localhost:123456", "localhost.:80", "", " ", None,
         "127.0.0.1:80, evil.example:80")  # fmt: skip
ORIGINS = ("http://evil.example", "null", "", "https://127.0.0.1:80", "http://127.0.0.1:81",
           "http://localhost:80", "http://127.0.0.1:80.evil.example", "file://")  # fmt: skip
TOKENS = ("", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), None, f"{TOKEN}&token=wrong",
          "%00", "%ff%fe", "\xe9")  # fmt: skip
SITES = ("cross-site", "same-site", "", "none, cross-site", "else")
COOKIE = Gate((), TOKEN).cookie
COOKIES = (f"{COOKIE}=wrong", f"{COOKIE}=", COOKIE, f"token={TOKEN}", f"{COOKIE}x={TOKEN}")
WRONG = [
    *[{"host": h} for h in HOSTS],
    *[{"Origin": o} for o in ORIGINS],
    *[{"token": t} for t in TOKENS],
    *[{"token": None, "Cookie": c} for c in COOKIES],
    # One that is right does not make up for one that is wrong.
    {"Cookie": f"{COOKIE}=wrong"},
    {"token": "wrong", "Cookie": f"{COOKIE}={TOKEN}"},
    *[{"Sec_Fetch_Site": s} for s in SITES],
    {"Content_Length": "5"},
    {"Content_Length": "x"},
    {"Transfer_Encoding": "chunked"},
]


@pytest.fixture(scope="module")
def server():
    with Server(token=TOKEN) as held:
        held.publish("<p>private", 1)
        yield held


def named(wrong):
    return " ".join(f"{k}={v!a}"[:40] for k, v in wrong.items())


@pytest.mark.parametrize("wrong", WRONG, ids=named)
@pytest.mark.parametrize("route", ROUTES)
def test_all_that_is_wrong_is_refused_alike(server, route, wrong):
    for method in METHODS:
        status, headers, body = ask(server, head(method, route, **wrong))
        assert (status, body) == (403, b""), method
        assert "set-cookie" not in headers
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", METHODS[1:])
def test_nothing_but_get_is_answered(server, method, route):
    for cookie in (None, f"{COOKIE}={TOKEN}"):
        assert ask(server, head(method, route, Cookie=cookie))[::2] == (403, b"")
        body = ask(server, head(method, route, Cookie=cookie, Content_Length=3), b"abc")
        assert body[::2] == (403, b"")


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:8123", "[::1]:1", "LOCALHOST:65535"])
@pytest.mark.parametrize("way", [{}, {"token": None, "Cookie": f"a=b; {COOKIE}={TOKEN}"}])
@pytest.mark.parametrize("site", [None, "none", "same-origin"])
def test_who_may_ask_is_answered(server, host, way, site):
    own = {"host": host, "Sec_Fetch_Site": site, "Origin": f"http://{host.lower()}", **way}
    assert ask(server, head(route="/page", **own))[::2] == (200, b"<p>private")
    assert ask(server, head(route="/", **own))[::2] == (200, b"<p>private")
    for route in ("/nothing", "//", "/page/", "/Page", "/%2e%2e/etc/passwd", "/../page"):
        assert ask(server, head(route=route, **own))[::2] == (404, b"")


GOOD = head().decode("latin-1")


@pytest.mark.parametrize("text", [
    "\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", GOOD.replace("HTTP/1.1", "HTTP/2.0"),
    GOOD.replace("HTTP/1.1", "HTTP/1.1 x"), GOOD.replace("GET /", "GET  /"),
    GOOD.replace("GET /", "GET http://127.0.0.1:80/"), GOOD.replace("GET /", "GET *"),
    GOOD.replace("Host", "Host "), GOOD.replace("Host:", " Host:"),
    GOOD.replace("Host", "H\x00st"), GOOD.replace("\r\n\r\n", "\r\nHost: 127.0.0.1:80\r\n\r\n"),
    GOOD.replace("\r\n\r\n", "\r\nA: b\r\n folded\r\n\r\n"), GOOD.replace("127", "1\r27"),
    GOOD.replace("\r\n\r\n", "\r\nA: \x00\r\n\r\n"), GOOD.replace("\r\n\r\n", "\r\nA\r\n\r\n"),
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", GOOD.replace("/?", "/\x7f?"),
    GOOD.replace("\r\n\r\n", "\r\nOrigin: http://127.0.0.1:80\r\nOrigin: http://x\r\n\r\n"),
])  # fmt: skip
def test_what_is_no_request_is_refused(server, text):
    assert ask(server, text.encode("latin-1"))[::2] == (403, b"")


def test_the_page_is_told_once_and_only_to_this_site(server):
    status, headers, _ = ask(server, head())
    assert status == 200
    assert headers["set-cookie"] == f"{COOKIE}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "server" not in headers
    assert ask(server, head("POST"))[1]["x-content-type-options"] == "nosniff"


def test_a_page_that_is_known_is_not_sent_again(server):
    tag = ask(server, head(route="/page"))[1]["etag"]
    status, headers, body = ask(server, head(route="/page", If_None_Match=f'"x", {tag}'))
    assert (status, body, headers["etag"]) == (304, b"", tag)
    assert ask(server, head(route="/page", If_None_Match='"else"'))[::2] == (200, b"<p>private")


def test_other_addresses_have_names_of_their_own():
    assert names("192.0.2.7", ["Box.lan"]) == {"192.0.2.7", "box.lan"}
    assert names("2001:db8::1") == {"[2001:db8::1]"}
    for own in ("127.0.0.1", "localhost", "::1", "127.0.0.9"):
        assert names(own) == {"127.0.0.1", "localhost", "[::1]"}
    assert names("0.0.0.0", ["box"]) == {"127.0.0.1", "localhost", "[::1]", "box"}
    gate = Gate(names("192.0.2.7"), TOKEN)
    asked = parse(head(host="192.0.2.7:8000")[:-4])
    assert gate.opens(asked)
    assert not gate.opens(parse(head(host="localhost:8000")[:-4]))


@pytest.mark.parametrize("token", ["", "a b", "a;b", "é", "a\n"])
def test_a_token_stands_in_an_address_and_a_cookie(token):
    with pytest.raises(ValueError, match="token"):
        Gate((), token)


def test_a_head_is_taken_apart():
    assert parse(b"GET /a?b=c?d HTTP/1.0\r\nX: 1 \r\nx:\t2") == Request(
        "GET", "/a", "b=c?d", {"x": ("1", "2")}
    )
    long = b"GET / HTTP/1.1\r\nA:" + b" " * 8000 + b"\x01"
    assert parse(long) is None
