"""What clients do to a server that means well: late, slow, many, never reading, half gone."""

import contextlib
import socket
import threading

import pytest

from tests.monitor.serving.asking import TOKEN, ask, connect, following, head, rest, until
from trainlens.errors import UsageError
from trainlens.monitor.serving import Limits, Server
from trainlens.monitor.serving import server as module


@pytest.fixture
def serve():
    """A function that starts a server with some limits."""
    held = []

    def start(page="<p>one", **limits):
        server = Server(token=TOKEN, limits=Limits(**limits))
        server.start()
        held.append(server)
        if page:
            server.publish(page, 1)
        return server

    yield start
    for server in held:
        server.close()


def test_before_the_first_page_it_says_so_and_comes_back(serve):
    server = serve(page="")
    status, headers, body = ask(server, head())
    assert (status, headers["refresh"]) == (503, "1")
    assert b"being made" in body
    held, came = following(server)
    assert b"data" not in came
    server.publish("<p>here", 7)
    assert until(held, b"data: 7\n\n").endswith(b"id: 7\ndata: 7\n\n")
    assert ask(server, head())[::2] == (200, b"<p>here")
    held.close()


def test_news_come_once_and_in_order_and_signs_of_life_between(serve):
    server = serve(beat=0.05)
    held, came = following(server)
    assert b"text/event-stream" in came
    came += until(held, b"event: beat\ndata:\n\n")
    for version in (2, 3):
        server.publish("<p>more", version)
        came += until(held, b"data: %d\n\n" % version)
    came += until(held, b"event: beat")
    assert [line for line in came.split(b"\n") if line.startswith(b"id: ")] == [
        b"id: 1", b"id: 2", b"id: 3"]  # fmt: skip
    held.close()


@pytest.mark.parametrize(
    ("last", "told"),
    [("1", False), ("0", True), ("x", True), pytest.param("9" * 99, True, id="9s")],
)
def test_who_comes_back_hears_of_what_they_missed(serve, last, told):
    server = serve(beat=0.05)
    held, came = following(server, Last_Event_ID=last)
    came += until(held, b"event: beat")
    assert (b"id: 1" in came) == told
    held.close()


def test_a_page_of_megabytes_arrives_whole(serve):
    text = "<p>" + "0123456789é" * 400_000
    server = serve(page=text)
    with connect(server) as held:
        held.sendall(head())
        assert rest(held).partition(b"\r\n\r\n")[2] == text.encode()


def test_a_head_in_single_bytes_is_one(serve):
    assert ask(serve(), *[bytes([b]) for b in head()])[0] == 200


def test_who_asks_too_slowly_is_left(serve):
    server = serve(asking=0.2)
    with connect(server) as held:
        held.sendall(head()[:-4])
        assert rest(held) == b""
    with connect(server) as silent:
        assert rest(silent) == b""
    assert ask(server, head())[0] == 200


@pytest.mark.parametrize("text", [
    b"GET /" + b"a" * 100_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50_000,
    b"GET / HTTP/1.1\r\nA: " + b"b" * 1_000_000, b"\x00" * 300_000, b"\r\n" * 100_000,
])  # fmt: skip
def test_a_head_without_end_is_refused_at_its_limit(serve, text):
    with connect(serve()) as held:
        # It may be gone before all of it is sent.
        sender = threading.Thread(target=_push, args=(held, text), daemon=True)
        sender.start()
        assert rest(held).startswith(b"HTTP/1.1 403 ")
        sender.join(10)
        assert not sender.is_alive()


def _push(held, text):
    with contextlib.suppress(OSError):
        held.sendall(text)


def test_a_body_is_not_waited_for_and_costs_a_bounded_share(serve):
    server = serve(parting_bytes=1 << 16)
    body = b"x" * 50_000
    assert ask(server, head("POST", Content_Length=len(body)), body)[0] == 403
    with connect(server) as endless:
        sender = threading.Thread(
            target=lambda: _push(endless, head("POST") + b"x" * 20_000_000), daemon=True
        )
        sender.start()
        # Cut off: twenty megabytes are never taken.
        sender.join(10)
        assert not sender.is_alive()
    assert ask(server, head())[0] == 200


def test_who_takes_no_answer_is_left(serve):
    server = serve(page="x" * 30_000_000, stalled=0.2)
    with connect(server) as held:
        held.sendall(head())
        until(held, b"x")
        gone = threading.Event()
        threading.Thread(target=lambda: (_wait_for_one(server), gone.set()), daemon=True).start()
        assert gone.wait(10)
        assert len(rest(held)) < 30_000_000


def _wait_for_one(server):
    """Until nobody but a new client is there."""
    pause = threading.Event()
    while server.clients:
        pause.wait(0.02)


def test_streams_that_nobody_reads_are_bounded(serve):
    server = serve(streams=3, beat=0.02)
    held = [following(server)[0] for _ in range(3)]
    status, headers, _ = ask(server, head(route="/events"))
    assert (status, headers["retry-after"]) == (503, "10")
    # Unread news do not pile up in this process: what the system does not take is not made.
    for version in range(2, 500):
        server.publish("<p>", version)
    assert ask(server, head())[::2] == (200, b"<p>")
    held.pop().close()
    again = None
    while again is None:
        fresh = connect(server)
        fresh.sendall(head(route="/events"))
        again = fresh if b" 200 " in fresh.recv(4096).split(b"\r\n")[0] else fresh.close()
    for one in (*held, again):
        one.close()


def test_the_slow_give_way_to_those_who_ask(serve):
    server = serve(connections=4, asking=60.0)
    slow = [connect(server) for _ in range(4)]
    for one in slow:
        one.sendall(b"GET / HT")
    for _ in range(6):
        assert ask(server, head())[0] == 200
    for one in slow:
        one.close()


def test_streams_alone_fill_it_and_no_more_are_let_in(serve):
    server = serve(connections=2, streams=8)
    held = [following(server)[0] for _ in range(2)]
    with connect(server) as third:
        assert rest(third) == b""
    held[0].close()
    while ask_or_nothing(server) != 200:
        pass
    held[1].close()


def ask_or_nothing(server):
    with connect(server) as one:
        try:
            one.sendall(head())
            answer = rest(one)
        except OSError:
            return None
    return int(answer.split()[1]) if answer else None


def test_a_half_closed_client_gets_its_answer_and_its_stream_ends(serve):
    server = serve()
    with connect(server) as held:
        held.sendall(head())
        held.shutdown(socket.SHUT_WR)
        assert rest(held).endswith(b"<p>one")
    stream, _ = following(server)
    stream.shutdown(socket.SHUT_WR)
    assert b"event" not in rest(stream)
    stream.close()
    with connect(server) as held:
        held.sendall(head()[:30])
        held.shutdown(socket.SHUT_WR)
        assert rest(held) == b""


def test_an_address_in_use_is_one_clear_line(serve):
    server = serve()
    port = int(server.url.split(":")[2].split("/")[0])
    # An address that is in use, of nobody here, of nobody at all, and none.
    for wrong, reason in [
        ({"port": port}, f"127.0.0.1:{port}: no page can be served there: .* in use"),
        ({"host": "192.0.2.1"}, "192.0.2.1:0: "),
        ({"host": "no.such.name.invalid"}, "no.such.name.invalid:0: "),
        ({"port": 70_000}, "0-65535"),
    ]:
        with pytest.raises(UsageError, match=reason) as told:
            Server(token=TOKEN, **wrong).start()
        assert str(told.value).count("\n") == 0
        assert "; choose another port" in str(told.value)


def test_without_descriptors_it_waits_and_goes_on(serve, monkeypatch):
    class Short(socket.socket):
        refused = 3

        def accept(self):
            if Short.refused:
                Short.refused -= 1
                raise OSError(24, "Too many open files")
            return super().accept()

    def listening(host, port):
        made = Short()
        made.bind((host, port))
        made.listen(4)
        made.setblocking(False)
        return made

    monkeypatch.setattr(module, "_listening", listening)
    monkeypatch.setattr(module, "_PAUSE", 0.05)
    assert ask(serve(), head())[0] == 200
    assert Short.refused == 0


def test_closing_leaves_everybody_and_can_be_done_twice(serve, capfd):
    server = serve()
    stream, _ = following(server)
    port = int(server.url.split(":")[2].split("/")[0])
    server.close()
    server.close()
    rest(stream)
    stream.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    server.publish("<p>late", 9)
    # The port is free again at once, and nothing was said on the terminal.
    with Server(token=TOKEN, port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}/?token={TOKEN}"
    assert capfd.readouterr() == ("", "")


def test_the_other_loopback():
    try:
        server = Server(token=TOKEN, host="::1")
        server.start()
    except UsageError:
        pytest.skip("this machine has no IPv6")
    assert server.url.startswith("http://[::1]:")
    server.close()
