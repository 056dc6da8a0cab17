"""Tensors of a device through the logger: no host sync in `log`, order kept, every value once.

A device is played by the CPU: tensors are treated as if they could not be read at once.
"""

import pytest

torch = pytest.importorskip("torch")

from tests.torch.record.logs import anomalies, parsed  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.record import values  # noqa: E402
from trainlens_torch.record.logger import RunLogger  # noqa: E402


@pytest.fixture
def device(monkeypatch):
    def unread(value):
        if value.numel() != 1:
            raise ValueError("not one value")

    monkeypatch.setattr(values, "_of_tensor", unread)


def test_no_host_sync_and_every_value_once_in_order(tmp_path, device):
    total = torch.zeros(())
    with RunLogger(tmp_path) as log:
        with counted() as syncs:
            for step in range(400):
                total += 1  # the same tensor each time: its value at the call counts
                if step % 3:
                    log.log(step, {"total": total, "float": 0.5}, {"count": total.long()})
                else:
                    log.log(step, {"float": float(step)})
        assert syncs.count == 0
    records = parsed(tmp_path / "log.jsonl")[1]
    assert [record["step"] for record in records] == list(range(400))
    for step, record in enumerate(records):
        if step % 3:
            assert record["losses"] == {"total": step + 1.0, "float": 0.5}
            assert record["stats"] == {"count": step + 1.0}
        else:
            assert record["losses"] == {"float": float(step)}
    assert (log.errors, log.dropped) == (0, 0)


def test_flush_waits_for_the_device(tmp_path, device):
    with RunLogger(tmp_path) as log:
        log.log(1, {"a": torch.tensor(2.0)})
        assert log.flush()
        assert parsed(tmp_path / "log.jsonl")[1][0]["losses"] == {"a": 2.0}


def test_sync_mode_waits_in_the_call(tmp_path, device):
    with RunLogger(tmp_path, sync=True) as log:
        log.log(1, {"a": torch.tensor(2.0)}, {"b": torch.tensor(3)})
        (record,) = parsed(tmp_path / "log.jsonl")[1]
    assert (record["losses"], record["stats"]) == ({"a": 2.0}, {"b": 3.0})


def test_a_ring_that_is_full_costs_the_value_and_not_the_record(tmp_path, device, monkeypatch):
    from trainlens_torch.record.ring import DeviceRing

    monkeypatch.setattr(DeviceRing, "put", lambda *arguments: False)
    with RunLogger(tmp_path) as log:
        log.log(1, {"a": torch.tensor(2.0), "b": 1.0})
    (record,) = parsed(tmp_path / "log.jsonl")[1]
    assert record["losses"] == {"b": 1.0}
    assert log.errors == 1
    assert len(anomalies(tmp_path / "log.jsonl", "value_left_out")) == 1


def test_a_device_that_fails_costs_the_values_and_not_the_record(tmp_path, device, monkeypatch):
    from trainlens_torch.record.ring import DeviceRing

    def fails(ring, *arguments):
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(DeviceRing, "ready", fails)
    monkeypatch.setattr(DeviceRing, "drain", fails)
    with RunLogger(tmp_path) as log:
        log.log(1, {"a": torch.tensor(2.0), "b": 1.0})
        log.log(2, {"b": 1.0})
    records = parsed(tmp_path / "log.jsonl")[1]
    assert [record["losses"] for record in records] == [{"b": 1.0}, {"b": 1.0}]
    assert log.errors >= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_is_never_waited_for(tmp_path):
    loss = torch.zeros((), device="cuda")
    with RunLogger(tmp_path) as log:
        log.log(0, {"loss": loss})
        log.flush()
        torch.cuda.set_sync_debug_mode("error")
        try:
            for step in range(1, 500):
                loss += 1
                log.log(step, {"loss": loss})
        finally:
            torch.cuda.set_sync_debug_mode("default")
    records = parsed(tmp_path / "log.jsonl")[1]
    assert [record["losses"]["loss"] for record in records] == [float(n) for n in range(500)]
    assert log.errors == 0
