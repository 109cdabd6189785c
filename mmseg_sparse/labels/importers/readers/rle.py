"""Run-length codes of masks, checked so that a lie costs nothing."""

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, shown

#: A run of 2**28 pixels takes six groups of five bits; more are nonsense.
_MAX_GROUPS = 7
#: Label Studio's brush codes an RGBA image.
_CHANNELS = 4


def decode_coco_rle(
    counts: object,
    height: int,
    width: int,
    source: object,
    entry: str = '',
) -> NDArray[np.bool_]:
    """Decode COCO's run lengths, as a list or in their compressed form.

    Runs alternate between outside and inside, outside first, and go down the
    columns.

    Args:
        counts: List of run lengths, or the string (or bytes) of pycocotools:
            five bits a character, least significant first, and from the
            fourth run on the difference to the run two before.
        height: Height of the mask.
        width: Width of the mask, both already checked.
        source: File, for the message.
        entry: Where in it the mask stands, for the message.

    Returns:
        Bool ``(height, width)``.

    Raises:
        FormatError: If the code is malformed or does not give exactly
            ``height * width`` pixels.
    """
    if isinstance(counts, str):
        try:
            counts = counts.encode('ascii')
        except UnicodeEncodeError:
            raise FormatError(
                source, entry, f'not an RLE string: {shown(counts)}'
            ) from None
    if isinstance(counts, bytes):
        counts = _uncompress(counts, height * width, source, entry)
    flat = decode_runs(counts, height * width, source, entry)
    return flat.reshape(width, height).T.copy()


def decode_runs(
    counts: object, pixels: int, source: object, entry: str = ''
) -> NDArray[np.bool_]:
    """Decode alternating run lengths, outside first, to flat pixels.

    Raises:
        FormatError: If ``counts`` is not a list of whole numbers of at least
            0, or they do not add up to ``pixels``; nothing is allocated then.
    """
    if not isinstance(counts, list | tuple):
        raise FormatError(
            source, entry, f'expected run lengths, got {shown(counts)}'
        )
    total = 0
    for index, run in enumerate(counts):
        if type(run) is not int or not 0 <= run <= pixels:
            raise FormatError(
                source, f'{entry}[{index}]',
                f'expected a run of 0 to {pixels} pixels, got {shown(run)}',
            )  # fmt: skip
        total += run
    if total != pixels:
        raise FormatError(
            source, entry,
            f'the runs must add up to {pixels} pixels, got {total}',
        )  # fmt: skip
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, np.array(counts, np.int64))


def _uncompress(
    code: bytes, pixels: int, source: object, entry: str
) -> list[int]:
    """Return the run lengths of pycocotools' compressed string."""
    runs: list[int] = []
    value = groups = 0
    for position, byte in enumerate(code):
        bits = byte - 48
        if not 0 <= bits < 64:
            raise FormatError(
                source, entry,
                f'character {position} of the RLE string is '
                f'{shown(chr(byte))}',
            )  # fmt: skip
        value |= (bits & 31) << (5 * groups)
        groups += 1
        if bits & 32:
            if groups == _MAX_GROUPS:
                raise FormatError(
                    source, entry,
                    f'a run of the RLE string takes more than {groups} '
                    f'characters, up to character {position}',
                )  # fmt: skip
            continue
        if bits & 16:  # the sign
            value -= 1 << (5 * groups)
        if len(runs) > 2:
            value += runs[-2]
        if not 0 <= value <= pixels:
            raise FormatError(
                source, f'{entry}[{len(runs)}]',
                f'expected a run of 0 to {pixels} pixels, got {value}',
            )  # fmt: skip
        runs.append(value)
        value = groups = 0
    if groups:
        raise FormatError(source, entry, 'the RLE string is cut short')
    return runs


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
        FormatError: If it is not a list of bytes, is cut short, or does not
            give the values of an image of this size.
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
    for index, value in enumerate(rle):
        if type(value) is not int or not 0 <= value <= 255:
            raise FormatError(
                source, f'{entry}[{index}]',
                f'expected 0 to 255, got {shown(value)}',
            )  # fmt: skip
    return bytes(rle)


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
