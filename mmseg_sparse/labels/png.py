"""Label maps as PNG: the index plane, whatever the palette shows."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..utils.untrusted import read_bytes
from ..utils.values import reason, shown, size
from .importers.annotation import FormatError

#: What Pillow raises on broken or oversized files.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_MODES = ('1', 'L', 'P', 'I;16')


def load_png_index(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read a palette or grey PNG as the numbers it stores.

    Returns:
        ``(H, W)`` of ``uint8``, or ``uint16`` for 16 bits; palette indices
        where the file has a palette. Grey of 2 and 4 bits is not stretched
        to 255.

    Raises:
        FormatError: If it is no PNG, broken, in colour or with alpha, or
            larger than an image may be; the size is checked before decoding.
        OSError: If the file cannot be opened.
    """
    data = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=('PNG',))
    except UnidentifiedImageError as error:
        raise FormatError(path, '', 'no PNG file') from error
    except BROKEN as error:
        raise FormatError(
            path, '', f'no readable PNG: {reason(error)}'
        ) from error
    _check_chunks(data, path)
    with picture:
        size(*picture.size, path)
        if picture.mode not in _MODES:
            raise FormatError(
                path, '',
                'expected a PNG of class indices (palette or grey), got one '
                f'in {picture.mode}',
            )  # fmt: skip
        try:
            picture.load()
        except BROKEN as error:
            raise FormatError(
                path, '', f'broken PNG: {reason(error)}'
            ) from error
        values = np.array(picture)
    if values.dtype == np.uint16:
        return values
    values = values.astype(np.uint8)
    # IHDR is the first chunk: bit depth and colour type at bytes 24 and 25.
    depth, colour = data[24], data[25]
    if colour == 0 and depth in (2, 4):  # Pillow stretches these to 255
        values //= 255 // (2**depth - 1)
    return values


def _check_chunks(data: bytes, path: Path) -> None:
    """Raise unless every chunk is whole; Pillow forgives some that are not."""
    position, kind = 8, b''
    while kind != b'IEND':
        head = data[position : position + 8]
        if len(head) < 8:
            raise FormatError(path, '', 'broken PNG: it is cut short')
        length, kind = struct.unpack('>I4s', head)
        end = position + 8 + length
        checksum = zlib.crc32(data[position + 4 : end])
        if data[end : end + 4] != struct.pack('>I', checksum):
            raise FormatError(
                path, f'byte {position}',
                f'broken PNG: wrong checksum of {shown(kind)}',
            )  # fmt: skip
        position = end + 4
