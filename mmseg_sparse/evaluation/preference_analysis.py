"""BLPSeg's label preference analysis of models on a data set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmseg_sparse.doctor import LabelItem, relative_distance
from mmseg_sparse.labels.label_map import NO_LABEL, Labels

from .label_pairs import LabelPair, check_size, read_label_pair
from .label_preference import (
    PrecisionByDistance,
    WeightedDistribution,
    blp_maps,
)
from .probabilities import Probabilities


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
        labels: As in :class:`~mmseg_sparse.evaluation.label_pairs.LabelPair`.
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
