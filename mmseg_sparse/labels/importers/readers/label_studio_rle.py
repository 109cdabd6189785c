"""Run lengths of Label Studio's brush, an RGBA image packed into bits."""

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, members, shown

_CHANNELS = 4


def decode_brush(
    rle: object, height: int, width: int, source: object, entry: str = ''
) -> NDArray[np.bool_]:
    """Decode ``"format": "rle"`` of Label Studio to the painted pixels.

    The code is a list of bytes, read as bits, most significant first: 32 bits
    give the number of values, 5 the bits a value takes less 1, and four times
    4 bits the lengths of a run's own length less 1. Then come runs: a bit
    that says whether one value is repeated, 2 bits that choose one of the
    four lengths, the run's length less 1, and the value, or the run's values
    one by one. The values are those of the RGBA image, along its rows; what
    has any alpha was painted.

    Args:
        rle: The code.
        height: Height of the image.
        width: Width of the image, both already checked.
        source: File, for messages.
        entry: Where in it the code stands, for messages.

    Returns:
        Bool ``(height, width)``.

    Raises:
        FormatError: If it is no list of bytes, is cut short, or does not give
            the values of an image of this size.
    """
    bits = _Bits(_bytes(rle, source, entry), source, entry)
    total = bits.read(32)
    if total != height * width * _CHANNELS:
        raise FormatError(
            source, entry,
            f'expected the {_CHANNELS} x {width} x {height} values of an '
            f'RGBA image, got {total}',
        )  # fmt: skip
    value_bits = bits.read(5) + 1
    length_bits = [bits.read(4) + 1 for _ in range(4)]
    painted = np.zeros(height * width, np.bool_)
    position = 0
    while position < total:
        repeated = bits.read(1)
        stop = position + 1 + bits.read(length_bits[bits.read(2)])
        if stop > total:
            raise FormatError(
                source, entry,
                f'a run ends at value {stop} of {total}',
            )  # fmt: skip
        # Pixel k has its alpha at 4 k + 3.
        pixels = slice(position // _CHANNELS, stop // _CHANNELS)
        if repeated:
            painted[pixels] = bits.read(value_bits) > 0
        else:
            values = bits.read_nonzero(stop - position, value_bits)
            first = (_CHANNELS - 1 - position) % _CHANNELS
            painted[pixels] = values[first::_CHANNELS]
        position = stop
    return painted.reshape(height, width)


def _bytes(rle: object, source: object, entry: str) -> bytes:
    if not isinstance(rle, list):
        raise FormatError(
            source, entry, f'expected a list of bytes, got {shown(rle)}'
        )
    try:
        return bytes(rle)
    except (TypeError, ValueError, OverflowError):
        pass
    for where, value in members(rle, source, entry):
        if type(value) is not int or not 0 <= value <= 255:
            raise FormatError(
                source,
                where,
                f'expected 0 to 255, got {shown(value)}',
            )
    raise AssertionError('bytes() refused a list of bytes')


class _Bits:
    """Bits of a code, read from the front."""

    def __init__(self, data: bytes, source: object, entry: str) -> None:
        self._data = data
        self._position = 0
        self._source = source
        self._entry = entry

    def read(self, count: int) -> int:
        """Return the next bits as a number."""
        start, stop = self._advance(count)
        chunk = self._data[start // 8 : (stop + 7) // 8]
        return (int.from_bytes(chunk, 'big') >> (-stop % 8)) & (
            (1 << count) - 1
        )

    def read_nonzero(self, count: int, width: int) -> NDArray[np.bool_]:
        """Return which of the next ``count`` numbers of a width are not 0."""
        start, stop = self._advance(count * width)
        chunk = np.frombuffer(self._data[start // 8 : (stop + 7) // 8], 'u1')
        bits = np.unpackbits(chunk)[start % 8 :][: count * width]
        return bits.reshape(count, width).max(1) > 0

    def _advance(self, count: int) -> tuple[int, int]:
        start = self._position
        self._position += count
        if self._position > 8 * len(self._data):
            raise FormatError(
                self._source, self._entry,
                f'cut short: {len(self._data)} bytes, more were announced',
            )  # fmt: skip
        return start, self._position
