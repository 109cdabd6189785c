"""BLPSeg's label preference analysis (section V-B) of models on a data set.

Relative distances are those of
:func:`~mmseg_sparse.labels.boundary_distance.relative_distance`: 0 where a
pixel does not count, void and classes that fill their image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmseg_sparse.doctor import LabelItem, Reading
from mmseg_sparse.doctor.decode import decode
from mmseg_sparse.labels.boundary_distance import BINS, relative_distance
from mmseg_sparse.labels.label_map import NO_LABEL, Labels

from .probabilities import Probabilities

Floats = NDArray[np.floating]


def distance_bins(distance: Floats) -> NDArray[np.int64]:
    """Return the bin of each relative distance.

    Args:
        distance: Of any shape, in (0, 1].

    Returns:
        Indices of the same shape; bin k holds (k, k + 1] / BINS, as in
        :func:`~mmseg_sparse.labels.boundary_distance.distribution`.
    """
    return np.ceil(distance * BINS - 1e-4).astype(np.int64) - 1


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


@dataclass(frozen=True)
class LabelPair:
    """What is known of one image.

    Attributes:
        image: Path of the image.
        dense: The mask, ``(H, W)``: class indices and 255 = void.
        labels: The sparse labels, ``(H, W)``: class indices and 255 where
            there is none; None where they are the mask.
    """

    image: str
    dense: Labels
    labels: Labels | None


def read_label_pair(
    item: LabelItem, *, labels_are_dense: bool = False
) -> LabelPair:
    """Read the labels and the mask of an image.

    Args:
        item: As :func:`~mmseg_sparse.doctor.from_config` gives it.
        labels_are_dense: Whether labels are the mask of an image that has no
            other one.

    Raises:
        ValueError: If there is no image, label map or mask, one of the files
            has no class indices or other classes than the data set has, or
            labels and mask differ in size.
        OSError: If a file cannot be read.
    """
    if item.image is None or item.labels is None:
        raise ValueError(
            f'{item.name}: an image and a label map are needed, got image-'
            'level labels or no image'
        )
    if item.dense is None and labels_are_dense:
        return LabelPair(
            item.image, _read_classes(item.labels, item.reading), None
        )
    if item.dense is None:
        raise ValueError(f'{item.labels}: there is no dense mask of it')
    if not Path(item.dense).is_file():
        raise ValueError(
            f'{item.labels}: its dense mask is missing: {item.dense}'
        )
    dense = _read_classes(item.dense, item.dense_reading or item.reading)
    labels = _read_classes(item.labels, item.reading)
    check_size(item.dense, dense, item.labels, labels)
    return LabelPair(item.image, dense, labels)


def check_size(path: str, dense: Labels, name: str, other: Labels) -> None:
    """Raise a ValueError unless a mask is as large as something else."""
    if dense.shape != other.shape:
        raise ValueError(
            f'{path} is {dense.shape[1]}x{dense.shape[0]} pixels, {name} '
            f'{other.shape[1]}x{other.shape[0]}'
        )


def _read_classes(path: str, reading: Reading) -> Labels:
    decoded = decode(Path(path).read_bytes(), path, reading)
    if decoded.values is None:
        raise ValueError(f'{path}: {decoded.problems[-1].detail}')
    values = np.array(reading.table, np.uint8)[decoded.values]
    classes = reading.num_classes
    if classes is not None:
        known = values[values != NO_LABEL]
        if known.size and known.max() >= classes:
            raise ValueError(
                f'{path} has class {known.max()}, the data set has '
                f'{classes}, numbered from 0'
            )
    return values


@dataclass
class Measured:
    """A model and what is counted of it.

    Attributes:
        name: For tables and legends.
        predictor: Probabilities of the image at a path, such as a
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
    """What figures 5 and 8 show of one image.

    Attributes:
        name: Of the image, without folder and suffix.
        image: RGB, ``(H, W, 3)``.
        labels: As in :class:`LabelPair`.
        annotation: Largest annotation probability among the classes,
            ``(H, W)`` as those below.
        segmentation: Largest segmentation probability.
        delta: Modulating factor of the label's class; where no label is, of
            the predicted one, of whatever confidence.
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
    """What is counted over the images of a data set.

    Args:
        models: The first one has a scribble branch if maps are wanted.
        num_classes: Of the data set.
        gamma: Exponent of the modulating factor.
        labels_are_dense: Whether labels are the masks of images that have no
            others.

    Attributes:
        masks: Distribution of the masks' pixels.
        labels: That of the labelled pixels, of whatever class.
        sparse: Number of images with sparse labels.
        maps: Those that were asked for.
    """

    def __init__(
        self,
        models: Sequence[Measured],
        num_classes: int,
        gamma: float,
        *,
        labels_are_dense: bool = False,
    ) -> None:
        """Begin with nothing."""
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
        pair = read_label_pair(item, labels_are_dense=self.labels_are_dense)
        distance = relative_distance(pair.dense)
        self.masks.add(distance, distance > 0)
        if pair.labels is not None:
            self.sparse += 1
            self.labels.add(distance, pair.labels != NO_LABEL)
        for index, model in enumerate(self.models):
            prob = model.predictor(pair.image)
            if len(prob.segmentation) != self.num_classes:
                raise ValueError(
                    f'{model.name} predicts {len(prob.segmentation)} '
                    f'classes, the data set has {self.num_classes}'
                )
            check_size(item.dense or item.name, pair.dense, pair.image,
                       prob.predicted)  # fmt: skip
            model.add(distance, prob, pair.dense)
            if keep_maps and index == 0:
                self.maps.append(preference_maps(pair, prob, self.gamma))

    def check(self) -> None:
        """Raise a ValueError if no pixel counts, or no labelled one."""
        if not self.masks.total:
            raise ValueError(
                'no pixel counts: each mask is void or of one class alone, '
                'and has no boundary'
            )
        if self.sparse and not self.labels.total:
            raise ValueError(
                'no labelled pixel counts: each is on void or on a class '
                'that fills its image, or there is none'
            )


def preference_maps(
    pair: LabelPair, prob: Probabilities, gamma: float
) -> PreferenceMaps:
    """Return the maps of an image.

    Raises:
        ValueError: If there is no annotation probability.
        OSError: If OpenCV cannot read the image.
    """
    if prob.annotation is None:
        raise ValueError('maps need an annotation probability, got None')
    target = prob.predicted
    if pair.labels is not None:
        target = np.where(pair.labels != NO_LABEL, pair.labels, target)
    delta, loss = blp_maps(
        prob.annotation, prob.segmentation, target, gamma=gamma
    )
    image = cv2.imread(pair.image)
    if image is None:
        raise OSError(f'OpenCV cannot read the image {pair.image}')
    return PreferenceMaps(
        Path(pair.image).stem,
        np.ascontiguousarray(image[..., ::-1]),
        pair.labels,
        prob.annotation[:-1].max(0),
        prob.segmentation.max(0),
        delta,
        loss,
    )
