"""Writers of LabelMe, CVAT, Label Studio and COCO, to try the readers on."""

import base64
import io
import itertools
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Shape,
    Stroke,
)


def labelme(annotation: ImageAnnotation) -> dict[str, Any]:
    width, height = annotation.size or (None, None)
    return {
        'version': '5.5.0',
        'flags': {'unused': False} | dict.fromkeys(annotation.tags, True),
        'shapes': [
            {'label': shape.label, **_labelme_shape(shape), 'group_id': None,
             'description': '', 'flags': {}}
            for shape in annotation.shapes
        ],
        'imagePath': annotation.image,
        'imageData': None,
        'imageHeight': height,
        'imageWidth': width,
    }  # fmt: skip


def _labelme_shape(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, Point):
        return {'shape_type': 'point', 'points': [list(shape.xy)]}
    if isinstance(shape, Stroke):
        kind = 'line' if len(shape.points) == 2 else 'linestrip'
        return {'shape_type': kind, 'points': shape.points.tolist()}
    if isinstance(shape, Region):
        points = shape.rings[0].tolist()
        return {'shape_type': 'polygon', 'points': points, 'mask': None}
    (x, y), (height, width) = shape.origin, shape.pixels.shape
    return {
        'shape_type': 'mask',
        'points': [[x, y], [x + width - 1.0, y + height - 1.0]],
        'mask': png_base64(shape.pixels),
    }


def png_base64(pixels: NDArray[Any]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, format='PNG')
    return base64.b64encode(file.getvalue()).decode()


def cvat(annotations: Iterable[ImageAnnotation]) -> bytes:
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    ElementTree.SubElement(root, 'meta')
    for number, annotation in enumerate(annotations):
        width, height = annotation.size or (0, 0)
        image = ElementTree.SubElement(
            root, 'image', id=str(number), name=annotation.image,
            width=str(width), height=str(height),
        )  # fmt: skip
        for shape in annotation.shapes:
            kind, fields = cvat_shape(shape)
            common = {'label': shape.label, 'source': 'manual'}
            order = {'occluded': '0', 'z_order': str(shape.z)}
            ElementTree.SubElement(image, kind, common | fields | order)
        for tag in annotation.tags:
            ElementTree.SubElement(image, 'tag', label=tag, source='manual')
    return ElementTree.tostring(root, 'utf-8', xml_declaration=True)


def cvat_shape(shape: Shape) -> tuple[str, dict[str, str]]:
    if isinstance(shape, PixelRegion):
        (height, width), (x, y) = shape.pixels.shape, shape.origin
        runs = ', '.join(map(str, run_lengths(shape.pixels.ravel())))
        return 'mask', {
            'rle': runs, 'left': str(x), 'top': str(y),
            'width': str(width), 'height': str(height),
        }  # fmt: skip
    if isinstance(shape, Point):
        kind, points = 'points', [shape.xy]
    elif isinstance(shape, Stroke):
        kind, points = 'polyline', shape.points.tolist()
    else:
        kind, points = 'polygon', shape.rings[0].tolist()
    return kind, {'points': ';'.join(f'{x!r},{y!r}' for x, y in points)}


def label_studio(annotations: Iterable[ImageAnnotation]) -> list[Any]:
    return [
        {
            'id': number,
            'annotations': [{
                'id': 10 + number,
                'completed_by': 1,
                'was_cancelled': False,
                'result': [
                    *(_label_studio_shape(shape, annotation.size or (0, 0))
                      for shape in annotation.shapes),
                    {'id': 'tags', 'type': 'choices', 'to_name': 'image',
                     'value': {'choices': list(annotation.tags)}},
                ],
            }],
            'data': {'image': f'/data/upload/3/0a1b2c3d-{annotation.image}'},
            'predictions': [],
        }
        for number, annotation in enumerate(annotations)
    ]  # fmt: skip


def _label_studio_shape(shape: Shape, size: tuple[int, int]) -> dict[str, Any]:
    width, height = size
    percent = np.array([100 / width, 100 / height])
    if isinstance(shape, Point):
        x, y = (shape.xy * percent).tolist()
        kind, value = 'keypointlabels', {'x': x, 'y': y, 'width': 0.3}
    elif isinstance(shape, Region):
        points = (shape.rings[0] * percent).tolist()
        kind, value = 'polygonlabels', {'points': points, 'closed': True}
    else:
        assert isinstance(shape, PixelRegion)
        alpha = 255 * whole(shape, size).astype(np.uint8)
        rgba = np.repeat(alpha.ravel(), 4)
        kind, value = 'brushlabels', {'format': 'rle', 'rle': brush_rle(rgba)}
    return {
        'original_width': width,
        'original_height': height,
        'image_rotation': 0,
        'value': {**value, kind: [shape.label]},
        'id': 'Dx_aB3ISEF',
        'from_name': 'label',
        'to_name': 'image',
        'type': kind,
        'origin': 'manual',
    }


def brush_rle(
    values: NDArray[Any],
    *,
    value_bits: int = 8,
    length_bits: Sequence[int] = (3, 4, 8, 16),
) -> list[int]:
    """Pack values as the package rle-pack does, which Label Studio uses."""
    bits = f'{len(values):032b}{value_bits - 1:05b}'
    bits += ''.join(f'{length - 1:04b}' for length in length_bits)
    singles: list[int] = []

    def run(flag: int, length: int, packed: Sequence[int]) -> str:
        choice = next(
            k for k, n in enumerate(length_bits) if length <= 2**n
        )  # fmt: skip
        text = f'{flag}{choice:02b}{length - 1:0{length_bits[choice]}b}'
        return text + ''.join(f'{v:0{value_bits}b}' for v in packed)

    longest = 2 ** max(length_bits)
    for value, group in itertools.groupby(values.tolist()):
        count = len(list(group))
        if count == 1 and len(singles) < longest:
            singles.append(value)
            continue
        if singles:
            bits += run(0, len(singles), singles)
            singles = []
        while count:
            bits += run(1, min(count, longest), [value])
            count -= min(count, longest)
    if singles:
        bits += run(0, len(singles), singles)
    bits += '0' * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def coco(
    annotations: Sequence[ImageAnnotation], *, compressed: bool
) -> dict[str, Any]:
    names = sorted({s.label for a in annotations for s in a.shapes})
    return {
        'info': {'description': 'toy'},
        'licenses': [],
        'images': [
            {'id': 100 + index, 'file_name': annotation.image,
             'width': (annotation.size or (0, 0))[0],
             'height': (annotation.size or (0, 0))[1]}
            for index, annotation in enumerate(annotations)
        ],
        'annotations': [
            {'id': 1, 'image_id': 100 + index, 'iscrowd': 0,
             'category_id': 7 * names.index(shape.label),
             'bbox': [0.0, 0.0, 1.0, 1.0],
             **_coco_shape(shape, annotation.size or (0, 0), compressed)}
            for index, annotation in enumerate(annotations)
            for shape in annotation.shapes
        ],
        'categories': [
            {'id': 7 * index, 'name': name, 'supercategory': 'thing'}
            for index, name in enumerate(names)
        ],
    }  # fmt: skip


def _coco_shape(
    shape: Shape, size: tuple[int, int], compressed: bool
) -> dict[str, Any]:
    if isinstance(shape, Point):
        x, y = shape.xy
        return {'keypoints': [0, 0, 0, x, y, 2, 5, 5, 0], 'num_keypoints': 1}
    if isinstance(shape, Region):
        return {'segmentation': [shape.rings[0].ravel().tolist()]}
    assert isinstance(shape, PixelRegion)
    runs = run_lengths(whole(shape, size).T.ravel())
    return {
        'segmentation': {
            'size': [size[1], size[0]],
            'counts': coco_string(runs) if compressed else runs,
        }
    }


def run_lengths(pixels: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of alternating runs, the first of False."""
    runs = [(v, len(list(g))) for v, g in itertools.groupby(pixels.tolist())]
    first = [0] if runs and runs[0][0] else []
    return first + [length for _, length in runs]


def coco_string(runs: Sequence[int]) -> str:
    """Compress runs as pycocotools' rleToString does."""
    text = ''
    for index, value in enumerate(runs):
        if index > 2:
            value -= runs[index - 2]
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text += chr((bits | 32 if more else bits) + 48)
    return text


def whole(shape: PixelRegion, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a region's pixels in the whole image."""
    mask = np.zeros((size[1], size[0]), bool)
    (x, y), (height, width) = shape.origin, shape.pixels.shape
    mask[y : y + height, x : x + width] = shape.pixels
    return mask
