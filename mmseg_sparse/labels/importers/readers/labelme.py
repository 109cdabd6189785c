"""Reader of LabelMe JSON, also as X-AnyLabeling writes it."""

import base64
import binascii
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ....utils.untrusted import (
    FormatError,
    OnError,
    get,
    image_name,
    load_json,
    members,
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
    class_name,
    each,
    each_file,
    name_below,
    ring,
    source_files,
    within_memory,
    xy_list,
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
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    r"""Read the shapes and flags of LabelMe files, one an image.

    Points are points, ``line`` and ``linestrip`` strokes; polygons,
    rectangles (turned ones too), circles and masks are areas. The flags of
    the file that are true are tags. What else LabelMe and X-AnyLabeling
    store (groups, descriptions, flags and attributes of shapes, the image
    itself) is not used.

    Coordinates are pixels from the corner of the image, as here.

    An image is looked for beside its file, by ``imagePath``. Where that leads
    elsewhere (``../images/a.jpg``, ``C:\a.jpg``), as it does when labels
    are in a folder of their own or come from another machine, its file name
    alone is used.

    Args:
        source: A JSON file, or a folder of them, folders within included.
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
        lambda path: _read_file(path, source, on_error),
        on_error,
    )


def _read_file(
    path: Path, source: Path, on_error: OnError
) -> Iterator[ImageAnnotation]:
    content = load_json(path)
    shapes = get(content, 'shapes', list, path)
    drawn = each(
        members(shapes, path, 'shapes'),
        lambda entry, item: _read_shape(item, path, entry),
        on_error,
    )
    yield ImageAnnotation(
        image=_image(get(content, 'imagePath', str, path), path, source),
        source=str(path),
        size=_size(content, path),
        shapes=tuple(within_memory(drawn, path)),
        tags=_tags(content, path),
    )


def _image(name: str, path: Path, source: Path) -> str:
    """Return the image's path below ``source``, beside its file."""
    parts = name.replace('\\', '/').split('/')
    if parts[0] == '' or parts[0].endswith(':') or '..' in parts:
        parts = parts[-1:]
    image = image_name('/'.join(parts), path, 'imagePath')
    folder, slash, _ = name_below(path, source).rpartition('/')
    return f'{folder}{slash}{image}'


def _size(content: object, path: Path) -> tuple[int, int] | None:
    """Return the size, which files of LabelMe 3 do not have."""
    width, height = (
        get(content, key, (float, type(None)), path, default=None)
        for key in ('imageWidth', 'imageHeight')
    )
    if width is None and height is None:
        return None
    return size(width, height, path, 'image')


def _tags(content: object, path: Path) -> tuple[str, ...]:
    kinds = (dict, type(None))
    flags = get(content, 'flags', kinds, path, default=None) or {}
    return tuple(
        class_name(name, path, 'flags')
        for name in flags
        if get(flags, name, bool, path, 'flags')
    )


def _read_shape(item: object, path: Path, entry: str) -> list[Shape]:
    label = class_name(
        get(item, 'label', str, path, entry), path, f'{entry}.label'
    )
    kind = get(item, 'shape_type', str, path, entry, default='polygon')
    where = f'{entry}.points'
    points = xy_list(get(item, 'points', list, path, entry), path, where)
    counts = _POINTS.get(kind, (len(points),))
    if len(points) not in counts:
        wanted = ' or '.join(str(count) for count in counts)
        raise FormatError(
            path, where, f'a {kind} has {wanted} points, got {len(points)}'
        )
    if kind in ('point', 'points'):
        return [Point(label, (x, y), entry=entry) for x, y in points.tolist()]
    if kind in ('line', 'linestrip'):
        return [Stroke(label, points, entry=entry)]
    if kind == 'mask':
        pixels, origin = _read_mask(item, points, path, entry)
        return [PixelRegion(label, pixels, origin, entry=entry)]
    if kind == 'circle':
        radius = float(np.hypot(*(points[1] - points[0])))
        points = ellipse((points[0, 0], points[0, 1]), (radius, radius))
    elif kind == 'rectangle' and len(points) == 2:
        points = rectangle(*points.min(0), *points.max(0))
    elif kind not in _POINTS and kind != 'polygon':
        raise FormatError(
            path, f'{entry}.shape_type', f'{shown(kind)} is not supported'
        )
    return [Region(label, (ring(points, path, where),), entry=entry)]


def _read_mask(
    item: Any, points: NDArray[np.float64], path: Path, entry: str
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the pixels of a mask and where their top left one lies.

    LabelMe's box is that of the first and the last pixel, so that the mask
    is one larger than the difference; boxes without that one are read too.
    """
    (left, top), (right, bottom) = points.min(0), points.max(0)
    where = f'{entry}.points'
    if np.any(points != np.rint(points)):
        raise FormatError(
            path, where,
            'the box of a mask is in whole pixels, got '
            f'{shown(points.tolist())}',
        )  # fmt: skip
    text = get(item, 'mask', str, path, entry)
    pixels = _decode_png(text, (right - left, bottom - top), path, entry)
    return pixels, (int(left), int(top))


def _decode_png(
    text: str, box: tuple[float, float], path: Path, entry: str
) -> NDArray[np.bool_]:
    """Decode a mask in base64 whose PNG must be as large as its box."""
    where = f'{entry}.mask'
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(
            path, where, f'no base64: {reason(error)}'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=('PNG',))
        with picture:
            width, height = size(*picture.size, path, where)
            if (width - box[0], height - box[1]) not in ((0, 0), (1, 1)):
                raise FormatError(
                    path, where,
                    f'{width} x {height} pixels do not fit their box of '
                    f'{box[0] + 1:g} x {box[1] + 1:g}',
                )  # fmt: skip
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
        raise FormatError(path, where, 'no PNG') from error
    except BROKEN as error:
        raise FormatError(
            path, where, f'no readable PNG: {reason(error)}'
        ) from error
