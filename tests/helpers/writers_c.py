"""Writers of further formats, and the map that a written scene makes.

A writer knows nothing of its reader: it writes what the tool would.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
