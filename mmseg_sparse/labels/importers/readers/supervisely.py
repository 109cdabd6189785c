"""Reader of Supervisely JSON: one annotation file an image."""

import base64
import binascii
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray
from PIL import Image

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
from ..coverage import rectangle
from .shared import (
    NULL,
    XY,
    Line,
    by_annotator,
    class_name,
    each,
    each_file,
    half_pixel,
    members,
    ring,
    source_files,
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
    earlier ones. Other geometries (cuboid, graph ...) are an error. Who made
    an object is told by ``labelerLogin``.

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
        ``.json``; where several people made its objects, one for each row of
        objects of the same. Where several images have the name of one, that
        in the folder of its data set is meant.

    Raises:
        FormatError: If a file is malformed.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        _files(source),
        lambda path: _read_file(path, source, on_error),
        on_error,
    )


class _Size(Struct):
    width: int
    height: int


class _File(Struct):
    size: _Size
    objects: list[Raw]
    tags: list[Raw] = []


class _Tag(Struct):
    name: str


class _Points(Struct):
    exterior: Line
    interior: list[Line] = []


class _Bitmap(Struct):
    origin: XY
    data: str


class _Object(Struct, rename='camel'):
    geometry_type: str
    class_title: str
    labeler_login: str | None = None
    points: Raw = NULL
    bitmap: Raw = NULL


def _read_file(
    path: Path, source: Path, on_error: OnError
) -> Iterator[ImageAnnotation]:
    content: _File = load_json(path, _File)
    extent = size(content.size.width, content.size.height, path, 'size')
    tags = each(
        members('tags', content.tags),
        lambda entry, item: [_tag(item, path, entry)],
        on_error,
    )
    shapes = _shapes(content.objects, extent, path, on_error)
    whole = ImageAnnotation(
        image=path.name.removesuffix('.json'),
        source=str(path),
        size=extent,
        tags=tuple(tags),
        entry=str(path),
        folders=_folders(path, source),
    )
    yield from by_annotator(whole, shapes, '')


def _folders(path: Path, source: Path) -> tuple[str, ...]:
    """Return the folders of a file below ``source`` but for ``ann``."""
    if path == source:
        return ()
    parts = path.relative_to(source).parts[:-1]
    return tuple(part for part in parts if part != 'ann')


def _files(source: Path) -> list[Path]:
    folders = []
    if source.is_dir():
        folders = sorted(p for p in source.rglob('ann') if p.is_dir())
    return [
        path
        for folder in folders or [source]
        for path in source_files(folder, ['.json'])
    ]


def _tag(item: Raw, path: Path, entry: str) -> str:
    # Plain names in projects of the first version.
    tag: str | _Tag = decode_json(item, str | _Tag, path, entry)
    name = tag if isinstance(tag, str) else tag.name
    return class_name(name, path, entry)


def _shapes(
    objects: Sequence[Raw],
    sides: tuple[int, int],
    path: Path,
    on_error: OnError,
) -> Iterator[tuple[str, Shape]]:
    """Yield the objects with who made them."""
    outlined = list(
        each(
            members('objects', objects),
            lambda entry, raw: [_outlined(raw, path, entry)],
            on_error,
        )
    )
    half = half_pixel(points for *_, group in outlined for points in group)

    def one(
        entry: str, item: _Object, lines: list[NDArray[np.float64]]
    ) -> Iterator[tuple[str, Shape]]:
        who = item.labeler_login or ''
        label = class_name(item.class_title, path, f'{entry}.classTitle')
        if item.geometry_type == 'bitmap':
            where = f'{entry}.bitmap'
            yield who, _bitmap(item.bitmap, label, sides, path, where)
        else:
            kind = item.geometry_type
            yield who, _vector(kind, label, lines, half, path, entry)

    yield from each(outlined, one, on_error)


def _outlined(
    raw: Raw, path: Path, entry: str
) -> tuple[str, _Object, list[NDArray[np.float64]]]:
    """Return an object with its outer line and its holes, as stored."""
    item: _Object = decode_json(raw, _Object, path, entry)
    kind = item.geometry_type
    if kind not in COUNTS:
        raise FormatError(
            path, f'{entry}.geometryType',
            f'expected {", ".join(COUNTS)}, got {shown(kind)}',
        )  # fmt: skip
    if kind == 'bitmap':
        return entry, item, []
    where = f'{entry}.points'
    points: _Points = decode_json(item.points, _Points, path, where)
    if COUNTS[kind] not in (None, len(points.exterior)):
        raise FormatError(
            path, f'{where}.exterior',
            f'expected {COUNTS[kind]} points of a {kind}, got '
            f'{len(points.exterior)}',
        )  # fmt: skip
    lines = [np.array(line) for line in (points.exterior, *points.interior)]
    return entry, item, lines


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
    raw: Raw, label: str, sides: tuple[int, int], path: Path, entry: str
) -> PixelRegion:
    bitmap: _Bitmap = decode_json(raw, _Bitmap, path, entry)
    left, top = (round(value) for value in bitmap.origin)  # half to even
    entry = f'{entry}.data'
    try:
        inflate = zlib.decompressobj()
        packed = base64.b64decode(bitmap.data, validate=True)
        png = inflate.decompress(packed, MAX_BITMAP)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise FormatError(
            path, entry, f'not zlib data in base64: {reason(error)}'
        ) from error
    if not inflate.eof:
        raise FormatError(
            path, entry, f'cut short, or more than {MAX_BITMAP} bytes'
        )
    pixels = _mask(png, sides, path, entry)
    return PixelRegion(label, pixels, (left, top), entry=entry)


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
            path, entry, f'not a readable PNG: {reason(error)}'
        ) from error
    raise FormatError(
        path, entry, f'expected a mask, got a picture in {picture.mode}'
    )
