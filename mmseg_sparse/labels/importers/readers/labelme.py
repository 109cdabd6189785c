"""Reader of LabelMe JSON, also as X-AnyLabeling writes it."""

import base64
import binascii
import io
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    load_json,
    reason,
    refuse,
    shown,
    size,
)
from ...label_map import BROKEN
from ..annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Shape,
    Stroke,
)
from ..coverage import ellipse, rectangle
from .shared import (
    NULL,
    Line,
    class_name,
    each,
    each_file,
    image_of_file,
    members,
    ring,
    source_files,
    within_memory,
)

#: How many points a shape must have; at least one where it is not said.
_POINTS = {
    'point': (1,),
    'line': (2,),
    'circle': (2,),
    'rectangle': (2, 4),  # LabelMe: two corners; X-AnyLabeling: all four
    'rotation': (4,),
    'oriented_rectangle': (4,),
    'quadrilateral': (4,),
    'mask': (2,),
}


def read(
    source: Path, *, image: str | None = None, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    r"""Read the shapes and flags of LabelMe files, one an image.

    Points are points, ``line`` and ``linestrip`` strokes; polygons,
    rectangles (turned ones too), circles and masks are areas. The flags of
    the file that are true are tags. What else LabelMe and X-AnyLabeling
    store (groups, descriptions, flags and attributes of shapes, the image
    itself) is not used.

    Coordinates are pixels from the corner of the image, as here.

    An image is looked for beside its file, by ``imagePath``, of which the last
    part counts where it leads elsewhere (``../images/a.jpg``, ``C:\a.jpg``).
    Where there is no such image, one that is called as the file is meant:
    both were renamed.

    Args:
        source: A JSON file, or a folder of them, folders within included.
        image: What names the image: ``path`` = imagePath, ``file`` = the name
            of the JSON file. None: both, and it is an error if they lead to
            two images of one size.
        on_error: Called with what is wrong with a file or a shape;
            where it returns, that is left out.

    Yields:
        Every file, without shapes too, in the order of the paths. The name of
        its image has the file's folders below ``source`` in front.

    Raises:
        FormatError: If a file is malformed, or a shape is of a type that is
            not listed above.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        source_files(source, ['.json'], recursive=True),
        lambda path: _read_file(path, source, image, on_error),
        on_error,
    )


class _File(Struct, rename='camel'):
    image_path: str
    shapes: list[Raw]
    image_width: float | None = None  # files of LabelMe 3 do not have it
    image_height: float | None = None
    flags: dict[str, Raw] | None = None


class _Shape(Struct):
    label: str
    points: Line
    shape_type: str | None = 'polygon'
    mask: Raw = NULL


def _read_file(
    path: Path, source: Path, image: str | None, on_error: OnError
) -> Iterator[ImageAnnotation]:
    content: _File = load_json(path, _File)
    drawn = each(
        members('shapes', content.shapes),
        lambda entry, item: _read_shape(item, path, entry),
        on_error,
    )
    width, height = content.image_width, content.image_height
    unknown = width is None and height is None
    yield replace(
        image_of_file(content.image_path, path, source, 'imagePath', image),
        size=None if unknown else size(width, height, path, 'image'),
        shapes=tuple(within_memory(drawn, path)),
        tags=tuple(
            class_name(name, path, 'flags')
            for name, flag in (content.flags or {}).items()
            if decode_json(flag, bool, path, f'flags.{name}')
        ),
    )


def _read_shape(item: Raw, path: Path, entry: str) -> list[Shape]:
    shape: _Shape = decode_json(item, _Shape, path, entry)
    label = class_name(shape.label, path, f'{entry}.label')
    kind = shape.shape_type or 'polygon'
    points = np.array(shape.points)
    where = f'{entry}.points'
    counts = _POINTS.get(kind, (len(points),))
    if len(points) not in counts:
        wanted = ' or '.join(str(count) for count in counts)
        raise FormatError(
            path,
            where,
            f'expected {wanted} [x, y] for a {kind}, got {len(points)}',
        )  # fmt: skip
    if kind in ('point', 'points'):
        return [Point(label, xy, entry=entry) for xy in shape.points]
    if kind in ('line', 'linestrip'):
        return [Stroke(label, points, entry=entry)]
    if kind == 'mask':
        pixels, origin = _read_mask(shape.mask, points, path, entry)
        return [PixelRegion(label, pixels, origin, entry=entry)]
    if kind == 'circle':
        radius = float(np.hypot(*(points[1] - points[0])))
        points = ellipse(shape.points[0], (radius, radius))
    elif kind == 'rectangle' and len(points) == 2:
        points = rectangle(*points.min(0), *points.max(0))
    elif kind not in _POINTS and kind != 'polygon':
        raise FormatError(
            path, f'{entry}.shape_type', f'{shown(kind)} is not supported'
        )
    return [Region(label, (ring(points, path, where),), entry=entry)]


def _read_mask(
    mask: Raw, points: NDArray[np.float64], path: Path, entry: str
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the pixels of a mask and where their top left one lies.

    As LabelMe draws it, the corner of its box is rounded, half to even, and
    the size is that of the picture, whatever the box says.
    """
    left, top = np.rint(points.min(0)).astype(int)
    text = decode_json(mask, str, path, f'{entry}.mask')
    return _decode_png(text, path, entry), (int(left), int(top))


def _decode_png(text: str, path: Path, entry: str) -> NDArray[np.bool_]:
    """Decode a mask, a PNG in base64."""
    where = f'{entry}.mask'
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(
            path, where, f'not base64: {reason(error)}'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=('PNG',))
        with picture:
            size(*picture.size, path, where)
            if picture.mode not in ('1', 'L', 'P', 'I;16'):
                raise FormatError(
                    path, where,
                    f'expected a grey mask, got one in {picture.mode}',
                )  # fmt: skip
            picture.load()
            return np.array(picture) > 0
    except FormatError:
        raise
    except UnidentifiedImageError as error:
        raise FormatError(path, where, 'not a PNG') from error
    except BROKEN as error:
        raise FormatError(
            path, where, f'not a readable PNG: {reason(error)}'
        ) from error
