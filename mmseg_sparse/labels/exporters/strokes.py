"""Centre lines of the strokes of a label map."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..importers.annotation import ImageAnnotation, Stroke
from ..label_map import Labels
from ..simulate.paths import longest_paths
from ..simulate.regions import find_regions, inner_depth

#: Distance in pixels by which a centre line may be simplified.
TOLERANCE = 0.75


def centre_lines(
    labels: Labels, classes: Sequence[str], image: str
) -> ImageAnnotation:
    """Return a label map as strokes, one for each connected area.

    A stroke follows the longest path of the area's skeleton, as a person
    would draw it again with a line tool. Branches are left out.

    Args:
        labels: ``(H, W)``, class indices and 255 = no label.
        classes: Class names.
        image: File name of the image.
    """
    regions = find_regions(labels)
    chosen = np.arange(len(regions))
    paths = longest_paths(regions, chosen, inner_depth(regions))
    strokes = []
    for number, value in enumerate(regions.values.tolist()):
        path = paths[number][:, ::-1].astype(np.float32)
        line = cv2.approxPolyDP(path, TOLERANCE, closed=False)[:, 0]
        strokes.append(Stroke(classes[value], line.astype(np.float64) + 0.5))
    size = (labels.shape[1], labels.shape[0])
    return ImageAnnotation(image, '', size, tuple(strokes))
