"""Reader of QuPath's GeoJSON: one file of objects an image."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....utils.untrusted import (
    FormatError,
    OnError,
    get,
    load_json,
    members,
    read_bytes,
    refuse,
    shown,
)
from ..annotation import ImageAnnotation, Point, Region, Shape, Stroke
from .shared import (
    class_name,
    each,
    each_file,
    name_below,
    ring,
    source_files,
    xy_list,
)

#: A text, which may hold anything, or a constant that JSON does not have. A
#: text without end goes to the end, lest each quote in it be tried as one.
_CONSTANT = re.compile(
    rb'"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|(-?(?:NaN|Infinity))', re.DOTALL
)
#: Geometries that are read, and what each of their parts is.
PARTS = {
    'Point': 'Point',
    'MultiPoint': 'Point',
    'LineString': 'LineString',
    'MultiLineString': 'LineString',
    'Polygon': 'Polygon',
    'MultiPolygon': 'Polygon',
}


def read(
    source: Path,
    *,
    skip_unclassified: bool = False,
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read the objects that QuPath exports as GeoJSON.

    Points stay points, lines become strokes, polygons areas with their holes;
    each part of a Multi... is a shape of its own. Coordinates are pixels of
    the full resolution from the corner of the image, as here. The class is
    the ``name`` of the ``classification``; of one with several ``names``,
    they are joined by ``': '``, as QuPath shows them.

    Args:
        source: A FeatureCollection, a Feature or a list of Features; or a
            folder of such files (``.geojson``, ``.json``), folders within
            included.
        skip_unclassified: Leave out objects without a class, such as an
            outline around the tissue; otherwise they are an error.
        on_error: Called with what is wrong with a file or an object;
            where it returns, that is left out.

    Yields:
        One image a file, in the order of the paths, named as its file without
        the suffix, with its folders below ``source``.

    Raises:
        FormatError: If a file is malformed.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        source_files(source, ['.geojson', '.json'], recursive=True),
        lambda path: _read_file(path, source, skip_unclassified, on_error),
        on_error,
    )


def _read_file(
    path: Path, source: Path, skip_unclassified: bool, on_error: OnError
) -> Iterator[ImageAnnotation]:
    shapes = each(
        _features(path),
        lambda entry, item: _shapes(item, skip_unclassified, path, entry),
        on_error,
    )
    yield ImageAnnotation(
        name_below(path, source), str(path), shapes=tuple(shapes)
    )


def _quote_constants(text: bytes) -> bytes:
    """Make texts of NaN and Infinity, which QuPath writes as measurements.

    Measurements are not read; a coordinate that is a text is refused.
    """
    if b'NaN' not in text and b'Infinity' not in text:
        return text
    return _CONSTANT.sub(
        lambda m: b'"' + m[1] + b'"' if m[1] else m[0], text
    )  # fmt: skip


def _features(path: Path) -> list[tuple[str, Any]]:
    content = load_json(path, text=_quote_constants(read_bytes(path)))
    if isinstance(content, list):
        return members(content, path)
    kind = get(content, 'type', str, path)
    if kind == 'Feature':
        return [('', content)]
    if kind != 'FeatureCollection':
        raise FormatError(
            path, 'type',
            f'expected FeatureCollection or Feature, got {shown(kind)}',
        )  # fmt: skip
    features = get(content, 'features', list, path)
    return members(features, path, 'features')


def _shapes(
    feature: Any, skip_unclassified: bool, path: Path, entry: str
) -> Iterator[Shape]:
    properties = get(feature, 'properties', dict, path, entry)
    where = f'{entry}.properties'.lstrip('.')
    classification = get(
        properties, 'classification', (dict, type(None)), path, where,
        default=None,
    )  # fmt: skip
    if classification is None:
        if skip_unclassified:
            return
        raise FormatError(
            path, f'{where}.classification',
            'an object without a class (option skip_unclassified)',
        )  # fmt: skip
    label = _label(classification, path, f'{where}.classification')
    geometry = get(feature, 'geometry', dict, path, entry)
    where = f'{entry}.geometry'.lstrip('.')
    kind = get(geometry, 'type', str, path, where)
    if kind not in PARTS:
        raise FormatError(
            path, f'{where}.type',
            f'expected {", ".join(PARTS)}, got {shown(kind)}',
        )  # fmt: skip
    coordinates = get(geometry, 'coordinates', list, path, where)
    parts = [(f'{where}.coordinates', coordinates)]
    if kind != PARTS[kind]:
        parts = members(coordinates, path, parts[0][0])
    for part_entry, part in parts:
        yield _shape(PARTS[kind], label, part, path, part_entry)


def _label(classification: Any, path: Path, entry: str) -> str:
    if 'names' in classification:
        names = members(
            get(classification, 'names', list, path, entry), path,
            f'{entry}.names',
        )  # fmt: skip
        parts = [class_name(name, path, where) for where, name in names]
        return class_name(': '.join(parts), path, f'{entry}.names')
    name = get(classification, 'name', str, path, entry)
    return class_name(name, path, f'{entry}.name')


def _shape(
    kind: str, label: str, coordinates: Any, path: Path, entry: str
) -> Shape:
    if kind == 'Point':
        x, y = xy_list([coordinates], path, entry)[0]
        return Point(label, (float(x), float(y)), entry=entry)
    if kind == 'LineString':
        points = xy_list(coordinates, path, entry)
        return Stroke(label, points, entry=entry)
    rings = tuple(
        ring(xy_list(line, path, where), path, where)
        for where, line in members(coordinates, path, entry)
    )
    if not rings:
        raise FormatError(path, entry, 'a polygon without an outline')
    return Region(label, rings, entry=entry)
