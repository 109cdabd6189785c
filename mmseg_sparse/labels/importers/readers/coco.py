"""Reader of COCO JSON: instances and keypoints."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    load_json,
    refuse,
    shown,
    size,
)
from ...classes import IGNORE
from ..annotation import ImageAnnotation, Point, Region, Shape
from ..coverage import rectangle
from .rle import decode_coco_rle
from .shared import (
    NULL,
    Coordinate,
    Length,
    by_annotator,
    class_name,
    coordinate,
    each,
    half_pixel,
    members,
    pixel_regions,
    ring,
    stored_name,
)

T = TypeVar('T')
#: Ids are numbers in COCO's own files, and texts in those of some tools.
Id = int | str
#: Left, top, width and height.
Box = tuple[Coordinate, Coordinate, Length, Length]


def read(
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read the segmentations and keypoints of a COCO file.

    Polygons are areas, each part by itself since COCO means their union.
    Run lengths, as a list or compressed, are areas too, crowds included.
    Keypoints with a visibility above 0 are points of the annotation's class.
    A box is an area only where an annotation has nothing else. An annotation
    without a place is a tag of its image; one with ``ignore`` is void. Who
    made one is told by ``annotator``, as Label Studio writes it.

    Polygons and boxes are in pixels from the corner of the image, as here.
    So are keypoints in a file where any of them has a fraction, as other
    tools write them; COCO's own are whole numbers that count pixels, and are
    moved by half a pixel to the middle of the one they name.

    Args:
        source: The JSON file.
        on_error: Called with what is wrong with an image or an annotation;
            where it returns, that is left out.

    Yields:
        Every image of the file in its order, without annotations too.

    Raises:
        FormatError: If the file is malformed, or an annotation names a
            category or an image that the file does not have.
        OSError: If the file cannot be read.
    """
    content: _File = load_json(source, _File)
    classes = class_names(content.categories, source, on_error)
    images = by_id('images', content.images, source, on_error)
    annotations = _by_image(content.annotations, images, source, on_error)
    half = half_pixel(
        np.array(item.keypoints)
        for group in annotations.values()
        for _, item in group
        if item.keypoints
    )

    def one(key: Id, entry: str, raw: Raw) -> Iterator[ImageAnnotation]:
        about = _about(raw, source, entry)
        shapes = each(
            [i for i in annotations[key] if not _is_tag(i[1])],
            lambda where, item: _shapes(
                item, classes, about.size, half, source, where
            ),
            on_error,
        )
        tags = each(
            [i for i in annotations[key] if _is_tag(i[1])],
            lambda where, item: [_label(item, classes, source, where)],
            on_error,
        )
        about = replace(about, tags=tuple(dict.fromkeys(tags)))
        yield from by_annotator(about, shapes, entry)

    entries = ((key, *image) for key, image in images.items())
    yield from each(entries, one, on_error)


def _about(raw: Raw, source: Path, entry: str) -> ImageAnnotation:
    """Return what the file says about an image, but for its annotations."""
    image: ImageEntry = decode_json(raw, ImageEntry, source, entry)
    extent = None
    if image.width or image.height:  # 0: unknown, as Datumaro writes it
        extent = size(image.width, image.height, source, entry)
    return ImageAnnotation(
        image=stored_name(image.file_name, source, f'{entry}.file_name'),
        source=str(source),
        entry=entry,
        size=extent,
    )


class _File(Struct):
    categories: list[Raw]
    images: list[Raw]
    annotations: list[Raw]


class _Item(Struct):
    id: Id


class _Category(Struct):
    name: str


class ImageEntry(Struct):
    """An image of the file, which also panoptic files have."""

    file_name: str
    width: float | None = None
    height: float | None = None


class _Mask(Struct):
    size: list[int | float]
    counts: list[int] | str


class _Annotation(Struct):
    image_id: Id
    category_id: Id
    segmentation: list[list[Coordinate]] | _Mask | None = None
    keypoints: list[float] | None = None
    bbox: Raw = NULL  # often there, and seldom read
    ignore: Raw = NULL
    annotator: Raw = NULL


def by_id(
    section: str, items: list[Raw], source: Path, on_error: OnError
) -> dict[Id, tuple[str, Raw]]:
    """Return the members of a list as ``id -> (entry, member)``."""
    found: dict[Id, tuple[str, Raw]] = {}

    def one(entry: str, item: Raw) -> Iterator[tuple[Id, tuple[str, Raw]]]:
        key = decode_json(item, _Item, source, entry).id
        if key in found:
            raise FormatError(
                source, f'{entry}.id',
                f'{shown(key)} is the id of {found[key][0]} already',
            )  # fmt: skip
        yield key, (entry, item)

    for key, item in each(members(section, items), one, on_error):
        found[key] = item
    return found


def class_names(
    items: list[Raw], source: Path, on_error: OnError
) -> dict[Id, str]:
    """Return the names of the categories by their ids."""

    def one(key: Id, entry: str, item: Raw) -> Iterator[tuple[Id, str]]:
        name = decode_json(item, _Category, source, entry).name
        yield key, class_name(name, source, f'{entry}.name')

    categories = by_id('categories', items, source, on_error)
    entries = ((key, *item) for key, item in categories.items())
    return dict(each(entries, one, on_error))


def _by_image(
    items: list[Raw],
    images: Mapping[Id, Any],
    source: Path,
    on_error: OnError,
) -> dict[Id, list[tuple[str, _Annotation]]]:
    """Return annotations with their entries by the id of their image."""
    found: dict[Id, list[tuple[str, _Annotation]]] = {
        key: [] for key in images
    }

    def one(entry: str, raw: Raw) -> Iterator[tuple[str, _Annotation]]:
        item: _Annotation = decode_json(raw, _Annotation, source, entry)
        lookup(item.image_id, images, source, f'{entry}.image_id')
        yield entry, item

    for entry, item in each(members('annotations', items), one, on_error):
        found[item.image_id].append((entry, item))
    return found


def lookup(key: Id, table: Mapping[Id, T], source: Path, entry: str) -> T:
    """Return what has an id."""
    if key not in table:
        raise FormatError(source, entry, f'nothing has the id {shown(key)}')
    return table[key]


def _label(
    item: _Annotation, classes: Mapping[Id, str], source: Path, entry: str
) -> str:
    label = lookup(item.category_id, classes, source, f'{entry}.category_id')
    ignored = bytes(item.ignore).strip() in (b'1', b'true')
    return IGNORE if ignored else label


def _annotator(item: _Annotation) -> str:
    """Return who made an annotation: a number or a text, else unknown."""
    text = bytes(item.annotator).strip()
    if not text[:1].isdigit() and text[:1] != b'"':
        return ''
    return str(json.loads(text))


def _is_tag(item: _Annotation) -> bool:
    """Tell whether an annotation says nothing of a place."""
    placed = item.segmentation or item.keypoints
    return not placed and bytes(item.bbox).strip() in (b'null', b'[]')


def _shapes(
    item: _Annotation,
    classes: Mapping[Id, str],
    extent: tuple[int, int] | None,
    half: float,
    source: Path,
    entry: str,
) -> Iterator[tuple[str, Shape]]:
    """Yield who made an annotation, with each of its shapes."""
    who = _annotator(item)
    for shape in _drawn(item, classes, extent, half, source, entry):
        yield who, shape


def _drawn(
    item: _Annotation,
    classes: Mapping[Id, str],
    extent: tuple[int, int] | None,
    half: float,
    source: Path,
    entry: str,
) -> Iterator[Shape]:
    label = _label(item, classes, source, entry)
    if isinstance(item.segmentation, _Mask):
        where = f'{entry}.segmentation'
        pixels = _pixels(item.segmentation, extent, source, where)
        yield from pixel_regions(label, pixels, entry=entry)
    elif item.segmentation:
        polygons = members(f'{entry}.segmentation', item.segmentation)
        for where, values in polygons:
            corners = ring(_groups(values, 2, source, where), source, where)
            yield Region(label, (corners,), entry=entry)
    if item.keypoints:
        yield from _points(item.keypoints, label, half, source, entry)
    if not item.segmentation and not item.keypoints:
        where = f'{entry}.bbox'
        box: Box = decode_json(item.bbox, Box, source, where)
        left, top, width, height = box
        corners = rectangle(left, top, left + width, top + height)
        yield Region(label, (corners,), entry=entry)


def _pixels(
    mask: _Mask, extent: tuple[int, int] | None, source: Path, entry: str
) -> NDArray[np.bool_]:
    if extent is None and len(mask.size) == 2:
        extent = size(mask.size[1], mask.size[0], source, f'{entry}.size')
    width, height = extent or (0, 0)
    if mask.size != [height, width]:
        raise FormatError(
            source, f'{entry}.size',
            f'expected [height, width] of the image, {[height, width]}, got '
            f'{shown(mask.size)}',
        )  # fmt: skip
    where = f'{entry}.counts'
    return decode_coco_rle(mask.counts, height, width, source, where)


def _points(
    values: list[float], label: str, half: float, source: Path, entry: str
) -> Iterator[Point]:
    where = f'{entry}.keypoints'
    for index, (x, y, visible) in enumerate(
        _groups(values, 3, source, where).tolist()
    ):
        if visible > 0:
            part = f'{where}[{3 * index}:{3 * index + 3}]'
            x, y = (coordinate(value, source, part) for value in (x, y))
            yield Point(label, (x + half, y + half), entry=part)


def _groups(
    values: list[float], length: int, source: Path, entry: str
) -> NDArray[np.float64]:
    """Cut a flat list into groups, ``[x, y]`` or ``[x, y, v]``."""
    if len(values) % length:
        raise FormatError(
            source, entry,
            f'expected {length} numbers a point, got {shown(values)}',
        )  # fmt: skip
    return np.array(values, np.float64).reshape(-1, length)
