"""Reader of QuPath's GeoJSON: one file of objects an image."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from msgspec import Raw, Struct

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    load_json,
    read_bytes,
    refuse,
    shown,
)
from ..annotation import ImageAnnotation, Point, Region, Shape, Stroke
from .shared import (
    NULL,
    XY,
    Line,
    class_name,
    each,
    each_file,
    members,
    name_below,
    ring,
    source_files,
)

#: A text, which may hold anything, or a constant that JSON does not have. A
#: text without end reaches to the end of the file, so that not every quote in
#: it is tried as a start.
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


class _Collection(Struct):
    type: str
    features: list[Raw] | None = None


class _Classification(Struct):
    name: str | None = None
    names: list[str] | None = None


class _Properties(Struct):
    classification: _Classification | None = None


class _Feature(Struct):
    properties: _Properties
    geometry: Raw = NULL


class _Geometry(Struct):
    type: str
    coordinates: Raw = NULL


def _features(path: Path) -> list[tuple[str, Raw]]:
    text = _quote_constants(read_bytes(path))
    whole: Raw = load_json(path, Raw, text=text)
    content: list[Raw] | _Collection = decode_json(
        whole, list[Raw] | _Collection, path
    )
    if isinstance(content, list):
        return list(members('', content))
    if content.type == 'Feature':
        return [('', whole)]
    if content.type != 'FeatureCollection':
        raise FormatError(
            path, 'type',
            'expected FeatureCollection or Feature, got '
            f'{shown(content.type)}',
        )  # fmt: skip
    if content.features is None:
        raise FormatError(path, 'features', 'missing')
    return list(members('features', content.features))


def _shapes(
    item: Raw, skip_unclassified: bool, path: Path, entry: str
) -> Iterator[Shape]:
    feature: _Feature = decode_json(item, _Feature, path, entry)
    where = f'{entry}.properties.classification'.lstrip('.')
    classification = feature.properties.classification
    if classification is None:
        if skip_unclassified:
            return
        raise FormatError(
            path, where, 'an object without a class (option skip_unclassified)'
        )
    label = _label(classification, path, where)
    where = f'{entry}.geometry'.lstrip('.')
    geometry: _Geometry = decode_json(feature.geometry, _Geometry, path, where)
    if geometry.type not in PARTS:
        raise FormatError(
            path, f'{where}.type',
            f'expected {", ".join(PARTS)}, got {shown(geometry.type)}',
        )  # fmt: skip
    kind, where = PARTS[geometry.type], f'{where}.coordinates'
    parts = [(where, geometry.coordinates)]
    if kind != geometry.type:
        several = decode_json(geometry.coordinates, list[Raw], path, where)
        parts = list(members(where, several))
    for part_entry, part in parts:
        yield _shape(kind, label, part, path, part_entry)


def _label(item: _Classification, path: Path, entry: str) -> str:
    if item.names is None:
        return class_name(item.name, path, f'{entry}.name')
    parts = [
        class_name(name, path, where)
        for where, name in members(f'{entry}.names', item.names)
    ]
    return class_name(': '.join(parts), path, f'{entry}.names')


def _shape(kind: str, label: str, part: Raw, path: Path, entry: str) -> Shape:
    if kind == 'Point':
        xy: XY = decode_json(part, XY, path, entry)
        return Point(label, xy, entry=entry)
    if kind == 'LineString':
        points = np.array(decode_json(part, Line, path, entry))
        return Stroke(label, points, entry=entry)
    rings = tuple(
        ring(np.array(line), path, where)
        for where, line in members(
            entry, decode_json(part, list[Line], path, entry)
        )
    )
    if not rings:
        raise FormatError(path, entry, 'a polygon without an outline')
    return Region(label, rings, entry=entry)
