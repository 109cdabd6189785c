"""Label maps: index PNGs in memory and on disk, and their numbering."""

import colorsys
import io
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..utils.untrusted import FormatError, read_bytes, reason, size

Labels = NDArray[np.uint8]

#: Value of a label map where there is no label; in memory always this.
NO_LABEL = 255

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
#: The last chunk of every PNG.
_END = b'\0\0\0\0IEND\xaeB`\x82'


def decode_labels(
    content: bytes, source: str, *, backend: str = 'pillow'
) -> Labels:
    """Decode an index picture without changing any value.

    Args:
        content: The bytes of the file.
        source: Its name, for messages.
        backend: A backend of :func:`mmcv.imfrombytes`.

    Returns:
        The indices, ``(H, W)``.

    Raises:
        ValueError: If the file is not a picture, has colours in place of
            indices, or indices above 255.
    """
    try:
        labels = mmcv.imfrombytes(content, flag='unchanged', backend=backend)
    except Exception as error:  # decoders raise many types
        raise ValueError(f'{source}: cannot be decoded: {error}') from error
    if labels is None:
        raise ValueError(f'{source}: cannot be decoded as a picture')
    if labels.ndim != 2:
        raise ValueError(
            f'{source}: has {labels.shape[2]} channels; a label map has one '
            'number a pixel, the class index (save it as an index PNG)'
        )
    if labels.dtype != np.uint8:
        low, high = labels.min(), labels.max()
        if labels.dtype.kind == 'f' or low < 0 or high > 255:
            raise ValueError(
                f'{source}: has {labels.dtype} values from {low} to {high}; '
                'class indices are whole numbers, 0..254, 255 = no label'
            )
        labels = labels.astype(np.uint8)
    return labels


def lookup_table(
    *,
    reduce_zero_label: bool = False,
    label_map: Mapping[int, int] | None = None,
    ignore_index: int = NO_LABEL,
) -> Labels:
    """Return what becomes of each of the 256 values of a label file.

    ``ignore_index`` of the file turns into 255 first; then 0 does and the
    others move down by one if ``reduce_zero_label``; then ``label_map``
    applies, as in mmseg's ``LoadAnnotations``. 255 stays 255.
    """
    table = np.arange(256, dtype=np.uint8)
    if reduce_zero_label:
        table[1:255] -= 1
        table[0] = NO_LABEL
    if label_map:
        reduced = table.copy()
        for old, new in label_map.items():
            table[reduced == old] = new
        table[reduced == NO_LABEL] = NO_LABEL
    table[ignore_index] = NO_LABEL
    return table


def complete_label_map(
    label_map: Mapping[Any, int] | Sequence[int], num_classes: int
) -> dict[int, int]:
    """Return a map from every value of a file, 0 to 254, to class or 255.

    Values that ``label_map`` does not name go to 254, which is not a class,
    so that they are found wherever the labels are looked at. With 255 classes
    254 is one, and ``label_map`` must name all values.

    Args:
        label_map: Class index or 255 by value of the file: a dict (its keys
            may be digits in strings, as a dumped config has them), or a list
            that starts with what becomes of 0.
        num_classes: Number of classes, at most 255.

    Raises:
        ValueError: If a value or an index is out of range, or a value is not
            named and there are 255 classes.
    """
    pairs = (
        label_map.items()
        if isinstance(label_map, Mapping)
        else enumerate(label_map)
    )
    full: dict[int, int] = {}
    for key, new in pairs:
        try:
            old = int(key)
        except ValueError:
            old = -1
        if not 0 <= old <= 255:
            raise ValueError(
                f'label_map: expected values of a label file, 0 to 255, got '
                f'{key!r}'
            )
        if new != NO_LABEL and not 0 <= new < num_classes:
            raise ValueError(
                f'label_map: expected a class in 0..{num_classes - 1}, or '
                f'255 for no label, for the value {old}, got {new}'
            )
        if old == NO_LABEL and new != NO_LABEL:
            raise ValueError(
                f'label_map: 255 means no label, it cannot be class {new}'
            )
        if old != NO_LABEL:
            full[old] = int(new)
    unnamed = [value for value in range(NO_LABEL) if value not in full]
    if unnamed and num_classes == NO_LABEL:
        raise ValueError(
            'label_map: with 255 classes it must name each value from 0 to '
            f'254 (255 = no label), got none for {unnamed[0]}'
        )
    return dict.fromkeys(unnamed, 254) | full


def encode_index_png(
    labels: NDArray[np.uint8], palette: Sequence[Sequence[int]]
) -> bytes:
    """Return a label map as a PNG that viewers show in colour.

    Args:
        labels: ``(H, W)``, class indices and 255 = no label.
        palette: RGB of each class; 255 and what has no colour become white.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(
            f'labels must be uint8 (H, W), got {labels.dtype} {labels.shape}'
        )
    colours = np.full((256, 3), 255, np.uint8)
    colours[: len(palette)] = np.asarray(palette, np.uint8).reshape(-1, 3)
    colours[NO_LABEL] = 255
    picture = Image.fromarray(labels)
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, 'PNG')
    return buffer.getvalue()


def save_index_png(
    path: str | Path,
    labels: NDArray[np.uint8],
    palette: Sequence[Sequence[int]],
) -> None:
    """Write one label map, as :func:`encode_index_png` makes it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_index_png(labels, palette))


def distinct_palette(number: int) -> list[list[int]]:
    """Return different colours, none of them white."""
    colours = []
    for index in range(number):
        hue = index * 0.61803399 % 1  # steps of a golden section
        saturation = (0.8, 0.55, 1.0)[index % 3]
        value = (0.9, 0.67, 0.47)[index // 3 % 3]
        rgb = colorsys.hsv_to_rgb(hue, saturation, value)
        colours.append([round(255 * c) for c in rgb])
    return colours


def load_png_index(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read a palette or grey PNG as the numbers it stores.

    Returns:
        ``(H, W)`` of ``uint8``, or ``uint16`` for 16 bits; palette indices
        where the file has a palette. Grey of 2 and 4 bits is not stretched
        to 255.

    Raises:
        FormatError: If it is not a PNG, broken, in colour or with alpha, or
            larger than an image may be; the size is checked before decoding.
        OSError: If the file cannot be opened.
    """
    data = read_bytes(path)
    values = _load_png(
        data, path, _MODES, 'a PNG of class indices (palette or grey)'
    )
    if values.dtype == np.uint16:
        return values
    values = values.astype(np.uint8)
    # IHDR is the first chunk: bit depth and colour type at bytes 24 and 25.
    depth, colour = data[24], data[25]
    if colour == 0 and depth in (2, 4):  # Pillow stretches these to 255
        values //= 255 // (2**depth - 1)
    return values


def load_png_rgb(
    path: Path, expected: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read a PNG in colour, without alpha.

    Args:
        path: The file.
        expected: ``(width, height)`` that it must have.

    Returns:
        ``(H, W, 3)``.

    Raises:
        FormatError: As :func:`load_png_index`, but for colour; or if the size
            is another one.
        OSError: If the file cannot be opened.
    """
    return _load_png(
        read_bytes(path), path, ('RGB',), 'a PNG in RGB', expected
    )


def _load_png(
    data: bytes,
    path: Path,
    modes: Sequence[str],
    wanted: str,
    expected: tuple[int, int] | None = None,
) -> NDArray[Any]:
    """Decode a PNG of one of Pillow's modes, its size checked before."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            Image.open(io.BytesIO(data), formats=('PNG',)).verify()
            picture = Image.open(io.BytesIO(data), formats=('PNG',))
    except UnidentifiedImageError as error:
        raise FormatError(path, '', 'not a PNG file') from error
    except BROKEN as error:
        raise FormatError(path, '', f'broken PNG: {reason(error)}') from error
    if _END not in data:  # verify() does not look at the last chunk
        raise FormatError(path, '', 'broken PNG: it is cut short')
    with picture:
        found = size(*picture.size, path)
        if expected not in (None, found):
            raise FormatError(
                path, '',
                f'expected the size of its image, {expected}, got {found}',
            )  # fmt: skip
        if picture.mode not in modes:
            raise FormatError(
                path, '', f'expected {wanted}, got one in {picture.mode}'
            )
        try:
            picture.load()
        except BROKEN as error:
            raise FormatError(
                path, '', f'broken PNG: {reason(error)}'
            ) from error
        return np.array(picture)
