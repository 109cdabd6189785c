"""Reader of Label Studio's JSON export."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import numpy as np
from numpy.typing import NDArray

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
from ..coverage import ellipse, rectangle
from .rle import decode_brush
from .shared import (
    class_name,
    each,
    pixel_regions,
    ring,
    within_memory,
    xy_list,
)

#: Where a result stands, itself, and its labels.
Result = tuple[str, Any, list[str]]

#: Types of shapes; with 'labels' behind the name where the tool's
#: configuration has e.g. <PolygonLabels>, bare where it has <Polygon> and
#: <Labels>, which then give a result each, of the same id.
_SHAPES = ('keypoint', 'polygon', 'rectangle', 'ellipse', 'brush')
#: Results that say nothing of classes.
_REMARKS = ('datetime', 'number', 'pairwise', 'rating', 'relation', 'textarea')
#: What an upload is stored as: eight digits of a random id, then its name.
_UPLOAD = re.compile(r'(?:.*/)?upload/(?:\d+/)?(?:[0-9a-f]{8}-)?([^/]+)')
_PICTURES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def read(
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read tasks as Label Studio exports them in the format "JSON".

    Key points are points; polygons, rectangles and ellipses (turned ones
    too) and brush strokes are areas; choices for the whole image are tags.
    All annotations of a task that were not cancelled count, later ones above
    earlier ones; predictions and drafts do not. A shape with several labels
    is there once for each. Coordinates are percent of the image's sides, from
    its corner.

    The image is named by the task's data: by ``image``, else by the only
    value that looks like a picture. Uploads lose the random id before their
    name, local files keep their folders, other URLs their last part alone.

    Args:
        source: The JSON file.
        on_error: Called with what is wrong with a task or a shape;
            where it returns, that is left out.

    Yields:
        Every task in the order of the file, without shapes too.

    Raises:
        FormatError: If the file is malformed, or a result is of a type that
            is not listed above.
        OSError: If the file cannot be read.
    """
    tasks = load_json(source)
    yield from each(
        members(tasks, source, 'tasks'),
        lambda entry, task: _read_task(task, source, entry, on_error),
        on_error,
    )


def _read_task(
    task: object, source: Path, entry: str, on_error: OnError
) -> Iterator[ImageAnnotation]:
    if isinstance(task, dict) and 'annotations' not in task:
        raise FormatError(
            source, entry,
            "no 'annotations'; export in the format JSON, not JSON-MIN",
        )  # fmt: skip
    data = get(task, 'data', dict, source, entry)
    results = list(_results(task, source, entry))
    shapes = each(
        [item for item in results if item[1]['type'] != 'choices'],
        lambda where, result, labels: [
            shape
            for label in labels
            for shape in _shapes(result, label, source, where)
        ],
        on_error,
    )
    tags = [
        label
        for _, result, labels in results
        if result['type'] == 'choices'
        for label in labels
    ]
    extent = _common_extent(results, source, entry)
    yield ImageAnnotation(
        image=_image(data, source, f'{entry}.data'),
        source=str(source),
        size=extent,
        shapes=tuple(within_memory(shapes, source, entry)),
        tags=tuple(dict.fromkeys(tags)),
    )


def _results(task: object, source: Path, entry: str) -> Iterator[Result]:
    """Yield the results of a task with their labels: shapes and tags."""
    annotations = get(task, 'annotations', list, source, entry)
    for where, item in members(annotations, source, f'{entry}.annotations'):
        flag = (bool, type(None))
        if get(item, 'was_cancelled', flag, source, where, default=False):
            continue
        listed = get(item, 'result', (list, type(None)), source, where) or []
        results = members(listed, source, f'{where}.result')
        yield from _labelled(results, source)


def _labelled(
    results: list[tuple[str, Any]], source: Path
) -> Iterator[Result]:
    """Yield the results of one annotation that label something."""
    kinds = [get(item, 'type', str, source, where) for where, item in results]
    shared: dict[Any, list[str]] = {}  # the labels of bare shapes
    shaped = set()
    for (where, item), kind in zip(results, kinds, strict=True):
        if kind == 'labels':
            key = get(item, 'id', str, source, where)
            shared[key] = _labels(item, kind, source, where)
        elif kind.removesuffix('labels') in _SHAPES:
            shaped.add(get(item, 'id', (str, type(None)), source, where,
                           default=None))  # fmt: skip
    for (where, item), kind in zip(results, kinds, strict=True):
        key = get(item, 'id', (str, type(None)), source, where, default=None)
        if kind in _REMARKS or kind == 'labels':
            continue
        if kind == 'choices':
            if key is None or key not in shaped:  # not of a single shape
                yield where, item, _labels(item, kind, source, where)
        elif kind in _SHAPES:
            if key not in shared:
                raise FormatError(source, where, f'the {kind} has no label')
            yield where, item, shared[key]
        elif kind.removesuffix('labels') in _SHAPES:
            yield where, item, _labels(item, kind, source, where)
        else:
            raise FormatError(
                source, f'{where}.type', f'{shown(kind)} is not supported'
            )


def _labels(item: object, kind: str, source: Path, entry: str) -> list[str]:
    where = f'{entry}.value'
    value = get(item, 'value', dict, source, entry)
    listed = get(value, kind, list, source, where)
    labels = [
        class_name(name, source, part)
        for part, name in members(listed, source, f'{where}.{kind}')
    ]
    if not labels and kind != 'choices':
        raise FormatError(source, f'{where}.{kind}', 'the shape has no label')
    return labels


def _common_extent(
    results: list[Result], source: Path, entry: str
) -> tuple[int, int] | None:
    """Return the size of the image that all shapes state, if there are any."""
    sizes = {
        _extent(result, source, where)
        for where, result, _ in results
        if result['type'] != 'choices'
    }
    if len(sizes) > 1:
        raise FormatError(
            source, entry,
            f'one image has several sizes: {shown(sorted(sizes))}',
        )  # fmt: skip
    return next(iter(sizes), None)


def _extent(result: object, source: Path, entry: str) -> tuple[int, int]:
    """Return the size of the image, which must be seen as it is stored."""
    kinds = (float, type(None))
    for key in ('image_rotation', 'item_index'):
        if get(result, key, kinds, source, entry, default=0):
            raise FormatError(
                source, f'{entry}.{key}',
                'turned images and tasks of several images are not '
                f'supported, got {shown(result[key])}',  # type: ignore[index]
            )  # fmt: skip
    width, height = (
        get(result, f'original_{side}', float, source, entry)
        for side in ('width', 'height')
    )
    return size(width, height, source, f'{entry}.original')


def _shapes(
    result: Any, label: str, source: Path, entry: str
) -> tuple[Shape, ...]:
    extent = _extent(result, source, entry)
    value = get(result, 'value', dict, source, entry)
    where = f'{entry}.value'
    kind = result['type'].removesuffix('labels')
    if kind == 'brush':
        form = get(value, 'format', str, source, where)
        if form != 'rle':
            raise FormatError(
                source, f'{where}.format', f"expected 'rle', got {shown(form)}"
            )
        code = get(value, 'rle', list, source, where)
        mask = decode_brush(code, extent[1], extent[0], source, f'{where}.rle')
        return pixel_regions(label, mask, entry=entry)
    if kind == 'polygon':
        points = get(value, 'points', list, source, where)
        where = f'{where}.points'
        outline = _pixels(points, extent, source, where)
    else:
        place = _pixels(
            [[get(value, key, float, source, where) for key in ('x', 'y')]],
            extent, source, where,
        )[0]  # fmt: skip
        if kind == 'keypoint':
            x, y = place.tolist()
            return (Point(label, (x, y), entry=entry),)
        outline = _turned(kind, place, value, extent, source, where)
    return (Region(label, (ring(outline, source, where),), entry=entry),)


def _turned(
    kind: str,
    place: NDArray[np.float64],
    value: Mapping[str, Any],
    extent: tuple[int, int],
    source: Path,
    entry: str,
) -> NDArray[np.float64]:
    """Return the outline of a rectangle or an ellipse.

    A rectangle turns about its top left corner, an ellipse about its middle.
    """
    box = kind == 'rectangle'
    keys = ('width', 'height') if box else ('radiusX', 'radiusY')
    sides = [get(value, key, float, source, entry) for key in keys]
    if min(sides) < 0:
        raise FormatError(
            source, entry, f'expected {keys} of at least 0, got {sides}'
        )
    x, y = place.tolist()
    width, height = _pixels([sides], extent, source, entry)[0].tolist()
    degrees = get(value, 'rotation', float, source, entry, default=0.0)
    if box:
        return rectangle(
            x, y, x + width, y + height, degrees=degrees, pivot=(x, y)
        )
    return ellipse((x, y), (width, height), degrees=degrees)


def _pixels(
    percent: Any, extent: tuple[int, int], source: Path, entry: str
) -> NDArray[np.float64]:
    """Return ``[[x, y], ...]`` in pixels, of values in percent."""
    points = xy_list(percent, source, entry) * extent / 100
    return xy_list(points.tolist(), source, entry)  # within bounds still


def _image(data: Mapping[str, Any], source: Path, entry: str) -> str:
    """Return the name of a task's image."""
    key = 'image'
    if key not in data:
        found = [
            name for name, value in data.items()
            if isinstance(value, str)
            and _file_of(value).lower().endswith(_PICTURES)
        ]  # fmt: skip
        if len(found) != 1:
            raise FormatError(
                source, entry,
                "expected 'image' or one other value that names a picture, "
                f'got {shown(list(data))}',
            )  # fmt: skip
        key = found[0]
    where = f'{entry}.{key}'
    url = get(data, key, str, source, entry)
    if url.startswith('data:'):
        raise FormatError(
            source,
            where,
            f'a picture within the file has no name: {shown(url)}',
        )
    return image_name(_file_of(url), source, where)


def _file_of(url: str) -> str:
    """Return the file that a URL of a task stands for."""
    scheme, separator, rest = url.partition('://')
    if separator and scheme not in ('http', 'https'):  # s3, gs, azure-blob
        return url.rpartition('/')[2]
    address = f'/{rest.partition("/")[2]}' if separator else url
    path, _, query = address.partition('?')
    if path.rstrip('/').endswith('/local-files'):
        return parse_qs(query).get('d', [''])[0]
    upload = _UPLOAD.fullmatch(path)
    if upload:
        return unquote(upload[1])
    return unquote(path.rpartition('/')[2]) if separator else url
