"""A RocksDB table of which only the list of deleted ranges is broken.

AIM deletes the range of a key before each write, so that list is most of a young table; one
broken bit in it makes RocksDB refuse all the points beside it. In a private copy the list is
unhooked: what was overwritten in another table may then be seen again, all else is exact.

A table ends with a footer of 53 bytes: the kind of checksum, the place of the meta index and of
the index as variable-length numbers, padding, format version and a magic number. A block is
followed by its compression type and a masked checksum. Source: ``table/format.h`` of RocksDB 6.
"""

from __future__ import annotations

import struct

from trainlens.readers._aim.wal import masked_crc, variable_number

FOOTER = 53
MAGIC = 0x88E241B785F4CFF7
CRC32C = 1
_HOOK, _UNHOOKED = b"rocksdb.range_del", b"rocksdb.range_dex"


def without_deletions(table: bytes) -> bytes | None:
    """The table without its list of deleted ranges, None where it has none or is no table.

    Parameters
    ----------
    table : bytes
        The whole file.
    """
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        return None
    footer = table[-FOOTER:]
    start, at = variable_number(footer, 1)
    size, _ = variable_number(footer, at)
    end = start + size
    if footer[0] != CRC32C or end + 5 > len(table) - FOOTER:
        return None
    block = table[start:end]
    if _HOOK not in block or struct.unpack_from("<I", table, end + 1)[0] != masked_crc(
        table[start : end + 1]
    ):
        return None
    block = block.replace(_HOOK, _UNHOOKED) + table[end : end + 1]
    return table[:start] + block + struct.pack("<I", masked_crc(block)) + table[end + 5 :]
