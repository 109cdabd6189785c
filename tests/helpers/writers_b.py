"""Writers of the formats that readers are tried on.

A writer knows nothing of its reader: it writes what the tool would.
"""

import base64
import csv
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Shape,
    Stroke,
)


def supervisely(
    annotation: ImageAnnotation, *, pixels: bool = False
) -> dict[str, Any]:
    """Write a file of ``ann/``; in whole pixels, whose middles are meant."""
    width, height = annotation.size or (0, 0)
    half = 0.5 if pixels else 0.0

    def pairs(array: Any) -> list[list[Any]]:
        moved = (np.asarray(array) - half).tolist()
        return [[int(v) for v in p] for p in moved] if pixels else moved

    def fields(shape: Shape) -> dict[str, Any]:
        if isinstance(shape, PixelRegion):
            data = bitmap_data(shape.pixels)
            bitmap = {'data': data, 'origin': list(shape.origin)}
            return {'geometryType': 'bitmap', 'bitmap': bitmap}
        kind, rings = 'polygon', getattr(shape, 'rings', ())
        if isinstance(shape, Point):
            kind, rings = 'point', ([shape.xy],)
        elif isinstance(shape, Stroke):
            kind, rings = 'line', (shape.points,)
        exterior, *interior = (pairs(ring) for ring in rings)
        return {
            'geometryType': kind,
            'points': {'exterior': exterior, 'interior': interior},
        }

    return {
        'description': '',
        'tags': [
            {'id': 7, 'tagId': 1, 'name': tag, 'value': None,
             'labelerLogin': 'me', 'createdAt': '2024-01-01T00:00:00Z'}
            for tag in annotation.tags
        ],
        'size': {'height': height, 'width': width},
        'objects': [
            {'id': 1, 'classId': 2, 'classTitle': shape.label, 'tags': [],
             'description': '', **fields(shape)}
            for shape in annotation.shapes
        ],
    }  # fmt: skip


def bitmap_data(pixels: NDArray[np.bool_]) -> str:
    """Pack a mask as the SDK does: palette PNG, 0 transparent, zlib."""
    picture = Image.fromarray(pixels.astype(np.uint8))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    file = io.BytesIO()
    picture.save(file, format='PNG', transparency=0, optimize=0)
    return base64.b64encode(zlib.compress(file.getvalue())).decode()


def via(annotations: Iterable[ImageAnnotation]) -> dict[str, Any]:
    """Write an export of VIA 2; the class is in ``class``."""
    return {
        f'{annotation.image}{index}': {
            'filename': annotation.image,
            'size': index,
            'regions': [
                {'shape_attributes': _via_shape(shape),
                 'region_attributes': {'class': shape.label}}
                for shape in annotation.shapes
            ],
            'file_attributes': {
                'kind': dict.fromkeys(annotation.tags, True)
            },
        }
        for index, annotation in enumerate(annotations)
    }  # fmt: skip


def _via_shape(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, Point):
        return {'name': 'point', 'cx': shape.xy[0], 'cy': shape.xy[1]}
    if isinstance(shape, Stroke):
        name, line = 'polyline', shape.points
    else:
        name, line = 'polygon', shape.rings[0]
    xs, ys = line.T.tolist()
    return {'name': name, 'all_points_x': xs, 'all_points_y': ys}


def qupath(annotation: ImageAnnotation) -> dict[str, Any]:
    """Write a FeatureCollection; outlines end where they begin."""
    return {
        'type': 'FeatureCollection',
        'features': [
            {
                'type': 'Feature',
                'id': 'aa21b3a3-5fd1-4a3f-8e8b-b2b4f5e5a0a1',
                'geometry': _geojson(shape),
                'properties': {
                    'objectType': 'annotation',
                    'classification': {
                        'name': shape.label, 'color': [200, 0, 0],
                    },
                },
            }
            for shape in annotation.shapes
        ],
    }  # fmt: skip


def _geojson(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, Point):
        return {'type': 'Point', 'coordinates': list(shape.xy)}
    if isinstance(shape, Stroke):
        return {'type': 'LineString', 'coordinates': shape.points.tolist()}
    closed = [[*ring.tolist(), ring[0].tolist()] for ring in shape.rings]
    return {'type': 'Polygon', 'coordinates': closed}


def csv_points(
    rows: Sequence[tuple[str, Point]], *, pixels: bool, delimiter: str = ','
) -> str:
    """Write CoralNet's table, or one of x and y."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(
        ['Name', 'Row', 'Column', 'Label'] if pixels
        else ['label', 'x', 'image', 'y']
    )  # fmt: skip
    for image, point in rows:
        x, y = point.xy
        writer.writerow(
            [image, int(y - 0.5), int(x - 0.5), point.label] if pixels
            else [point.label, repr(x), image, repr(y)]
        )  # fmt: skip
    return file.getvalue()


def scribblesup_xml(annotation: ImageAnnotation) -> bytes:
    root = ElementTree.Element('annotation')
    if annotation.size:
        size = ElementTree.SubElement(root, 'size')
        for name, side in zip(
            ('width', 'height'), annotation.size, strict=True
        ):
            ElementTree.SubElement(size, name).text = str(side)
    for stroke in annotation.shapes:
        assert isinstance(stroke, Stroke)
        polygon = ElementTree.SubElement(root, 'polygon')
        ElementTree.SubElement(polygon, 'tag').text = stroke.label
        for x, y in stroke.points.tolist():
            point = ElementTree.SubElement(polygon, 'point')
            ElementTree.SubElement(point, 'X').text = repr(x)
            ElementTree.SubElement(point, 'Y').text = repr(y)
    return ElementTree.tostring(root, encoding='utf-8')


def whats_the_point(
    annotations: Iterable[ImageAnnotation],
) -> dict[str, list[dict[str, Any]]]:
    return {
        annotation.image: [
            {'y': p.xy[1], 'x': p.xy[0], 'rank': i, 'cls': int(p.label)}
            for i, p in enumerate(annotation.shapes, 1)
            if isinstance(p, Point)
        ]
        for annotation in annotations
    }


def save_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path
