"""Annotation files of LabelMe, CVAT, COCO and Label Studio.

Our readers of these formats give back what is written. Regions become
polygons of one ring; holes are joined to it by cuts. CVAT also gets strokes.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from ..importers.annotation import ImageAnnotation, Region, Stroke
from .outlines import Ring, area, keyhole

#: What a format is written to, for help texts.
EXPORTS = {
    'labelme': 'NAME.json, one an image',
    'cvat': 'annotations.xml, "CVAT for images 1.1"',
    'coco': 'annotations.json, instances',
    'label-studio': 'annotations.json, tasks',
}


def write_annotations(
    name: str,
    annotations: Iterable[ImageAnnotation],
    classes: Sequence[str],
) -> dict[str, bytes]:
    """Return the files of a format: path and content.

    Args:
        name: A key of :data:`EXPORTS`.
        annotations: Images with their sizes; shapes are regions, and for CVAT
            also strokes.
        classes: Class names in order of their indices.

    Raises:
        ValueError: If the format is unknown.
    """
    items = list(annotations)
    if name == 'labelme':
        return {
            f'{PurePosixPath(a.image).with_suffix("")}.json': _dump(
                _labelme(a)
            )
            for a in items
        }
    if name == 'cvat':
        return {'annotations.xml': _cvat(items)}
    if name == 'coco':
        return {'annotations.json': _dump(_coco(items, classes))}
    if name == 'label-studio':
        return {'annotations.json': _dump([_task(a) for a in items])}
    raise ValueError(
        f'expected one of the formats {", ".join(EXPORTS)}, got {name!r}'
    )


def _dump(content: Any) -> bytes:
    return (json.dumps(content, allow_nan=False) + '\n').encode()


def _polygons(annotation: ImageAnnotation) -> list[tuple[str, Ring]]:
    """Return class and ring of each region."""
    return [
        (shape.label, keyhole(shape.rings))
        for shape in annotation.shapes
        if isinstance(shape, Region)
    ]


def _size(annotation: ImageAnnotation) -> tuple[int, int]:
    if annotation.size is None:
        raise ValueError(f'{annotation.image}: expected a size, got None')
    return annotation.size


def _labelme(annotation: ImageAnnotation) -> dict[str, Any]:
    width, height = _size(annotation)
    return {
        'version': '5.5.0',
        'flags': {},
        'shapes': [
            {
                'label': label,
                'points': ring.tolist(),
                'group_id': None,
                'description': '',
                'shape_type': 'polygon',
                'flags': {},
                'mask': None,
            }
            for label, ring in _polygons(annotation)
        ],
        'imagePath': PurePosixPath(annotation.image).name,
        'imageData': None,
        'imageHeight': height,
        'imageWidth': width,
    }


def _cvat(annotations: Sequence[ImageAnnotation]) -> bytes:
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    for number, annotation in enumerate(annotations):
        width, height = _size(annotation)
        image = ElementTree.SubElement(
            root, 'image', id=str(number), name=annotation.image,
            width=str(width), height=str(height),
        )  # fmt: skip
        lines = [('polygon', *shape) for shape in _polygons(annotation)]
        lines += [
            ('polyline', shape.label, shape.points)
            for shape in annotation.shapes
            if isinstance(shape, Stroke)
        ]
        for kind, label, line in lines:
            points = ';'.join(f'{x!r},{y!r}' for x, y in line.tolist())
            ElementTree.SubElement(
                image, kind, label=label, source='auto', occluded='0',
                points=points, z_order='0',
            )  # fmt: skip
    ElementTree.indent(root)
    return ElementTree.tostring(root, 'utf-8', xml_declaration=True)


def _coco(
    annotations: Sequence[ImageAnnotation], classes: Sequence[str]
) -> dict[str, Any]:
    shapes: list[dict[str, Any]] = []
    for number, annotation in enumerate(annotations, 1):
        for label, ring in _polygons(annotation):
            x, y = ring.T
            left, top = float(x.min()), float(y.min())
            shapes.append(
                {
                    'id': len(shapes) + 1,
                    'image_id': number,
                    'category_id': classes.index(label) + 1,
                    'segmentation': [ring.ravel().tolist()],
                    'area': abs(area(ring)),
                    'bbox': [
                        left, top, float(x.max()) - left,
                        float(y.max()) - top,
                    ],
                    'iscrowd': 0,
                }
            )  # fmt: skip
    return {
        'images': [
            {
                'id': number,
                'file_name': annotation.image,
                'width': _size(annotation)[0],
                'height': _size(annotation)[1],
            }
            for number, annotation in enumerate(annotations, 1)
        ],
        'annotations': shapes,
        'categories': [
            {'id': index, 'name': name}
            for index, name in enumerate(classes, 1)
        ],
    }


def _task(annotation: ImageAnnotation) -> dict[str, Any]:
    """Return a task of Label Studio; coordinates are percent of the sides."""
    width, height = _size(annotation)
    results = [
        {
            'original_width': width,
            'original_height': height,
            'image_rotation': 0,
            'value': {
                'points': [
                    [100 * x / width, 100 * y / height]
                    for x, y in ring.tolist()
                ],
                'closed': True,
                'polygonlabels': [label],
            },
            'id': f'{number}',
            'from_name': 'label',
            'to_name': 'image',
            'type': 'polygonlabels',
            'origin': 'prediction',
        }
        for number, (label, ring) in enumerate(_polygons(annotation))
    ]
    return {
        'data': {'image': annotation.image},
        'annotations': [{'was_cancelled': False, 'result': results}],
    }
