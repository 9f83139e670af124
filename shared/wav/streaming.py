"""The sizes that streaming writers leave in a header."""

# Data sizes of writers that cannot seek back: 0, or the maximum of 31, 32 or 64 bits, or a value near it.
_STREAMING_SIZES = (
    *(range(1), range(0x7FFF0000, 0x80000001)),
    *(range(0xFFFF0000, 2**32), range(2**62, 2**64)),
)


def is_streaming_size(declared: int) -> bool:
    return any(declared in sizes for sizes in _STREAMING_SIZES)
