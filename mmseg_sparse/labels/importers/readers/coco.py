"""Reader of COCO JSON: instances and keypoints."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....utils.untrusted import (
    FormatError,
    OnError,
    get,
    image_name,
    load_json,
    members,
    refuse,
    shown,
    size,
)
from ..annotation import ImageAnnotation, Point, Region, Shape
from ..coverage import rectangle
from .rle import decode_coco_rle
from .shared import (
    class_name,
    each,
    pixel_regions,
    ring,
    within_memory,
    xy_list,
)

#: Ids are numbers in COCO's own files, and texts in those of some tools.
Id = int | str


def read(
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read the segmentations and keypoints of a COCO file.

    Polygons are areas, each part by itself since COCO means their union.
    Run lengths, as a list or compressed, are areas too, crowds included.
    Keypoints with a visibility above 0 are points of the annotation's class.
    A box is an area only where an annotation has nothing else.

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
    content = load_json(source)
    classes = _classes(content, source, on_error)
    images = _by_id(content, 'images', source, on_error)
    listed = members(
        get(content, 'annotations', list, source), source, 'annotations'
    )
    half = _half(listed)
    annotations = _by_image(listed, images, source, on_error)

    def one(key: Id, entry: str, image: object) -> Iterator[ImageAnnotation]:
        width, height = (
            get(image, side, float, source, entry)
            for side in ('width', 'height')
        )
        extent = size(width, height, source, entry)
        name = get(image, 'file_name', str, source, entry)
        shapes = each(
            annotations[key],
            lambda where, item: _read_annotation(
                item, classes, extent, half, source, where
            ),
            on_error,
        )
        yield ImageAnnotation(
            image=image_name(name, source, f'{entry}.file_name'),
            source=str(source),
            size=extent,
            shapes=tuple(within_memory(shapes, source, entry)),
        )

    entries = ((key, *image) for key, image in images.items())
    yield from each(entries, one, on_error)


def _by_id(
    content: object, key: str, source: Path, on_error: OnError
) -> dict[Id, tuple[str, Any]]:
    """Return the members of a list as ``id -> (entry, member)``."""
    found: dict[Id, tuple[str, Any]] = {}

    def one(entry: str, item: object) -> Iterator[tuple[Id, tuple[str, Any]]]:
        number = get(item, 'id', (int, str), source, entry)
        if number in found:
            raise FormatError(
                source, f'{entry}.id',
                f'{shown(number)} is the id of {found[number][0]} already',
            )  # fmt: skip
        yield number, (entry, item)

    listed = members(get(content, key, list, source), source, key)
    for number, item in each(listed, one, on_error):
        found[number] = item
    return found


def _classes(
    content: object, source: Path, on_error: OnError
) -> dict[Id, str]:
    """Return the names of the categories by their ids."""

    def one(key: Id, entry: str, item: object) -> Iterator[tuple[Id, str]]:
        name = get(item, 'name', str, source, entry)
        yield key, class_name(name, source, f'{entry}.name')

    categories = _by_id(content, 'categories', source, on_error)
    entries = ((key, *item) for key, item in categories.items())
    return dict(each(entries, one, on_error))


def _by_image(
    annotations: list[tuple[str, Any]],
    images: Mapping[Id, Any],
    source: Path,
    on_error: OnError,
) -> dict[Id, list[tuple[str, Any]]]:
    """Return annotations with their entries by the id of their image."""
    found: dict[Id, list[tuple[str, Any]]] = {key: [] for key in images}

    def one(entry: str, item: object) -> Iterator[tuple[Id, str, object]]:
        yield _reference(item, 'image_id', images, source, entry), entry, item

    for key, entry, item in each(annotations, one, on_error):
        found[key].append((entry, item))
    return found


def _reference(
    item: object, key: str, table: Mapping[Id, Any], source: Path, entry: str
) -> Id:
    """Return an id that must be one of the table's."""
    number: Id = get(item, key, (int, str), source, entry)
    if number not in table:
        raise FormatError(
            source, f'{entry}.{key}', f'nothing has the id {shown(number)}'
        )
    return number


def _read_annotation(
    item: object,
    classes: Mapping[Id, str],
    extent: tuple[int, int],
    half: float,
    source: Path,
    entry: str,
) -> list[Shape]:
    key = _reference(item, 'category_id', classes, source, entry)
    label = classes[key]
    mask, keypoints = (
        get(item, key, (*kinds, type(None)), source, entry, default=None)
        for key, kinds in (
            ('segmentation', (list, dict)),
            ('keypoints', (list,)),
        )
    )
    shapes: list[Shape] = []
    if isinstance(mask, dict):
        shapes += _masked(mask, label, extent, source, entry)
    elif mask:
        shapes += _outlined(mask, label, source, entry)
    if keypoints:
        shapes += _points(keypoints, label, half, source, entry)
    if not mask and not keypoints:
        shapes.append(_boxed(item, label, source, entry))
    return shapes


def _half(annotations: list[tuple[str, Any]]) -> float:
    """Return what is added to keypoints: they count pixels, or do not.

    What is malformed is met again, when it is read.
    """
    for _, item in annotations:
        values = item.get('keypoints') if isinstance(item, dict) else None
        if isinstance(values, list) and any(
            isinstance(value, float) and value % 1 for value in values
        ):
            return 0.0
    return 0.5


def _masked(
    mask: object, label: str, extent: tuple[int, int], source: Path, entry: str
) -> tuple[Shape, ...]:
    where = f'{entry}.segmentation'
    width, height = extent
    stated = get(mask, 'size', list, source, where)
    if stated != [height, width]:
        raise FormatError(
            source, f'{where}.size',
            f'expected [height, width] of the image, {[height, width]}, got '
            f'{shown(stated)}',
        )  # fmt: skip
    counts = get(mask, 'counts', (list, str), source, where)
    pixels = decode_coco_rle(counts, height, width, source, f'{where}.counts')
    return pixel_regions(label, pixels, entry=entry)


def _outlined(
    polygons: object, label: str, source: Path, entry: str
) -> list[Region]:
    regions = []
    for where, values in members(polygons, source, f'{entry}.segmentation'):
        pairs = _groups(values, 2, source, where)
        corners = ring(xy_list(pairs, source, where), source, where)
        regions.append(Region(label, (corners,), entry=entry))
    return regions


def _points(
    values: object, label: str, half: float, source: Path, entry: str
) -> list[Point]:
    points = []
    where = f'{entry}.keypoints'
    for index, group in enumerate(_groups(values, 3, source, where)):
        part = f'{where}[{3 * index}:{3 * index + 3}]'
        if get(group, 2, float, source, part) > 0:
            ((x, y),) = xy_list([group[:2]], source, part).tolist()
            points.append(Point(label, (x + half, y + half), entry=part))
    return points


def _boxed(item: object, label: str, source: Path, entry: str) -> Region:
    where = f'{entry}.bbox'
    box = get(item, 'bbox', list, source, entry)
    pairs = xy_list(_groups(box, 2, source, where), source, where)
    if pairs.shape != (2, 2) or pairs[1].min() < 0:
        raise FormatError(
            source, where,
            f'expected [x, y, width, height] of a box, got {shown(box)}',
        )  # fmt: skip
    corners = rectangle(*pairs[0], *pairs.sum(0))
    return Region(label, (corners,), entry=entry)


def _groups(
    values: object, length: int, source: Path, entry: str
) -> list[list[Any]]:
    """Cut a flat list into groups, ``[x, y]`` or ``[x, y, v]``."""
    if not isinstance(values, list) or len(values) % length:
        raise FormatError(
            source, entry,
            f'expected {length} numbers a point, got {shown(values)}',
        )  # fmt: skip
    starts = range(0, len(values), length)
    return [values[start : start + length] for start in starts]
