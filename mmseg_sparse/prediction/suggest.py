r"""Where the next strokes would teach most.

A pixel is worth

.. math:: s_i = u_i \, r(c_i) \, d_i

with :math:`u_i` the uncertainty of its prediction in [0, 1], :math:`r(c_i)`
the rarity of the class :math:`c_i` that it is predicted as, and :math:`d_i`
its distance from the labels that are there. A region is worth the mean of its
pixels, an image the mean of its best regions. Images are chosen one after the
other, each by its worth and by how different it is from those before: ten
views of one scene are one suggestion. Images that can only be labelled
together, such as the slices of a patient, are a group, which is worth the
mean of its images.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ..labels.label_map import NO_LABEL, load_png_index
from .write import Picture, Predictor

Map = NDArray[np.float32]

#: Ways to measure uncertainty.
UNCERTAINTIES = ('margin', 'entropy', 'disagreement')
#: Limits of the weight of a class.
RAREST, COMMONEST = 4.0, 0.5
#: Longer side of the maps that are kept of an image, in pixels.
KEPT = 256


@dataclass(frozen=True)
class Region:
    """A square of an image, in its own pixels, and its worth."""

    x: int
    y: int
    width: int
    height: int
    score: float
    label: int


@dataclass
class Suggestion:
    """An image to label, its worth, its best regions, and its group."""

    picture: Picture
    score: float
    regions: list[Region] = field(default_factory=list)
    group: str | None = None


@dataclass(frozen=True)
class Seen:
    """What is kept of the prediction of an image, at most KEPT wide."""

    picture: Picture
    size: tuple[int, int]
    uncertainty: Map
    labels: NDArray[np.uint8]
    feature: NDArray[np.float64]


def uncertainty(variants: Sequence[Tensor], by: str = 'margin') -> Tensor:
    r"""Return how unsure predictions are, ``(H, W)`` in [0, 1].

    With :math:`p` the mean of the variants,

    * ``'margin'``: :math:`1 - (p_{(1)} - p_{(2)})`, the two best classes;
    * ``'entropy'``: :math:`H(p) / \log C`;
    * ``'disagreement'``: :math:`(H(p) - \overline{H(p_v)}) / \log C`, the
      information that the variants do not share (Houlsby et al., 2011).

    Args:
        variants: Probabilities ``(C, H, W)`` of one image, several for
            ``'disagreement'``.
        by: One of :data:`UNCERTAINTIES`.

    Raises:
        ValueError: If ``by`` is unknown, or disagreement has one variant.
    """
    if by not in UNCERTAINTIES:
        raise ValueError(
            f'expected one of {", ".join(UNCERTAINTIES)}, got {by!r}'
        )
    if by == 'disagreement' and len(variants) < 2:
        raise ValueError(
            'disagreement compares several predictions of an image: use '
            '--tta, with a config that has a tta_pipeline'
        )
    prob = torch.stack(list(variants)).mean(0)
    if by == 'margin':
        best = prob.topk(2, 0).values
        return 1 - (best[0] - best[1])
    entropy = torch.special.entr(prob).sum(0)
    if by == 'disagreement':
        own = [torch.special.entr(one).sum(0) for one in variants]
        entropy = (entropy - torch.stack(own).mean(0)).clamp(min=0)
    return entropy / math.log(len(prob))


def rarity(counts: NDArray[np.int64]) -> Map:
    """Return a weight for each class, larger for those predicted rarely.

    The square root of the median count over the own, between 0.5 and 4;
    classes that are never predicted have 1.

    Args:
        counts: Pixels predicted as each class, ``(C,)``.
    """
    found = counts > 0
    weights = np.ones(len(counts), np.float32)
    median = np.median(counts[found])
    weights[found] = np.sqrt(median / counts[found])
    return np.clip(weights, COMMONEST, RAREST).astype(np.float32)


def label_distance(labelled: NDArray[np.bool_], side: int) -> Map:
    """Return the distance from labels, in half sides of a region, at most 1.

    Args:
        labelled: True where a label is, ``(H, W)``. Without any it is 1.
        side: Side of a region in pixels.
    """
    if not labelled.any():
        return np.ones(labelled.shape, np.float32)
    distance = distance_transform_edt(~labelled)
    return np.minimum(1, distance / (side / 2)).astype(np.float32)


def best_regions(
    score: Map, labels: NDArray[np.uint8], side: int, number: int
) -> list[Region]:
    """Return the best squares of a map that do not overlap, best first.

    Args:
        score: Worth of each pixel, ``(H, W)``.
        labels: Predicted classes, for the commonest class of a region.
        side: Side of a square in pixels, at most that of the map.
        number: How many are wanted.
    """
    height, width = score.shape
    side = min(side, height, width)
    # The mean of the square whose upper left corner a pixel is.
    means = cv2.boxFilter(
        score, cv2.CV_32F, (side, side), anchor=(0, 0),
        borderType=cv2.BORDER_REFLECT,
    )[: height - side + 1, : width - side + 1].copy()  # fmt: skip
    regions: list[Region] = []
    while len(regions) < number and means.max() > 0:
        y, x = (int(v) for v in np.unravel_index(means.argmax(), means.shape))
        inside = labels[y : y + side, x : x + side]
        label = int(np.bincount(inside.ravel()).argmax())
        regions.append(Region(x, y, side, side, float(means[y, x]), label))
        top, left = max(0, y - side + 1), max(0, x - side + 1)
        means[top : y + side, left : x + side] = 0
    return regions


def choose_different(
    scores: Sequence[float], features: NDArray[np.float64], number: int
) -> list[int]:
    """Choose items of high worth that differ from each other.

    The first is the best. Each next one has the largest product of its worth
    and its distance from the nearest one chosen, 1 minus the cosine of their
    features (at most 1), after the mean of all features is taken off.

    Args:
        scores: Worth of each item, at least 0.
        features: ``(items, channels)``.
        number: How many are wanted; all, if there are fewer.

    Returns:
        Indices in the order of choice.
    """
    centred = features - features.mean(0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.maximum(length, 1e-12)
    left = np.ones(len(scores))
    open_ = np.ones(len(scores), bool)
    chosen: list[int] = []
    for _ in range(min(number, len(scores))):
        worth = np.where(open_, np.asarray(scores) * left, -1.0)
        index = int(worth.argmax())
        chosen.append(index)
        open_[index] = False
        left = np.minimum(left, 1 - np.maximum(0, unit @ unit[index]))
    return chosen


def choose_groups(
    scores: Sequence[float],
    features: NDArray[np.float64],
    number: int,
    groups: Sequence[str],
) -> list[list[int]]:
    """Choose groups of items as :func:`choose_different` chooses items.

    A group has the mean of the scores and of the features of its items.

    Args:
        scores: Worth of each item, at least 0.
        features: ``(items, channels)``.
        number: How many groups are wanted; all, if there are fewer.
        groups: The group of each item.

    Returns:
        Indices of the items of each chosen group, the best first.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    rows = list(members.values())
    order = choose_different(
        [float(np.mean([scores[i] for i in row])) for row in rows],
        np.stack([features[row].mean(0) for row in rows]),
        number,
    )
    return [sorted(rows[k], key=lambda i: -scores[i]) for k in order]


def group_of(name: str, pattern: str) -> str:
    """Return the part of an image's name that a pattern matches.

    Raises:
        ValueError: If it matches nothing.
    """
    match = re.search(pattern, name)
    if match is None or not match.group():
        raise ValueError(
            f'expected a pattern that matches a part of the name of each '
            f'image, got {pattern!r}, which finds nothing in {name!r}'
        )
    return match.group()


def suggest(
    predictor: Predictor,
    pictures: Sequence[Picture],
    *,
    number: int = 10,
    regions: int = 3,
    side: float = 0.2,
    by: str = 'margin',
    labels: Path | None = None,
    group: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Suggestion]:
    """Rank images and regions by what a stroke there would teach.

    Args:
        predictor: The model as trained on the strokes so far.
        pictures: The images to choose from.
        number: Images to suggest.
        regions: Regions to suggest in each.
        side: Side of a region, as a share of the image's shorter side.
        by: One of :data:`UNCERTAINTIES`.
        labels: Folder of the label maps so far, ``NAME.png`` for the image
            ``NAME``; images without a file have no label.
        group: Regular expression; images in whose names it finds the same
            text are one group. Then ``number`` groups are suggested, with
            all of their images.
        progress: Called with (images done, images in all).

    Raises:
        ValueError: If an argument is out of range, a label map has another
            size than its image, or ``group`` finds nothing in a name.
    """
    if not 0 < side <= 1:
        raise ValueError(f'side must lie in (0, 1], got {side}')
    names = [picture.name for picture in pictures]
    groups = [n if group is None else group_of(n, group) for n in names]
    seen = []
    for done, picture in enumerate(pictures, 1):
        seen.append(look(predictor, picture, by))
        if progress is not None:
            progress(done, len(pictures))
    found = score_images(
        seen, len(predictor.classes), regions=regions, side=side,
        labels=labels,
    )  # fmt: skip
    features = np.stack([one.feature for one in seen])
    scores = [one.score for one in found]
    chosen = choose_groups(scores, features, number, groups)
    return [
        replace(found[i], group=None if group is None else groups[i])
        for row in chosen
        for i in row
    ]


def score_images(
    seen: Sequence[Seen],
    num_classes: int,
    *,
    regions: int = 3,
    side: float = 0.2,
    labels: Path | None = None,
) -> list[Suggestion]:
    """Return the worth of images and their best regions.

    Args:
        seen: What was kept of the prediction of each; the rarity of a class
            is that in all of them.
        num_classes: Number of classes.
        regions: As in :func:`suggest`.
        side: As in :func:`suggest`.
        labels: As in :func:`suggest`.
    """
    counts = np.zeros(num_classes, np.int64)
    for one in seen:
        counts += np.bincount(one.labels.ravel(), minlength=num_classes)
    weights = rarity(counts)
    return [_regions(one, weights, regions, side, labels) for one in seen]


def look(predictor: Predictor, picture: Picture, by: str) -> Seen:
    """Predict an image, and keep what its worth is computed from."""
    with _pooled(predictor.model.backbone) as pooled:
        variants = list(predictor.variants(picture.path))
    return keep(picture, variants, np.mean(pooled, 0), by)


def keep(
    picture: Picture,
    variants: Sequence[Tensor],
    feature: NDArray[np.float64],
    by: str,
) -> Seen:
    """Keep of a prediction what the worth of its image is computed from.

    Args:
        picture: The image.
        variants: As in :func:`uncertainty`.
        feature: What tells scenes apart, ``(channels,)``.
        by: As in :func:`uncertainty`.
    """
    unsure = uncertainty(variants, by).cpu().numpy().astype(np.float32)
    mean = torch.stack(list(variants)).mean(0)
    best = mean.argmax(0).cpu().numpy().astype(np.uint8)
    height, width = best.shape
    factor = min(1.0, KEPT / max(height, width))
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    return Seen(
        picture,
        (height, width),
        np.float32(cv2.resize(unsure, small, interpolation=cv2.INTER_AREA)),
        np.uint8(cv2.resize(best, small, interpolation=cv2.INTER_NEAREST)),
        feature,
    )


@contextmanager
def _pooled(backbone: Any) -> Iterator[list[NDArray[np.float64]]]:
    """Keep the mean of the last map of each run of a backbone."""
    found: list[NDArray[np.float64]] = []

    def keep(module: Any, args: Any, maps: Any) -> None:
        last = maps[-1] if isinstance(maps, list | tuple) else maps
        found.append(last.double().mean((0, 2, 3)).cpu().numpy())

    handle = backbone.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


def _regions(
    seen: Seen, weights: Map, number: int, side: float, labels: Path | None
) -> Suggestion:
    rows, columns = seen.labels.shape
    pixels = max(1, round(side * min(rows, columns)))
    labelled = np.zeros((rows, columns), bool)
    path = None if labels is None else labels / f'{seen.picture.name}.png'
    if path is not None and path.is_file():
        known = load_png_index(path) != NO_LABEL
        if known.shape != seen.size:
            raise ValueError(
                f'{path}: expected the size of its image, {seen.size}, got '
                f'{known.shape}'
            )
        labelled = cv2.resize(
            known.astype(np.float32), (columns, rows),
            interpolation=cv2.INTER_AREA,
        ) > 0  # fmt: skip
    score = seen.uncertainty * weights[seen.labels]
    score = score * label_distance(labelled, pixels)
    found = best_regions(score, seen.labels, pixels, number)
    y, x = seen.size[0] / rows, seen.size[1] / columns
    scaled = [
        Region(
            round(r.x * x), round(r.y * y), round(r.width * x),
            round(r.height * y), r.score, r.label,
        )
        for r in found
    ]  # fmt: skip
    mean = sum(r.score for r in found) / max(1, len(found))
    return Suggestion(seen.picture, mean, scaled)
