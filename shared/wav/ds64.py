"""The `ds64` chunk of RF64 and BW64, which has the sizes of chunks of 4 GiB or more.

In: the chunk's payload, complete or not. Out: the sizes in bytes by the id of the chunk. Raises nothing. Sources: EBU
Tech 3306 and ITU-R BS.2088.
"""

import struct
from collections.abc import Mapping

MAX_DS64_BYTES = 28 + 12 * 1000
_PLACEHOLDER = 0xFFFFFFFF


def read_sizes(payload: bytes, *, big_endian: bool) -> dict[bytes, int]:
    """Return the size of the data, and those in the table, of which the first for an id counts."""
    order = ">" if big_endian else "<"
    if len(payload) < 24:
        return {}
    (data_bytes,) = struct.unpack_from(order + "Q", payload, 8)
    sizes = {b"data": data_bytes}
    entries = int.from_bytes(payload[24:28], "big" if big_endian else "little")
    count = min(entries, max(0, len(payload) - 28) // 12)
    for chunk_id, size in struct.iter_unpack(order + "4sQ", payload[28 : 28 + 12 * count]):
        sizes.setdefault(chunk_id, size)
    return sizes


def choose_size(sizes: Mapping[bytes, int], chunk_id: bytes, size32: int) -> int:
    """Return the size from `ds64` if the 32-bit size is only a placeholder.

    Placeholders are 0xFFFFFFFF and, for the data, 0 and the low 32 bits of the 64-bit size.
    """
    size64 = sizes.get(chunk_id, size32)
    is_placeholder = size32 == _PLACEHOLDER or (
        chunk_id == b"data" and size32 in (0, size64 & 0xFFFFFFFF)
    )
    return size64 if is_placeholder else size32
