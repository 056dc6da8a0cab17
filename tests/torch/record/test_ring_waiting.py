"""What a ring waits for, and what a stall costs: devices, hosts that do not look, other threads."""

import threading

import pytest

torch = pytest.importorskip("torch")

from tests.torch.record.rings import Late, losses, made  # noqa: E402 - after the skip
from trainlens_torch.record.ring import DeviceRing  # noqa: E402


def test_a_device_that_stalls_costs_new_rows_and_never_old_ones():
    late = Late()
    ring, _ = made(late, every=2, pages=3)
    taken = [ring.put(step, losses(step), 0.0) for step in range(10)]
    assert taken == [True] * 6 + [False] * 4
    assert (ring.dropped, len(ring), ring.ready()) == (4, 6, [])
    late.go_on(1)
    assert [row.values["loss0"] for row in ring.ready()] == [0.0, 1.0]
    assert ring.put(10, losses(10), 0.0)
    late.go_on(9)
    late.done = True
    assert [row.step for row in ring.drain()] == [2, 3, 4, 5, 10]
    assert ring.dropped == 4


def test_a_host_that_does_not_look_costs_no_row_up_to_its_bound():
    ring, _ = made(every=2, pages=2, backlog=100)
    taken = [ring.put(step, losses(step), 0.0) for step in range(200)]
    kept = taken.index(False)
    assert 100 <= kept <= 104
    assert not any(taken[kept:])
    assert ring.dropped == 200 - kept
    rows = [*ring.ready(), *ring.drain()]
    assert [(row.step, row.values["loss0"]) for row in rows] == [(k, float(k)) for k in range(kept)]
    assert ring.put(200, losses(200), 0.0)


def test_a_row_does_not_wait_for_others_longer_than_its_age():
    ring, clock = made(every=100, max_age=0.2)
    ring.put(1, losses(1), 0.0)
    clock.now += 0.19
    assert ring.ready() == []
    clock.now += 0.02
    assert [row.step for row in ring.ready()] == [1]
    clock.now += 50.0
    ring.put(2, losses(2), 0.0)
    assert ring.ready() == []


def test_an_age_is_seen_by_the_next_put_as_well():
    late = Late()
    ring, clock = made(late, every=100, max_age=0.2)
    ring.put(1, losses(1), 0.0)
    clock.now += 0.3
    ring.put(2, losses(2), 0.0)
    assert [used for _, used in late.sent] == [2]


def test_nothing_touches_the_device_while_this_thread_captures():
    late = Late(done=True)
    ring, _ = made(late, every=2)
    ring.put(0, losses(0), 0.0)
    late.capturing = True
    with pytest.raises(RuntimeError, match="log them after its replay"):
        ring.put(1, losses(1), 0.0)
    late.threads.clear()
    assert (ring.ready(), late.threads, len(ring)) == ([], set(), 1)
    late.capturing = False
    ring.put(2, losses(2), 0.0)
    assert [row.step for row in ring.ready()] == [0, 2]


def test_a_transport_of_one_thread_is_asked_by_the_one_that_puts():
    late = Late(done=True)
    late.anywhere = False
    ring, clock = made(late, every=2, max_age=0.2)
    found = []

    def elsewhere():
        thread = threading.Thread(target=lambda: found.extend(ring.ready()))
        thread.start()
        thread.join(10)

    ring.put(0, losses(0), 0.0)
    clock.now += 9.0
    elsewhere()
    assert found == []
    ring.put(1, losses(1), 0.0)
    elsewhere()
    assert [row.step for row in found] == [0, 1]
    assert late.threads == {threading.get_ident()}


def test_a_device_that_hangs_is_waited_for_no_longer_than_told():
    late = Late()
    ring, clock = made(late, every=2)
    for step in range(5):
        ring.put(step, losses(step), 0.0)
    late.go_on(1)
    start = clock.now
    assert [row.step for row in ring.drain(timeout=3.0)] == [0, 1]
    assert clock.now - start == pytest.approx(3.0, abs=0.01)
    late.go_on(9)
    assert [row.step for row in ring.drain()] == [2, 3, 4]
    assert (ring.drain(), len(ring), ring.dropped) == ([], 0, 0)


def test_a_forked_child_forgets_what_its_parent_will_write():
    late = Late()
    ring, _ = made(late, every=2)
    for step in range(3):
        ring.put(step, losses(step), 0.0)
    ring._lock.acquire()
    ring.forget()
    asked = set(late.threads)
    assert (len(ring), ring.ready(), late.threads) == (0, [], asked)
    ring.put(7, losses(7), 0.0)
    ring.drain(timeout=0.0)
    late.go_on(9)
    assert [row.step for row in ring.drain()] == [7]


def test_one_thread_puts_while_another_takes():
    ring = DeviceRing("cpu", every=8, max_age=0.001, backlog=10_000_000)
    found, done = [], threading.Event()

    def take():
        while not done.wait(0.0005):
            found.extend(ring.ready())

    taker = threading.Thread(target=take)
    taker.start()
    taken = [step for step in range(3000) if ring.put(step, losses(step, 2), float(step))]
    done.set()
    taker.join(10)
    found += ring.drain()
    assert [(row.step, row.time, row.values["loss1"]) for row in found] == [
        (step, float(step), step + 1.0) for step in taken
    ]
    assert ring.dropped == 3000 - len(taken) == 0
