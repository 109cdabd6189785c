"""Run-length codes of masks, checked so that a lie costs nothing."""

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, shown

#: A run of 2**28 pixels takes six groups of five bits; more are nonsense.
_MAX_GROUPS = 7


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
                source, entry, f'no RLE string: {shown(counts)}'
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
        FormatError: If ``counts`` is no list of whole numbers of at least 0,
            or they do not add up to ``pixels``; nothing is allocated then.
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
