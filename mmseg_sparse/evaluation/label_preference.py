"""BLPSeg's label preference analysis (section V-B), summed over images.

Relative distances are those of
:func:`~mmseg_sparse.doctor.relative_distance`: 0 where a pixel does
not count, void and classes that fill their image.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmseg_sparse.labels.boundary_distance import BINS
from mmseg_sparse.labels.label_map import Labels

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
