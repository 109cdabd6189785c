"""AFA's eq. 4-10 as the paper writes them, pixel by pixel, float64.

Where the release decides what the paper leaves open, a comment says so.
"""

import itertools
import math

IGNORED = 255


def pseudo_labels(cam, *, high, low):
    """Eq. 4; ``cam`` (C, H, W) holds the classes but for the background."""
    classes, height, width = cam.shape
    labels = []
    for y in range(height):
        row = []
        for x in range(width):
            scores = [cam[c, y, x].item() for c in range(classes)]
            best = max(scores)
            if best >= high:
                row.append(1 + scores.index(best))
            elif best <= low:
                row.append(0)
            else:
                row.append(IGNORED)
        labels.append(row)
    return labels


def affinity_labels(labels, *, radius, ignore_index=IGNORED):
    """Y_aff of one image (H, W): a list of H * W rows of H * W.

    Two pixels are in the same window where neither their rows nor their
    columns are further apart than the radius; a pixel is in its own (both
    as in the release).
    """
    height, width = labels.shape
    places = list(itertools.product(range(height), range(width)))
    rows = []
    for i, j in places:
        row = []
        for k, m in places:
            first, second = labels[i, j].item(), labels[k, m].item()
            if abs(i - k) > radius or abs(j - m) > radius:
                row.append(ignore_index)
            elif ignore_index in (first, second):
                row.append(ignore_index)
            else:
                row.append(int(first == second))
        rows.append(row)
    return rows


def affinity_loss(affinity, target, *, ignore_index=IGNORED, count_offset=0):
    """Both sums of eq. 5; ``affinity`` is the sigmoid already.

    The release adds 1 to the counts.
    """
    positive = negative = 0.0
    n_positive = n_negative = 0
    for a, kind in zip(
        affinity.flatten().tolist(), target.flatten().tolist(), strict=True
    ):
        if kind == ignore_index:
            continue
        if kind == 1:
            positive, n_positive = positive + 1 - a, n_positive + 1
        else:
            negative, n_negative = negative + a, n_negative + 1
    return (
        positive / max(n_positive + count_offset, 1),
        negative / max(n_negative + count_offset, 1),
    )


def random_walk(cam, affinity, *, alpha):
    """Eq. 6-7 for one image: cam (C, H, W), affinity (H * W, H * W)."""
    classes, height, width = cam.shape
    flat = cam.reshape(classes, -1)
    walked = cam.new_zeros(classes, height * width)
    for i in range(height * width):
        powers = [a**alpha for a in affinity[i].tolist()]
        degree = sum(powers)  # D_ii
        for c in range(classes):
            walked[c, i] = sum(
                power / degree * flat[c, k].item()
                for k, power in enumerate(powers)
                if degree
            )
    return walked.view(classes, height, width)


def neighbours(i, j, height, width, dilations):
    """N(i, j): the 8 neighbours at each dilation, with their distance.

    The release replicates the border: a neighbour outside is replaced by
    the border pixel nearest to it, its distance stays.
    """
    for d in dilations:
        for dy, dx in itertools.product((-d, 0, d), repeat=2):
            if (dy, dx) != (0, 0):
                k = min(max(i + dy, 0), height - 1)
                m = min(max(j + dx, 0), width - 1)
                yield k, m, math.hypot(dy, dx)


def deviation(values):
    """Unbiased standard deviation."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))


def softmax(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = math.fsum(powers)
    return [power / total for power in powers]


def refinement_kernel(image, i, j, dilations, w_rgb, w_pos, w_mix):
    """Eq. 8 and 9 at a pixel of (3, H, W): ((k, m), weight) each.

    The release: the spread of the neighbours' colours, each channel by
    itself, plus 1e-8; the mean over the channels; the distance to the
    neighbour in place of two coordinates.
    """
    channels, height, width = image.shape
    around = list(neighbours(i, j, height, width, dilations))
    colour = [0.0] * len(around)
    for c in range(channels):
        values = [image[c, k, m].item() for k, m, _ in around]
        sigma = deviation(values) + 1e-8
        for index, value in enumerate(values):
            apart = abs(image[c, i, j].item() - value)
            colour[index] -= (apart / (w_rgb * sigma)) ** 2 / channels
    sigma = deviation([distance for _, _, distance in around]) + 1e-8
    place = [-((distance / (w_pos * sigma)) ** 2) for _, _, distance in around]
    return [
        ((k, m), rgb + w_mix * pos)
        for (k, m, _), rgb, pos in zip(
            around, softmax(colour), softmax(place), strict=True
        )
    ]


def pixel_adaptive_refine(
    prob,
    image,
    *,
    dilations=(1, 2, 4, 8, 12, 24),
    num_iters=10,
    w_rgb=0.3,
    w_pos=0.3,
    w_mix=0.01,
):
    """Eq. 8-10 for one image: prob (C, H, W), image (3, H, W)."""
    classes, height, width = prob.shape
    kernels = [
        [
            refinement_kernel(image, i, j, dilations, w_rgb, w_pos, w_mix)
            for j in range(width)
        ]
        for i in range(height)
    ]
    current = prob.tolist()
    for _ in range(num_iters):
        current = [
            [
                [
                    sum(weight * current[c][k][m] for (k, m), weight in kernel)
                    for kernel in row
                ]
                for row in kernels
            ]
            for c in range(classes)
        ]
    return prob.new_tensor(current)
