"""Reader of Label Studio's JSON export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw, Struct, field
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
from ...image_finder import possible_names
from ..annotation import ImageAnnotation, Point, Region, Shape, Stroke
from ..coverage import ellipse, rectangle
from .label_studio_vector import Vector, vector_lines
from .rle import decode_brush
from .shared import (
    MAX_COORDINATE,
    NULL,
    XY,
    Coordinate,
    Length,
    Line,
    class_name,
    coordinate,
    each,
    members,
    pixel_regions,
    ring,
    stored_name,
    within_memory,
)

#: Where a result stands, itself, and its labels.
Labelled = tuple[str, '_Result', list[str]]

#: Results that say nothing of classes.
_REMARKS = ('datetime', 'number', 'pairwise', 'rating', 'relation', 'textarea')
_PICTURES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def read(
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read tasks as Label Studio exports them in the format "JSON".

    Key points are points; polygons, rectangles and ellipses (turned ones
    too) and brush strokes are areas; vectors are strokes, closed ones areas; a
    polygon that was not closed is a stroke;
    choices for the whole image are tags.
    All annotations of a task that were not cancelled count, later ones above
    earlier ones; predictions and drafts do not. Who made them is told by
    ``completed_by``: the address, or the number where there is none. A shape
    with several labels is there once for each. Coordinates are percent of the
    image's sides, from its corner.

    The image is named by the task's data: by ``image``, else by the only
    value that looks like a picture.

    Args:
        source: The JSON file.
        on_error: Called with what is wrong with a task or a shape;
            where it returns, that is left out.

    Yields:
        Every annotation of every task in the order of the file; of tasks
        without any, an image without shapes.

    Raises:
        FormatError: If the file is malformed, or a result is of a type that
            is not listed above.
        OSError: If the file cannot be read.
    """
    tasks: list[Raw] = load_json(source, list[Raw])
    yield from each(
        members('tasks', tasks),
        lambda entry, task: _read_task(task, source, entry, on_error),
        on_error,
    )


class _Result(Struct):
    type: str
    id: str | None = None
    value: Raw = NULL
    original_width: float | None = None
    original_height: float | None = None
    image_rotation: float | None = None
    item_index: float | None = None


class _User(Struct):
    id: int | None = None
    email: str | None = None


class _Annotation(Struct):
    result: list[_Result] | None
    was_cancelled: bool | None = None
    completed_by: int | str | _User | None = None


class _Task(Struct):
    data: dict[str, Any] = {}
    annotations: list[_Annotation] | None = None


class _KeyPoint(Struct):
    x: Coordinate
    y: Coordinate


class _Rectangle(_KeyPoint):
    width: Length
    height: Length
    rotation: float = 0.0


class _Ellipse(_KeyPoint):
    radius_x: Length = field(name='radiusX')
    radius_y: Length = field(name='radiusY')
    rotation: float = 0.0


class _Polygon(Struct):
    points: Line
    closed: bool | None = None


class _Brush(Struct):
    format: str
    rle: list[int]


#: What the value of a shape holds beside its labels; the types are called so
#: with 'labels' at the end where the tool's configuration has e.g.
#: <PolygonLabels>, and without it where it has <Polygon> and <Labels>, which
#: then give a result each, with the same id.
_SHAPES = {
    'keypoint': _KeyPoint,
    'polygon': _Polygon,
    'rectangle': _Rectangle,
    'ellipse': _Ellipse,
    'brush': _Brush,
    'vector': Vector,
}


def _read_task(
    item: Raw, source: Path, entry: str, on_error: OnError
) -> Iterator[ImageAnnotation]:
    task: _Task = decode_json(item, _Task, source, entry)
    if task.annotations is None:
        raise FormatError(
            source, entry,
            "no 'annotations'; export in the format JSON, not JSON-MIN",
        )  # fmt: skip
    image = stored_name(*_image(task.data, source, f'{entry}.data'))
    own = f'{entry} {shown(image)}'
    done = [
        (where, annotation)
        for where, annotation in members(
            f'{entry}.annotations', task.annotations
        )
        if not annotation.was_cancelled
    ]
    if not done:
        yield ImageAnnotation(image, str(source), entry=own)
    for where, annotation in done:
        read = _read_annotation(annotation, source, where, on_error)
        yield replace(read, image=image, entry=own)


def _read_annotation(
    annotation: _Annotation, source: Path, entry: str, on_error: OnError
) -> ImageAnnotation:
    """Return what one person says about the image of a task."""
    results = list(members(f'{entry}.result', annotation.result or []))
    labelled = list(_labelled(results, source))
    drawn = [item for item in labelled if item[1].type != 'choices']
    shapes = each(
        drawn,
        lambda where, result, labels: _shapes(result, labels, source, where),
        on_error,
    )
    tags = dict.fromkeys(
        label
        for _, result, labels in labelled
        if result.type == 'choices'
        for label in labels
    )
    sizes = {_extent(result, source, where) for where, result, _ in drawn}
    if len(sizes) > 1:
        raise FormatError(
            source, entry,
            f'one image has several sizes: {shown(sorted(sizes))}',
        )  # fmt: skip
    return ImageAnnotation(
        image='',
        source=str(source),
        size=next(iter(sizes), None),
        shapes=tuple(within_memory(shapes, source, entry)),
        tags=tuple(tags),
        annotator=_annotator(annotation.completed_by),
    )


def _annotator(user: int | str | _User | None) -> str:
    if isinstance(user, _User):
        user = user.email or user.id
    return '' if user is None else str(user)


def _labelled(
    results: list[tuple[str, _Result]], source: Path
) -> Iterator[Labelled]:
    """Yield the results of one annotation that label something."""
    shared: dict[str | None, list[str]] = {}  # the labels of bare shapes
    shaped = set()
    for where, result in results:
        if result.type == 'labels':
            shared[result.id] = _labels(result, source, where)
        elif result.type.removesuffix('labels') in _SHAPES:
            shaped.add(result.id)
    for where, result in results:
        kind = result.type
        if kind in _REMARKS or kind == 'labels':
            continue
        if kind == 'choices':
            if result.id is None or result.id not in shaped:  # of the image
                yield where, result, _labels(result, source, where)
        elif kind in _SHAPES:
            if result.id is None or result.id not in shared:
                raise FormatError(source, where, f'the {kind} has no label')
            yield where, result, shared[result.id]
        elif kind.removesuffix('labels') in _SHAPES:
            yield where, result, _labels(result, source, where)
        else:
            raise FormatError(
                source, f'{where}.type', f'{shown(kind)} is not supported'
            )


def _labels(result: _Result, source: Path, entry: str) -> list[str]:
    where = f'{entry}.value'
    value = decode_json(result.value, dict[str, Raw], source, where)
    where = f'{where}.{result.type}'
    listed = value.get(result.type, NULL)
    labels = [
        class_name(name, source, part)
        for part, name in members(
            where, decode_json(listed, list[str], source, where)
        )
    ]
    if not labels and result.type != 'choices':
        raise FormatError(source, where, 'the shape has no label')
    return labels


def _extent(result: _Result, source: Path, entry: str) -> tuple[int, int]:
    """Return the size of the image, which must be seen as it is stored."""
    for key, value in (
        ('image_rotation', result.image_rotation),
        ('item_index', result.item_index),
    ):
        if value:
            raise FormatError(
                source, f'{entry}.{key}',
                'turned images and tasks of several images are not '
                f'supported, got {value:g}',
            )  # fmt: skip
    width, height = result.original_width, result.original_height
    return size(width, height, source, f'{entry}.original')


def _shapes(
    result: _Result, labels: list[str], source: Path, entry: str
) -> Iterator[Shape]:
    """Yield the shape once for each of its labels."""
    extent = _extent(result, source, entry)
    kind, where = result.type.removesuffix('labels'), f'{entry}.value'
    value = decode_json(result.value, _SHAPES[kind], source, where)
    if isinstance(value, _Brush):
        if value.format != 'rle':
            raise FormatError(
                source, f'{where}.format',
                f"expected 'rle', got {shown(value.format)}",
            )  # fmt: skip
        width, height = extent
        where += '.rle'
        mask = decode_brush(value.rle, height, width, source, where)
        for label in labels:
            yield from pixel_regions(label, mask, entry=entry)
    elif kind == 'keypoint':
        ((x, y),) = _pixels([(value.x, value.y)], extent, source, where)
        for label in labels:
            yield Point(label, (float(x), float(y)), entry=entry)
    elif isinstance(value, Vector):
        for line in vector_lines(value, extent, source, where):
            _check_range(line, source, where)
            for label in labels:
                if value.closed:
                    outline = ring(line, source, f'{where}.vertices')
                    yield Region(label, (outline,), entry=entry)
                else:
                    yield Stroke(label, line, entry=entry)
    elif isinstance(value, _Polygon) and value.closed is False:
        line = _pixels(value.points, extent, source, f'{where}.points')
        for label in labels:
            yield Stroke(label, line, entry=entry)
    else:
        where += '.points' * isinstance(value, _Polygon)
        outline = ring(_outline(value, extent, source, where), source, where)
        for label in labels:
            yield Region(label, (outline,), entry=entry)


def _outline(
    value: _Polygon | _Rectangle | _Ellipse,
    extent: tuple[int, int],
    source: Path,
    entry: str,
) -> NDArray[np.float64]:
    """Return an outline in pixels.

    A rectangle turns about its top left corner, an ellipse about its middle.
    """
    if isinstance(value, _Polygon):
        return _pixels(value.points, extent, source, entry)
    place = (value.x, value.y)
    if isinstance(value, _Ellipse):
        radii = (value.radius_x, value.radius_y)
        places = _pixels([place, radii], extent, source, entry)
        return ellipse(*places.tolist(), degrees=value.rotation)
    sides = (value.width, value.height)
    places = _pixels([place, sides], extent, source, entry)
    (x, y), (width, height) = places.tolist()
    return rectangle(
        x, y, x + width, y + height, degrees=value.rotation, pivot=(x, y)
    )


def _pixels(
    percent: Sequence[XY], extent: tuple[int, int], source: Path, entry: str
) -> NDArray[np.float64]:
    """Return ``[[x, y], ...]`` in pixels, of values in percent."""
    points = np.array(percent) * extent / 100
    _check_range(points, source, entry)
    return points


def _check_range(
    points: NDArray[np.float64], source: Path, entry: str
) -> None:
    far = points[np.abs(points) > MAX_COORDINATE]
    if len(far):
        coordinate(float(far[0]), source, entry)  # raises


def _image(
    data: Mapping[str, Any], source: Path, entry: str
) -> tuple[object, Path, str]:
    """Return the value that names a task's image, and where it stands."""
    key = 'image'
    if key not in data:
        found = [
            name for name, value in data.items()
            if isinstance(value, str)
            and any(
                part.lower().endswith(_PICTURES)
                for part in possible_names(value)
            )
        ]  # fmt: skip
        if len(found) != 1:
            raise FormatError(
                source, entry,
                "expected 'image' or one other value that names a picture, "
                f'got {shown(list(data))}',
            )  # fmt: skip
        key = found[0]
    return data[key], source, f'{entry}.{key}'
