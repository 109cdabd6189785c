"""Boundary IoU and trimap IoU, one pixel and one neighbour at a time.

Cheng et al., CVPR 2021, section 4; distances are chessboard distances.
"""

from itertools import product


def within(place, width, inside, size, image_border):
    """Tell whether a pixel that is not in ``inside`` is at most so far away.

    With ``image_border``, all that is outside the image is not in it.
    """
    row, column = place
    steps = range(-width, width + 1)
    for y, x in product(steps, steps):
        other = (row + y, column + x)
        in_image = 0 <= other[0] < size[0] and 0 <= other[1] < size[1]
        if in_image and other not in inside:
            return True
        if not in_image and image_border:
            return True
    return False


def near(place, width, inside):
    """Tell whether a pixel of ``inside`` is at most so far away."""
    row, column = place
    steps = range(-width, width + 1)
    return any(
        (row + y, column + x) in inside for y, x in product(steps, steps)
    )


def areas(labels, mask, index, width, void, image_border):
    """Return (intersection, union) of both measures of one class.

    Args:
        labels: Lists of lists, the predicted classes.
        mask: Likewise, with ``void``, whose pixels belong to no region.
        index: The class.
        width: In pixels.
        void: Value of the mask.
        image_border: Whether the border of the image is a contour.
    """
    size = (len(mask), len(mask[0]))
    places = list(product(range(size[0]), range(size[1])))
    known = {p for p in places if mask[p[0]][p[1]] != void}
    truth = {p for p in known if mask[p[0]][p[1]] == index}
    found = {p for p in known if labels[p[0]][p[1]] == index}
    args = (size, image_border)
    truth_band = {p for p in truth if within(p, width, truth, *args)}
    found_band = {p for p in found if within(p, width, found, *args)}
    trimap = truth_band | {p for p in known - truth if near(p, width, truth)}
    return (
        (len(truth_band & found_band), len(truth_band | found_band)),
        (len(trimap & truth & found), len(trimap & (truth | found))),
    )
