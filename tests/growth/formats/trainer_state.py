"""trainer_state.json: one that is saved again and again, and one a checkpoint."""

from __future__ import annotations

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op
from tests.readers.trainer_state_writer import Entry, state

FORMAT = "trainer-state"


class _State(Counted):
    def __init__(self, run: int, number: int) -> None:
        super().__init__(run, number)
        self.entries: list[Entry] = []

    def begin(self) -> list[Op]:
        return []

    def record(self, step: int) -> list[Op]:
        loss, val = self.next(2)
        entry = {"epoch": step / 10, "loss": round(loss, 4), "step": 10 * step}
        if self.count % 4 == 3:
            entry = {"epoch": step / 10, "eval_loss": val, "step": 10 * step}
        self.entries.append(entry)
        return [Op(self.name(step), state(self.entries, max_steps=500 + self.run), 0)]

    def name(self, step: int) -> str:
        """Where the state is saved."""
        return "trainer_state.json"


class _Checkpoints(_State):
    def name(self, step: int) -> str:
        return f"checkpoint-{10 * step}/trainer_state.json"


KINDS = {
    "state": Kind(_State, documents=True, many=40),
    "checkpoints": Kind(_Checkpoints, documents=True, many=9, without=frozenset({"truncate"})),
}
