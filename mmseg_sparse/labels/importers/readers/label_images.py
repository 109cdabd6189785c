"""Reader of label images as napari saves them: 0 means unlabelled."""

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ....utils.npy import load_npy
from ....utils.untrusted import (
    FormatError,
    OnError,
    read_bytes,
    reason,
    refuse,
    shown,
    size,
)
from ...label_map import load_png_index
from ..annotation import ImageAnnotation
from .index_png import pixel_annotation
from .shared import each_file, source_files

UNLABELED = 0
SUFFIXES = ('.png', '.tif', '.tiff', '.npy')
#: What napari puts behind the name of the image.
SUFFIX = '_labels'
MAX_VALUE = 65535
#: Third byte of a BigTIFF, and tags and their values.
_BIG_TIFF, _BITS, _SAMPLE_FORMAT = 43, 258, 339
_SAMPLES = {1: 'whole numbers', 2: 'whole numbers', 3: 'fractions'}
#: Types of tags that are whole numbers, and how they are stored.
_NUMBERS = {3: 'H', 4: 'I'}
#: Width of the image and of its tiles.
_WIDTHS = (256, 322)
#: Tags of whole numbers of 32 bits.
_AS_32 = {_BITS: 32, _SAMPLE_FORMAT: 2}
#: What a TIFF of whole numbers of 64 bits has: bits, numbers a pixel, no
#: differences, not turned, whole numbers. A tag that is missing is 1.
_PLAIN = {_BITS: (64,), 277: (1,), 317: (1,), 274: (1,),
          _SAMPLE_FORMAT: (1, 2)}  # fmt: skip
_TIFF_MODES = ('L', 'P', 'I;16', 'I;16B', 'I')


def read(
    source: Path, *, suffix: str | None = None, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read label images: 0 is no label, classes count from 1.

    Labels are the decimal strings of the values as they stand in the file,
    so a class map begins with ``'1'``. In that order the importer takes them
    for the classes by itself; otherwise its class map says, for example::

        {"1": "road", "2": "sky", "5": "tree"}

    A mask in which 0 is a class is not a label image: read it as an index PNG.

    Args:
        source: A PNG, TIFF or NumPy array (``.npy``), or a folder of them,
            folders within included. TIFF of one page, whole numbers of 8 to
            64 bits up to 65535, packed as Pillow reads it (not at all,
            deflate, LZW ...); an array ``(H, W)`` of such numbers.
        suffix: What the name of a file has behind that of its image; files of
            a folder that do not end so are ignored. None: ``_labels``, as
            napari writes it, where a name ends so.
        on_error: Called with what is wrong with a file;
            where it returns, that is left out.

    Yields:
        Every file's pixels, one :class:`PixelRegion` a value, in the order of
        the paths. An image is named as its file without the suffix, with its
        folders below ``source``.

    Raises:
        FormatError: If a file is broken, is in colour, or has more than 256
            values.
        OSError: If a file cannot be read.
    """
    ending = suffix
    for kind in SUFFIXES:
        ending = ending and ending.removesuffix(kind)

    def one(path: Path) -> Iterator[ImageAnnotation]:
        load = LOADERS.get(path.suffix.lower(), load_tiff_index)
        labels = load(path)
        yield pixel_annotation(
            labels, path, source, unlabeled=UNLABELED,
            suffix=SUFFIX if ending is None else ending,
        )  # fmt: skip

    paths = source_files(
        source, list(SUFFIXES), recursive=True, ending=ending or ''
    )
    yield from each_file(paths, one, on_error)


def load_tiff_index(
    path: Path,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read a TIFF of whole numbers, its size checked before decoding."""
    data = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            halves = _in_halves(data)
            picture = Image.open(io.BytesIO(halves or data), formats=('TIFF',))
            width = picture.width // 2 if halves else picture.width
            size(width, picture.height, path)
            _check_kind(picture, path)
            values = np.array(picture)
            if halves:
                values = _joined(values, little=data[:1] == b'I')
    except FormatError:
        raise
    except UnidentifiedImageError as error:
        raise FormatError(path, '', _unopened(data)) from error
    except Exception as error:  # Pillow has no common error of broken TIFFs
        raise FormatError(
            path, '', f'not a readable TIFF: {reason(error)}'
        ) from error
    return _in_range(values, path)


def load_npy_index(path: Path) -> NDArray[np.uint16]:
    """Read an array of whole numbers."""
    values = load_npy(path)
    if values.ndim != 2 or values.dtype.kind not in 'biu':
        raise FormatError(
            path, '',
            'expected an array (height, width) of whole numbers, got '
            f'{values.shape} of {values.dtype}',
        )  # fmt: skip
    size(values.shape[1], values.shape[0], path)
    return _in_range(values, path)


#: What is not here is read as TIFF.
LOADERS: dict[str, Callable[[Path], NDArray[Any]]] = {
    '.png': load_png_index,
    '.npy': load_npy_index,
}


def _in_range(values: NDArray[Any], path: Path) -> NDArray[np.uint16]:
    if values.min() < 0 or values.max() > MAX_VALUE:
        raise FormatError(
            path, '',
            f'expected values from 0 to {MAX_VALUE}, got '
            f'{values.min()} to {values.max()}',
        )  # fmt: skip
    return values.astype(np.uint16)


def _in_halves(data: bytes) -> bytes | None:
    """Return a TIFF of 64 bits as one of 32 bits that is twice as wide.

    numpy's whole numbers have 64 bits, which Pillow does not read. What is
    stored are then the same bytes, packed or not.

    Returns:
        The file with other tags; None if it has no whole numbers of 64 bits,
        or is stored as differences or turned.
    """
    order, big = '<' if data[:1] == b'I' else '>', data[2:4].strip(b'\0')
    at, head, entry = (
        (8, 'Q', 'HHQ') if big == bytes([_BIG_TIFF]) else (4, 'I', 'HHI')
    )
    count = 'Q' if head == 'Q' else 'H'
    try:
        (start,) = struct.unpack_from(order + head, data, at)
        (number,) = struct.unpack_from(order + count, data, start)
        start += struct.calcsize(order + count)
        step = struct.calcsize(order + entry) + struct.calcsize(order + head)
        places, values = {}, {}
        for place in range(start, start + step * min(number, 1000), step):
            tag, kind, many = struct.unpack_from(order + entry, data, place)
            if kind in _NUMBERS and many == 1:
                inside = place + struct.calcsize(order + entry)
                number_format = order + _NUMBERS[kind]
                places[tag] = place
                (values[tag],) = struct.unpack_from(
                    number_format, data, inside
                )
        if any(values.get(tag, 1) not in good for tag, good in _PLAIN.items()):
            return None
        changed = bytearray(data)
        for tag in {*_WIDTHS, *_AS_32} & set(values):
            value = _AS_32.get(tag) or 2 * values[tag]
            # As a long number: twice a short one may not be short.
            struct.pack_into(
                f'{order}{entry}I', changed, places[tag], tag, 4, 1, value
            )
    except struct.error:
        return None
    return bytes(changed)


def _joined(values: NDArray[Any], *, little: bool) -> NDArray[np.int64]:
    """Return numbers of 64 bits, of their halves side by side."""
    wide = values.astype(np.int64)
    first, second = wide[:, 0::2], wide[:, 1::2]
    low, high = (first, second) if little else (second, first)
    return high * 2**32 + (low & 2**32 - 1)


def _unopened(data: bytes) -> str:
    """Say what is wrong with a TIFF that Pillow does not open."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(
            data[: 16 if data[2] == _BIG_TIFF else 8]
        )
        file = io.BytesIO(data)
        file.seek(tags.next)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            tags.load(file)
        bits = [int(v) for v in tags.get(_BITS, (1,))]
        kind = _SAMPLES.get(int(tags.get(_SAMPLE_FORMAT, (1,))[0]), 'unknown')
    except Exception:  # Pillow has no common error of broken TIFFs
        return 'not a readable TIFF file'
    return (
        'expected one channel of whole numbers of 8 to 64 bits, got '
        f'{kind} of {shown(bits)[1:-1]} bits; save it as uint8 or uint16'
    )


def _check_kind(picture: Image.Image, path: Path) -> None:
    if picture.mode not in _TIFF_MODES:
        raise FormatError(
            path, '',
            'expected a TIFF of class indices (grey, whole numbers), got one '
            f'in {picture.mode}',
        )  # fmt: skip
    pages = getattr(picture, 'n_frames', 1)
    if pages != 1:
        raise FormatError(
            path, '', f'expected a TIFF of one page, got {shown(pages)}'
        )
