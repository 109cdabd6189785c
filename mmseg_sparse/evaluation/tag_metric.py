"""How well a classifier finds the tags of images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from numpy.typing import NDArray
from prettytable import PrettyTable


@METRICS.register_module()
class TagMetric(BaseMetric):
    r"""Average precision and F1 of the tags that a classifier predicts.

    For the classifiers of AFA and TRL: the segmentor must have
    ``test_cfg=dict(tag_scores=True)``, and the samples ``gt_label``, which
    ``PackSparseInputs(num_classes=..., background=...)`` takes from masks.

    The average precision of a tag is the mean, over the images that have
    it, of the share of right ones among the images with a score at least as
    high (the area under the precision-recall curve in steps). F1 is
    :math:`2TP / (2TP + FP + FN)` with scores above a threshold as
    predictions. Results, in percent: ``tags/mAP`` and ``tags/mF1``, the means
    over the tags that an image has; ``tags/F1``, of all tags counted
    together; ``tags/AP/<class>`` and ``tags/F1/<class>``.

    Args:
        background: Index of the class that is not a tag, used where there is
            one tag less than classes.
        threshold: Probability above which a tag is predicted.
        collect_device: As in ``BaseMetric``.
        prefix: As in ``BaseMetric``.

    Raises:
        ValueError: If ``threshold`` is not between 0 and 1.
    """

    default_prefix = 'tags'

    def __init__(
        self,
        background: int = 0,
        threshold: float = 0.5,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < threshold < 1:
            raise ValueError(
                f'expected a threshold between 0 and 1, got {threshold}'
            )
        self.background = background
        self.threshold = threshold

    def process(
        self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep scores and tags of some images.

        Args:
            data_batch: Not looked at.
            data_samples: Results of the segmentor.

        Raises:
            ValueError: If a result has no scores or no tags, or as many as
                the data set does not have.
        """
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            name = sample.get('img_path', 'a result')
            for key, remedy in (
                ('tag_scores', 'set model.test_cfg.tag_scores=True of an '
                 'AFASegmentor'),
                ('gt_label', 'let the pipeline end with PackSparseInputs'),
            ):  # fmt: skip
                if key not in sample:
                    raise ValueError(
                        f'{name}: expected {key} in the result, got none: '
                        f'{remedy}'
                    )
            pair = np.stack([
                sample[key].cpu().numpy().astype(np.float64)
                for key in ('tag_scores', 'gt_label')
            ])  # fmt: skip
            if pair.shape[1] not in (classes, classes - 1):
                raise ValueError(
                    f'{name}: expected {classes} or {classes - 1} tags, got '
                    f'{pair.shape[1]}'
                )
            self.results.append(pair)

    def compute_metrics(
        self, results: Sequence[NDArray[np.float64]]
    ) -> dict[str, float]:
        """Return the results of all images, in percent."""
        scores, tags = np.stack(results, axis=1)
        present, predicted = tags > 0, scores > self.threshold
        names = list(self.dataset_meta['classes'])
        if present.shape[1] < len(names):
            del names[self.background]
        table = PrettyTable(['Tag', 'AP', 'F1', 'Images'])
        metrics: dict[str, float] = {}
        for index, name in enumerate(names):
            if not present[:, index].any():
                continue
            column = present[:, index]
            found = (
                average_precision(scores[:, index], column),
                f1(predicted[:, index], column),
            )
            row = [round(100 * value, 2) for value in found]
            table.add_row([name, *row, np.count_nonzero(column)])
            key = name.replace(' ', '_')
            metrics |= {f'AP/{key}': row[0], f'F1/{key}': row[1]}
        print_log(f'Tags:\n{table}', MMLogger.get_current_instance())
        means = {
            f'm{kind}': _mean([
                value for key, value in metrics.items()
                if key.startswith(f'{kind}/')
            ])
            for kind in ('AP', 'F1')
        }  # fmt: skip
        return means | {'F1': round(100 * f1(predicted, present), 2)} | metrics


def average_precision(
    scores: NDArray[np.floating], present: NDArray[np.bool_]
) -> float:
    """Return the average precision of a tag, see :class:`TagMetric`.

    Args:
        scores: One an image.
        present: Which images have the tag; at least one.
    """
    order = np.sort(scores)
    positive = np.sort(scores[present])
    # Of each image with the tag: how many have a score at least as high.
    every = len(order) - np.searchsorted(order, positive)
    right = len(positive) - np.searchsorted(positive, positive)
    return float((right / every).mean())


def f1(predicted: NDArray[np.bool_], present: NDArray[np.bool_]) -> float:
    """Return F1; 0 where nothing is predicted and nothing present."""
    both = 2 * np.count_nonzero(predicted & present)
    total = np.count_nonzero(predicted) + np.count_nonzero(present)
    return both / total if total else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 2) if values else math.nan
