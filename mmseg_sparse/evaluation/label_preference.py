"""BLPSeg's label preference analysis (section V-B) of models on a data set.

Relative distances are those of
:func:`~mmseg_sparse.labels.boundary_distance.relative_distance`: 0 where a
pixel does not count, void and classes that fill their image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmseg_sparse.doctor import LabelItem, Reading
from mmseg_sparse.doctor.decode import decode
from mmseg_sparse.labels.boundary_distance import (
    BINS,
    distance_bins,
    relative_distance,
)
from mmseg_sparse.labels.label_map import NO_LABEL, Labels

from .probabilities import Probabilities

Floats = NDArray[np.floating]
#: Up to this relative distance, the paper finds, unbalanced models are worse.
NEAR = 0.2


@dataclass
class WeightedDistribution:
    r"""Distribution of weights over relative distances (eq. 13).

    With :math:`d_n` the relative distance of pixel :math:`n` and
    :math:`\lambda_n` its weight, the share of bin :math:`k` is

    .. math:: P_k = \sum_n \lambda_n [d_n \in k] \Big/ \sum_n \lambda_n,

    over the pixels of all images. The paper has
    :math:`\lambda_n = \max_c p_{c,n}`, and for labels 1 on labelled pixels
    and 0 elsewhere. It compares :math:`d_n` with single values; here they
    are in bins of equal width.

    Attributes:
        sums: Sum of the weights, by bin.
        moment: Sum of weight times relative distance.
    """

    sums: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros(BINS, np.float64)
    )
    moment: float = 0.0

    def add(self, distance: Floats, weight: NDArray[np.generic]) -> None:
        """Count the pixels of one image.

        Args:
            distance: ``(H, W)``, 0 where a pixel does not count.
            weight: ``(H, W)``, at least 0; bool for labels.

        Raises:
            ValueError: If the shapes differ or a weight that counts is
                negative or not finite.
        """
        _check_shapes(distance, 'weight', weight)
        placed = distance > 0
        near = distance[placed].astype(np.float64)
        weights = weight[placed].astype(np.float64)
        wrong = ~(np.isfinite(weights) & (weights >= 0))
        if wrong.any():
            raise ValueError(
                'weight must be finite and at least 0, got '
                f'{weights[wrong][0]:g}'
            )
        self.sums += np.bincount(distance_bins(near), weights, BINS)
        self.moment += float(weights @ near)

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return float(self.sums.sum())

    def shares(self) -> NDArray[np.float64]:
        """Return the share of each bin; their sum is 1.

        Raises:
            ValueError: If no pixel counts.
        """
        self._check()
        return self.sums / self.total

    def mean(self) -> float:
        """Return the weighted mean of the relative distance.

        Raises:
            ValueError: If no pixel counts.
        """
        self._check()
        return self.moment / self.total

    def _check(self) -> None:
        if not self.total > 0:
            raise ValueError('no pixel counts: the sum of the weights is 0')


@dataclass
class PrecisionByDistance:
    """Share of rightly predicted pixels by relative distance (figure 7b).

    Attributes:
        correct: Number of pixels whose class is predicted, by bin.
        pixels: Number of pixels, by bin.
    """

    correct: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(BINS, np.int64)
    )
    pixels: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(BINS, np.int64)
    )

    def add(self, distance: Floats, predicted: Labels, dense: Labels) -> None:
        """Count the pixels of one image.

        Args:
            distance: ``(H, W)``, 0 where a pixel does not count.
            predicted: ``(H, W)``, class indices.
            dense: ``(H, W)``, the mask.

        Raises:
            ValueError: If the shapes differ.
        """
        _check_shapes(distance, 'predicted', predicted)
        _check_shapes(distance, 'dense', dense)
        placed = distance > 0
        bins = distance_bins(distance[placed])
        right = (predicted == dense)[placed]
        self.correct += np.bincount(bins[right], minlength=BINS)
        self.pixels += np.bincount(bins, minlength=BINS)

    def values(self) -> NDArray[np.float64]:
        """Return the precision of each bin, NaN where there is no pixel."""
        result = np.full(BINS, np.nan)
        return np.divide(
            self.correct, self.pixels, out=result, where=self.pixels > 0
        )

    def near(self, distance: float) -> float | None:
        """Return the share of right pixels up to a relative distance.

        None where there are no such pixels.
        """
        bins = round(distance * BINS)
        pixels = int(self.pixels[:bins].sum())
        return int(self.correct[:bins].sum()) / pixels if pixels else None

    def overall(self) -> float:
        """Return the share of right pixels among those that count.

        Raises:
            ValueError: If no pixel counts.
        """
        if not self.pixels.any():
            raise ValueError('no pixel counts: each relative distance is 0')
        return float(self.correct.sum() / self.pixels.sum())


def blp_maps(
    annotation: Floats, segmentation: Floats, target: Labels, *, gamma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the modulating factor and the BLP loss of each pixel.

    With :math:`y_n` the target of pixel :math:`n`,

    .. math:: \delta_n = (1 - p^{scrib}_{y_n,n} p^{seg}_{y_n,n})^\gamma,
              \quad L_n = -\delta_n \log p^{seg}_{y_n,n},

    the terms of eq. 9, before they are averaged, and eq. 11.

    Args:
        annotation: Annotation probability, ``(K + 1, H, W)`` or, without the
            last, ``(K, H, W)``.
        segmentation: Segmentation probability, ``(K, H, W)``.
        target: ``(H, W)``, a class below K at every pixel.
        gamma: The exponent, at least 0.

    Returns:
        Two maps ``(H, W)``, the loss in nats. A probability that is 0 in
        float32 gives the loss of the least one that is not.

    Raises:
        ValueError: If the shapes do not fit, a target is no class, or
            ``gamma`` is negative.
    """
    classes, *size = segmentation.shape
    if annotation.shape not in ((classes, *size), (classes + 1, *size)) or (
        target.shape != tuple(size)
    ):
        raise ValueError(
            'expected annotation (K + 1, H, W), segmentation (K, H, W) and '
            f'target (H, W), got {annotation.shape}, {segmentation.shape}, '
            f'{target.shape}'
        )
    if target.size and target.max() >= classes:
        raise ValueError(
            f'target must be below {classes}, the number of classes, got '
            f'{target.max()}'
        )
    if gamma < 0:
        raise ValueError(f'gamma must be at least 0, got {gamma}')
    index = target[None].astype(np.int64)
    scrib, seg = (
        np.take_along_axis(prob, index, 0)[0].astype(np.float64)
        for prob in (annotation, segmentation)
    )
    # Rounding can bring the product above 1.
    delta = np.maximum(1 - scrib * seg, 0) ** gamma
    least = float(np.finfo(np.float32).tiny)
    return delta, -delta * np.log(np.clip(seg, least, 1))


def _check_shapes(
    distance: Floats, name: str, other: NDArray[np.generic]
) -> None:
    if distance.shape != other.shape:
        raise ValueError(
            f'distance and {name} must have one shape, got {distance.shape} '
            f'and {other.shape}'
        )


def read_labels_and_mask(
    item: LabelItem, *, labels_are_dense: bool = False
) -> tuple[Labels | None, Labels]:
    """Read the sparse labels and the dense mask of an image.

    Args:
        item: As :func:`~mmseg_sparse.doctor.from_config` gives it.
        labels_are_dense: Whether the labels of an image without a mask are
            themselves the mask.

    Returns:
        Labels and mask, ``(H, W)``: class indices, and 255 where there is no
        label or where the mask is void. The labels are None where they serve
        as the mask.

    Raises:
        ValueError: If image, labels or mask are missing, if a file holds no
            class indices or a class that the data set does not have, or if
            labels and mask differ in size.
        OSError: If a file cannot be read.
    """
    if item.image is None or item.labels is None:
        raise ValueError(
            f'{item.name}: expected an image and a label map, got image-level '
            'labels only, or no image'
        )
    if item.dense is None and labels_are_dense:
        return None, _read_classes(item.labels, item.reading)
    if item.dense is None:
        raise ValueError(f'{item.labels}: there is no dense mask of it')
    if not Path(item.dense).is_file():
        raise ValueError(
            f'{item.labels}: its dense mask is missing: {item.dense}'
        )
    mask = _read_classes(item.dense, item.dense_reading or item.reading)
    labels = _read_classes(item.labels, item.reading)
    _check_size(item.dense, mask, item.labels, labels)
    return labels, mask


def _read_classes(path: str, reading: Reading) -> Labels:
    decoded = decode(Path(path).read_bytes(), path, reading)
    if decoded.values is None:
        raise ValueError(f'{path}: {decoded.problems[-1].detail}')
    values = reading.classes_of(decoded.values)
    classes = NO_LABEL if reading.num_classes is None else reading.num_classes
    wrong = values[(values >= classes) & (values != NO_LABEL)]
    if wrong.size:
        raise ValueError(
            f'{path}: expected classes below {classes}, the number of classes '
            f'of the data set, got {wrong.max()}'
        )
    return values


def _check_size(path: str, mask: Labels, name: str, other: Labels) -> None:
    if mask.shape != other.shape:
        raise ValueError(
            f'{path} is {mask.shape[1]}x{mask.shape[0]} pixels, {name} '
            f'{other.shape[1]}x{other.shape[0]}'
        )


@dataclass
class Measured:
    """A model and what is counted of it.

    Attributes:
        name: For tables and legends.
        predictor: Gives the probabilities of the image at a path, as a
            :class:`~mmseg_sparse.evaluation.Predictor`.
        segmentation: Distribution of the segmentation probability.
        annotation: That of the annotation probability; its total stays 0
            where there is none.
        precision: Share of right pixels by relative distance.
    """

    name: str
    predictor: Callable[[str], Probabilities]
    segmentation: WeightedDistribution = field(
        default_factory=WeightedDistribution
    )
    annotation: WeightedDistribution = field(
        default_factory=WeightedDistribution
    )
    precision: PrecisionByDistance = field(default_factory=PrecisionByDistance)

    def add(
        self, distance: NDArray[np.float32], prob: Probabilities, dense: Labels
    ) -> None:
        """Count one image.

        The weights are the largest probability of each pixel, of the
        annotation probability that among the classes.
        """
        self.segmentation.add(distance, prob.segmentation.max(0))
        self.precision.add(distance, prob.predicted, dense)
        if prob.annotation is not None:
            self.annotation.add(distance, prob.annotation[:-1].max(0))


@dataclass(frozen=True)
class PreferenceMaps:
    """The maps of one image that figures 5 and 8 show.

    Attributes:
        name: Of the image, without folder and suffix.
        image: RGB, ``(H, W, 3)``.
        labels: The sparse labels, ``(H, W)``; None without any.
        annotation: Largest annotation probability among the classes,
            ``(H, W)`` as those below.
        segmentation: Largest segmentation probability.
        delta: Modulating factor of the class of the label; without a label,
            of the predicted class, whatever its confidence.
        loss: BLP loss of the same class, in nats.
    """

    name: str
    image: NDArray[np.uint8]
    labels: Labels | None
    annotation: NDArray[np.floating]
    segmentation: NDArray[np.floating]
    delta: NDArray[np.floating]
    loss: NDArray[np.floating]


class PreferenceAnalysis:
    """BLPSeg's label preference analysis, summed over images.

    Args:
        models: For maps, the first one must have a scribble branch.
        num_classes: Of the data set.
        gamma: Exponent of the modulating factor.
        labels_are_dense: Whether the labels of images without a mask are
            themselves the masks.

    Attributes:
        masks: Distribution of the masks' pixels.
        labels: Distribution of the labelled pixels of all classes.
        sparse: Number of images with sparse labels.
        maps: The maps of the chosen images.
    """

    def __init__(
        self,
        models: Sequence[Measured],
        num_classes: int,
        gamma: float,
        *,
        labels_are_dense: bool = False,
    ) -> None:
        """Start without images."""
        self.models = list(models)
        self.num_classes = num_classes
        self.gamma = gamma
        self.labels_are_dense = labels_are_dense
        self.masks = WeightedDistribution()
        self.labels = WeightedDistribution()
        self.sparse = 0
        self.maps: list[PreferenceMaps] = []

    def add(self, item: LabelItem, *, keep_maps: bool = False) -> None:
        """Read an image's labels, run the models over it and count.

        Args:
            item: The image.
            keep_maps: Whether its maps go to ``maps``.

        Raises:
            ValueError: If labels, mask, image and models do not fit each
                other.
            OSError: If a file cannot be read.
        """
        labels, mask = read_labels_and_mask(
            item, labels_are_dense=self.labels_are_dense
        )
        assert item.image is not None
        distance = relative_distance(mask)
        self.masks.add(distance, distance > 0)
        if labels is not None:
            self.sparse += 1
            self.labels.add(distance, labels != NO_LABEL)
        for index, model in enumerate(self.models):
            prob = model.predictor(item.image)
            if len(prob.segmentation) != self.num_classes:
                raise ValueError(
                    f'{model.name} predicts {len(prob.segmentation)} '
                    f'classes, the data set has {self.num_classes}'
                )
            _check_size(
                item.dense or item.name, mask, item.image, prob.predicted
            )
            model.add(distance, prob, mask)
            if keep_maps and index == 0:
                self.maps.append(
                    preference_maps(item.image, labels, prob, self.gamma)
                )

    def distributions(self) -> dict[str, WeightedDistribution]:
        """Return the distributions by their names in tables."""
        found = {'mask_labels': self.masks}
        if self.sparse:
            found['scribble_labels'] = self.labels
        for model in self.models:
            if model.annotation.total:
                found[f'annotation_probability {model.name}'] = (
                    model.annotation
                )
            found[f'segmentation_probability {model.name}'] = (
                model.segmentation
            )
        return found

    def summary(self) -> dict[str, Any]:
        """Return the means, as they go into ``summary.json``.

        ``difference_from_scribble_labels`` is half the sum of the absolute
        differences of the bins from those of the labelled pixels.
        """
        labels = self.labels.shares() if self.sparse else None
        return dict(
            distributions={
                name: dict(
                    mean=counted.mean(),
                    difference_from_scribble_labels=None if labels is None
                    else float(np.abs(counted.shares() - labels).sum() / 2),
                )
                for name, counted in self.distributions().items()
            },
            precision={
                model.name: dict(
                    all=model.precision.overall(),
                    up_to_0_2=model.precision.near(NEAR),
                )
                for model in self.models
            },
        )  # fmt: skip

    def check(self) -> None:
        """Raise a ValueError if no pixel counts, or no labelled one."""
        if not self.masks.total:
            raise ValueError(
                'no pixel counts: each mask is void or of one class only, '
                'so it has no boundary'
            )
        if self.sparse and not self.labels.total:
            raise ValueError(
                'no labelled pixel counts: all of them lie on void or on a '
                'class that fills its image'
            )


def preference_maps(
    path: str, labels: Labels | None, prob: Probabilities, gamma: float
) -> PreferenceMaps:
    """Return the maps of an image.

    Args:
        path: Of the image.
        labels: Its sparse labels, ``(H, W)``; 255 or None: no label.
        prob: The probabilities of the first model.
        gamma: Exponent of the modulating factor.

    Raises:
        ValueError: If there is no annotation probability.
        OSError: If OpenCV cannot read the image.
    """
    if prob.annotation is None:
        raise ValueError('maps need an annotation probability, got None')
    target = prob.predicted
    if labels is not None:
        target = np.where(labels != NO_LABEL, labels, target)
    delta, loss = blp_maps(
        prob.annotation, prob.segmentation, target, gamma=gamma
    )
    image = cv2.imread(path)
    if image is None:
        raise OSError(f'OpenCV cannot read the image {path}')
    return PreferenceMaps(
        Path(path).stem,
        np.ascontiguousarray(image[..., ::-1]),
        labels,
        prob.annotation[:-1].max(0),
        prob.segmentation.max(0),
        delta,
        loss,
    )
