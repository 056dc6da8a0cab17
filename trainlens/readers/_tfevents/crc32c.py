"""CRC-32C (Castagnoli) of many ranges of a buffer at once, in numpy.

The checksum is linear over GF(2). So the states after every byte are computed once, in many lanes
side by side, and the checksum of a range follows from the states at its two ends.

Reference: M. Adler's zlib, ``crc32_combine``, for the operator that advances over zero bytes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.uint32]
Offsets = NDArray[np.int64]

POLYNOMIAL = 0x82F63B78
SEGMENT = 1 << 20
"""Bytes whose states are held at once: 4 bytes of memory for each."""
_ONES = np.uint32(0xFFFFFFFF)
_MASK_DELTA = np.uint32(0xA282EAD8)


@lru_cache(maxsize=1)
def byte_table() -> States:
    """State after one byte, by the low byte of the state: shape (256,)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * np.uint32(POLYNOMIAL)
    return table


@lru_cache(maxsize=64)
def _advance(power: int) -> States:
    """Operator "advance over 2**power zero bytes" as four byte tables: shape (4, 256)."""
    tables = np.empty((4, 256), np.uint32)
    for byte in range(4):
        state = np.arange(256, dtype=np.uint32) << np.uint32(8 * byte)
        if power == 0:
            tables[byte] = byte_table()[state & 255] ^ (state >> 8)
        else:
            half = _advance(power - 1)
            tables[byte] = _apply(half, _apply(half, state))
    return tables


def _apply(tables: States, state: States) -> States:
    low: States = tables[0][state & 255] ^ tables[1][(state >> 8) & 255]
    high: States = tables[2][(state >> 16) & 255] ^ tables[3][state >> 24]
    return low ^ high


def shift(state: States, zeros: int) -> States:
    """States after `zeros` more zero bytes.

    Parameters
    ----------
    state : ndarray of uint32, shape (n,)
    zeros : int, at least 0
    """
    for power in range(zeros.bit_length()):
        if zeros >> power & 1:
            state = _apply(_advance(power), state)
    return state


def shift_each(state: States, zeros: Offsets) -> States:
    """States after a number of zero bytes of their own.

    Parameters
    ----------
    state : ndarray of uint32, shape (n,)
    zeros : ndarray of int64, shape (n,), none negative
    """
    for power in range(int(zeros.max(initial=0)).bit_length()):
        chosen = (zeros >> power & 1).astype(bool)
        state = np.where(chosen, _apply(_advance(power), state), state)
    return state


def states_after(block: NDArray[np.uint8], start: int) -> States:
    """State before the first and after each byte of a block.

    Parameters
    ----------
    block : ndarray of uint8, shape (n,)
    start : int
        State before the block.

    Returns
    -------
    ndarray of uint32, shape (n + 1,)
    """
    n = len(block)
    lanes = min(4096, max(1, int(n**0.5)))
    length = max(4, -(-n // lanes))
    padded = np.zeros(lanes * length + 4, np.uint8)
    # Zeros in front change nothing, and a start state is the same as the first 4 bytes xor it.
    first = lanes * length - n
    padded[first : first + n] = block
    padded[first : first + 4] ^= np.frombuffer(start.to_bytes(4, "little"), np.uint8)
    rows = np.ascontiguousarray(padded[: lanes * length].reshape(lanes, length).T).astype(np.uint32)
    out = np.empty((length, lanes), np.uint32)
    _run_lanes(rows, _lane_starts(rows, length), out)
    after = out.T.reshape(-1)[first:]
    for i in range(min(3, n)):
        after[i] ^= np.uint32(start >> 8 * (i + 1))
    return np.concatenate([np.array([start], np.uint32), after])


def _lane_starts(rows: States, length: int) -> States:
    final = _run_lanes(rows, np.zeros(rows.shape[1], np.uint32), None)
    start = np.concatenate([np.zeros(1, np.uint32), final[:-1]])
    hop = 1
    while hop < len(start):  # parallel prefix: each lane takes in the lanes before it
        start[hop:] ^= shift(start[:-hop], length * hop)
        hop *= 2
    return start


def _run_lanes(rows: States, state: States, out: States | None) -> States:
    table = byte_table()
    for i, row in enumerate(rows):
        state = table[(state ^ row) & 255] ^ (state >> 8)
        if out is not None:
            out[i] = state
    return state


def masked(state: States) -> States:
    """The form in which TFRecord files store a checksum, from states that began at all ones."""
    crc = state ^ _ONES
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + _MASK_DELTA


class Checksums:
    """Masked checksums of ranges of one buffer.

    Parameters
    ----------
    data : ndarray of uint8, shape (n,)
    """

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._starts = [0]
        self._held: dict[int, States] = {}

    def _segment(self, index: int) -> States:
        while index not in self._held:
            # A state needs all bytes before it, so missing segments are walked in order.
            now = min(index, len(self._starts) - 1)
            block = self._data[now * SEGMENT : (now + 1) * SEGMENT]
            states = states_after(block, self._starts[now])
            if now + 1 == len(self._starts):
                self._starts.append(int(states[-1]))
            if len(self._held) >= 8:
                self._held.pop(next(iter(self._held)))
            self._held[now] = states
        return self._held[index]

    def _state(self, at: Offsets) -> States:
        out = np.empty(len(at), np.uint32)
        segment = at // SEGMENT
        for index in np.unique(segment).tolist():
            chosen = segment == index
            out[chosen] = self._segment(index)[at[chosen] - index * SEGMENT]
        return out

    def masked(self, begin: Offsets, end: Offsets) -> States:
        """Masked checksum of each ``data[begin:end]``.

        Parameters
        ----------
        begin, end : ndarray of int64, shape (n,), within the buffer

        Returns
        -------
        ndarray of uint32, shape (n,)
        """
        start = self._state(begin) ^ _ONES
        return masked(self._state(end) ^ shift_each(start, end - begin))
