"""Writers of further formats, and the map that a written scene makes.

A writer knows nothing of its reader: it writes what the tool would.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.importers.annotation import ImageAnnotation, Region
from mmseg_sparse.labels.importers.rasterize import rasterize


def drawn_map(
    annotation: ImageAnnotation, size: tuple[int, int], labels: list[str]
) -> NDArray[np.uint8]:
    """Draw an annotation as an import does; ``labels`` are the classes."""
    ids = {label: index for index, label in enumerate(labels)}
    return rasterize(annotation, ids, size).labels


def isat(annotation: ImageAnnotation) -> dict[str, Any]:
    """Write a file of ISAT; ``z`` becomes the layer."""
    width, height = annotation.size or (0, 0)

    def fields(shape: Any) -> dict[str, Any]:
        assert isinstance(shape, Region)
        outline = shape.rings[0]
        (left, top), (right, bottom) = outline.min(0), outline.max(0)
        return {
            'category': shape.label, 'group': 1,
            'segmentation': outline.tolist(), 'area': 1.0,
            'layer': shape.z + 0.5, 'bbox': [left, top, right, bottom],
            'iscrowd': False, 'note': '',
        }  # fmt: skip

    return {
        'info': {
            'description': 'ISAT', 'folder': 'D:/data/images',
            'name': annotation.image, 'width': width, 'height': height,
            'depth': 3, 'note': '',
        },
        'objects': [fields(shape) for shape in annotation.shapes],
    }  # fmt: skip


def coco_panoptic(
    folder: Path,
    maps: Mapping[str, tuple[NDArray[np.uint8], int]],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Write panoptic PNGs into ``folder`` and return their JSON.

    Args:
        folder: Made if it is missing.
        maps: By the image's name: class indices, 255 = no label; and a seed
            for the ids, and for how a class is cut into segments.
        labels: Names of the classes.
    """
    folder.mkdir(exist_ok=True, parents=True)
    images, annotations = [], []
    for number, (name, (classes, seed)) in enumerate(maps.items()):
        rng = np.random.default_rng(seed)
        ids = np.zeros(classes.shape, np.int64)
        segments = []
        for index in np.unique(classes[classes != 255]):
            part = rng.integers(2, size=classes.shape)
            for half in (0, 1):
                where = (classes == index) & (part == half)
                key = int(rng.integers(1, 2**24))
                if where.any() and key not in ids:
                    ids[where] = key
                    segments.append({
                        'id': key, 'category_id': 7 + int(index),
                        'iscrowd': half, 'bbox': [0, 0, 1, 1], 'area': 1,
                    })  # fmt: skip
        colours = np.stack([ids >> 8 * k & 255 for k in range(3)], -1)
        png = f'{number}.png'
        Image.fromarray(colours.astype(np.uint8)).save(folder / png)
        height, width = classes.shape
        images.append({'id': number, 'file_name': name, 'width': width,
                       'height': height})  # fmt: skip
        annotations.append({'image_id': number, 'file_name': png,
                            'segments_info': segments})  # fmt: skip
    return {
        'images': images, 'annotations': annotations,
        'categories': [
            {'id': 7 + i, 'name': label, 'isthing': 1, 'color': [i, 0, 0],
             'supercategory': ''} for i, label in enumerate(labels)
        ],
    }  # fmt: skip


def save_nifti(
    path: Path,
    voxels: NDArray[Any],
    spacing: tuple[float, float, float],
    order: Sequence[int] = (0, 1, 2),
    signs: Sequence[int] = (1, 1, 1),
) -> None:
    """Save a volume with its axes in any order and direction.

    Args:
        path: The file to write.
        voxels: From right to left, from front to back, from feet to head.
        spacing: Millimetres along these.
        order: Which of them is the first, second and third in the file.
        signs: -1 where an axis of ``voxels`` runs the other way in the file.
    """
    import nibabel

    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    # NIfTI's world runs to the right, to the front and to the head.
    world = (-1, -1, 1)
    for axis, first in enumerate(order):
        affine[first, axis] = world[first] * signs[first] * spacing[first]
    turned = voxels[tuple(slice(None, None, sign) for sign in signs)]
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = turned.transpose(order)
    picture = nibabel.Nifti1Image(turned, affine, dtype=turned.dtype)
    nibabel.save(picture, path)


def via_table(content: Mapping[str, Any], older: bool) -> str:
    """Write the images of VIA's JSON as its table.

    Args:
        content: An export in JSON, its regions a list.
        older: With the '#' of VIA 1.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([
        '#' * older + 'filename', 'file_size', 'file_attributes',
        'region_count', 'region_id', 'region_shape_attributes',
        'region_attributes',
    ])  # fmt: skip
    for image in content.values():
        regions = image['regions'] or [
            {'shape_attributes': {}, 'region_attributes': {}}
        ]
        for number, region in enumerate(regions):
            writer.writerow([
                image['filename'], image['size'],
                json.dumps(image['file_attributes']), len(image['regions']),
                number, json.dumps(region['shape_attributes']),
                json.dumps(region['region_attributes']),
            ])  # fmt: skip
    return file.getvalue()


def label_studio_vectors(
    annotation: ImageAnnotation, seed: int
) -> list[dict[str, Any]]:
    """Write strokes as open and areas as closed VectorLabels, as one task.

    The vertices of a path are shuffled: what joins them is their ids.
    """
    width, height = annotation.size or (1, 1)
    rng = np.random.default_rng(seed)
    results = []
    for number, shape in enumerate(annotation.shapes):
        closed = isinstance(shape, Region)
        line = shape.rings[0] if closed else shape.points
        vertices = [
            {'id': f'p{i}', 'x': 100 * x / width, 'y': 100 * y / height,
             'prevPointId': f'p{i - 1}' if i else None, 'isBezier': False,
             'disconnected': False}
            for i, (x, y) in enumerate(line.tolist())
        ]  # fmt: skip
        rng.shuffle(vertices)
        results.append({
            'id': f'r{number}', 'type': 'vectorlabels', 'to_name': 'image',
            'from_name': 'label', 'origin': 'manual', 'image_rotation': 0,
            'original_width': width, 'original_height': height,
            'value': {'vertices': vertices, 'closed': closed,
                      'vectorlabels': [shape.label]},
        })  # fmt: skip
    return [{
        'id': 1, 'data': {'image': f'/data/upload/1/{annotation.image}'},
        'annotations': [{'id': 1, 'result': results}],
    }]  # fmt: skip


def cvat_video(
    tracks: Sequence[tuple[str, Sequence[tuple[int, Mapping[str, Any]]]]],
    size: tuple[int, int],
    frames: Mapping[str, Any],
) -> bytes:
    """Write an export "CVAT for video 1.1".

    Args:
        tracks: Label, and frames with what stands there: ``tag`` and the
            attributes of the shape.
        size: ``(width, height)``.
        frames: What ``<task>`` says of them, such as ``stop_frame``.
    """
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    meta = ElementTree.SubElement(root, 'meta')
    task = ElementTree.SubElement(meta, 'task')
    for name, value in frames.items():
        ElementTree.SubElement(task, name).text = str(value)
    original = ElementTree.SubElement(task, 'original_size')
    for name, side in zip(('width', 'height'), size, strict=True):
        ElementTree.SubElement(original, name).text = str(side)
    for number, (label, shapes) in enumerate(tracks):
        track = ElementTree.SubElement(
            root, 'track', id=str(number), label=label, source='manual'
        )
        for frame, shape in shapes:
            fields = {'frame': frame, 'keyframe': 1, 'outside': 0,
                      'occluded': 0, 'z_order': 0} | dict(shape)  # fmt: skip
            tag = fields.pop('tag')
            ElementTree.SubElement(
                track, tag, {k: str(v) for k, v in fields.items()}
            )
    return ElementTree.tostring(root, 'utf-8', xml_declaration=True)
