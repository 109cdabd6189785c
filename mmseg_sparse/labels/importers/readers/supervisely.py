"""Reader of Supervisely JSON: one annotation file an image."""

import base64
import binascii
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....utils.untrusted import (
    FormatError,
    OnError,
    get,
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
from ..coverage import rectangle
from .shared import (
    class_name,
    each,
    each_file,
    half_pixel,
    ring,
    source_files,
    within_memory,
    xy_list,
)

#: Geometries that are read, and of how many points; None = of any number.
COUNTS = {
    'point': 1,
    'line': None,
    'polygon': None,
    'rectangle': 2,
    'bitmap': None,
}
#: Unpacked size of a bitmap's PNG file.
MAX_BITMAP = 64 * 2**20


def read(
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read the objects and tags of Supervisely's image annotations.

    Points stay points, lines become strokes, polygons (with holes) and
    rectangles areas, bitmaps areas of pixels. Later objects lie above
    earlier ones. Other geometries (cuboid, graph ...) are an error.

    Where every coordinate of a file is a whole number, as its exports have
    them, they count pixels: the middle of the pixel is meant, and a rectangle
    holds the pixels of both its corners. A file with fractions has
    coordinates from the corner of the image, and they are taken as they are.

    Args:
        source: An annotation file, a folder of them, or a folder in which
            such folders are called ``ann``, as a project's are.
        on_error: Called with what is wrong with a file, an object or a tag;
            where it returns, that is left out.

    Yields:
        One image a file, in the order of the paths, named as its file without
        ``.json``.

    Raises:
        FormatError: If a file is malformed.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        _files(source), lambda path: _read_file(path, on_error), on_error
    )


def _read_file(path: Path, on_error: OnError) -> Iterator[ImageAnnotation]:
    content = load_json(path)
    sides = get(content, 'size', dict, path)
    width = get(sides, 'width', int, path, 'size')
    height = get(sides, 'height', int, path, 'size')
    extent = size(width, height, path, 'size')
    tags = each(
        members(get(content, 'tags', list, path, default=[]), path, 'tags'),
        lambda entry, item: [_tag(item, path, entry)],
        on_error,
    )
    objects = members(get(content, 'objects', list, path), path, 'objects')
    shapes = _shapes(objects, extent, path, on_error)
    yield ImageAnnotation(
        image=path.name.removesuffix('.json'),
        source=str(path),
        size=extent,
        shapes=tuple(within_memory(shapes, path)),
        tags=tuple(tags),
    )


def _files(source: Path) -> list[Path]:
    folders = []
    if source.is_dir():
        folders = sorted(p for p in source.rglob('ann') if p.is_dir())
    return [
        path
        for folder in folders or [source]
        for path in source_files(folder, ['.json'])
    ]


def _tag(item: Any, path: Path, entry: str) -> str:
    # Plain names in projects of the first version.
    name = item if isinstance(item, str) else get(
        item, 'name', str, path, entry
    )  # fmt: skip
    return class_name(name, path, entry)


def _shapes(
    objects: Sequence[tuple[str, Any]],
    sides: tuple[int, int],
    path: Path,
    on_error: OnError,
) -> Iterator[Shape]:
    outlined = list(
        each(
            objects,
            lambda entry, item: [(entry, item, _outlines(item, path, entry))],
            on_error,
        )
    )
    half = half_pixel(points for *_, group in outlined for points in group)

    def one(
        entry: str, item: Any, points: list[NDArray[np.float64]]
    ) -> Iterator[Shape]:
        title = get(item, 'classTitle', str, path, entry)
        label = class_name(title, path, f'{entry}.classTitle')
        kind = item['geometryType']
        if kind == 'bitmap':
            yield _bitmap(item, label, sides, path, entry)
        else:
            yield _vector(kind, label, points, half, path, entry)

    yield from each(outlined, one, on_error)


def _outlines(item: Any, path: Path, entry: str) -> list[NDArray[np.float64]]:
    """Return the outer line and the holes as they stand in the file."""
    kind = get(item, 'geometryType', str, path, entry)
    if kind not in COUNTS:
        raise FormatError(
            path, f'{entry}.geometryType',
            f'expected {", ".join(COUNTS)}, got {shown(kind)}',
        )  # fmt: skip
    if kind == 'bitmap':
        return []
    points = get(item, 'points', dict, path, entry)
    entry = f'{entry}.points'
    outer = xy_list(
        get(points, 'exterior', list, path, entry), path, f'{entry}.exterior'
    )
    if COUNTS[kind] not in (None, len(outer)):
        raise FormatError(
            path, f'{entry}.exterior',
            f'expected {COUNTS[kind]} points of a {kind}, got {len(outer)}',
        )  # fmt: skip
    holes = get(points, 'interior', list, path, entry, default=[])
    return [outer] + [
        xy_list(hole, path, where)
        for where, hole in members(holes, path, f'{entry}.interior')
    ]


def _vector(
    kind: str,
    label: str,
    outlines: Sequence[NDArray[np.float64]],
    half: float,
    path: Path,
    entry: str,
) -> Shape:
    if kind == 'rectangle':
        left, top = outlines[0].min(0)
        right, bottom = outlines[0].max(0) + 2 * half
        corners = rectangle(left, top, right, bottom)
        return Region(label, (corners,), entry=entry)
    if kind == 'polygon':
        rings = [ring(line, path, f'{entry}.points') for line in outlines]
        return Region(label, tuple(r + half for r in rings), entry=entry)
    line = outlines[0] + half
    if kind == 'line':
        return Stroke(label, line, entry=entry)
    return Point(label, (float(line[0, 0]), float(line[0, 1])), entry=entry)


def _bitmap(
    item: Any, label: str, sides: tuple[int, int], path: Path, entry: str
) -> PixelRegion:
    bitmap = get(item, 'bitmap', dict, path, entry)
    entry = f'{entry}.bitmap'
    origin = xy_list([get(bitmap, 'origin', list, path, entry)], path,
                     f'{entry}.origin')[0]  # fmt: skip
    if np.any(origin % 1):
        raise FormatError(
            path, f'{entry}.origin',
            f'expected whole numbers, got {shown(origin.tolist())}',
        )  # fmt: skip
    data = get(bitmap, 'data', str, path, entry)
    entry = f'{entry}.data'
    try:
        inflate = zlib.decompressobj()
        packed = base64.b64decode(data, validate=True)
        png = inflate.decompress(packed, MAX_BITMAP)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise FormatError(
            path, entry, f'no zlib data in base64: {reason(error)}'
        ) from error
    if not inflate.eof:
        raise FormatError(
            path, entry, f'cut short, or more than {MAX_BITMAP} bytes'
        )
    pixels = _mask(png, sides, path, entry)
    return PixelRegion(
        label, pixels, (int(origin[0]), int(origin[1])), entry=entry
    )


def _mask(
    png: bytes, sides: tuple[int, int], path: Path, entry: str
) -> NDArray[np.bool_]:
    """Return the pixels of a bitmap: where it is opaque, or not 0."""
    try:
        with Image.open(io.BytesIO(png), formats=('PNG',)) as picture:
            if picture.width > sides[0] or picture.height > sides[1]:
                raise FormatError(
                    path, entry,
                    f'expected a bitmap within the image of {sides}, got one '
                    f'of {picture.size}',
                )  # fmt: skip
            if picture.has_transparency_data:
                return np.asarray(picture.convert('RGBA'))[..., 3] > 0
            if picture.mode in ('1', 'L', 'P'):
                return np.asarray(picture) != 0
    except FormatError:
        raise
    except BROKEN as error:
        raise FormatError(
            path, entry, f'no readable PNG: {reason(error)}'
        ) from error
    raise FormatError(
        path, entry, f'expected a mask, got a picture in {picture.mode}'
    )
