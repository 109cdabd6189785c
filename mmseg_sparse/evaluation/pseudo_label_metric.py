"""How good the labels are that a model makes of image tags."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor

from mmseg_sparse.labels.label_map import NO_LABEL

#: Where the label maps of a stage are in a result.
STAGES = {
    'cam': 'pseudo_cam',
    'refined': 'pseudo_refined',
    'propagated': 'pseudo_propagated',
    'final': 'pseudo_final',
    'labels': 'pseudo_labels',
    'prediction': 'pred_sem_seg',
}


@METRICS.register_module()
class PseudoLabelMetric(BaseMetric):
    r"""IoU of pseudo labels, step by step, against dense masks.

    For AFA's tables 3 and 4, on any split that has masks: the segmentor must
    have ``test_cfg=dict(..., pseudo_labels=True)``, and the samples
    ``gt_label``, which ``PackSparseInputs(num_classes=..., background=...)``
    takes from the masks. With the stock ``ValLoop`` and ``TestLoop``::

        val_evaluator = [
            dict(type='IoUMetric'),
            dict(type='PseudoLabelMetric'),
        ]

    Results, in percent, are ``pseudo/<stage>_mIoU`` for the stages ``cam``,
    ``refined``, ``propagated`` (where there is propagation), ``final``,
    ``labels`` and ``prediction``, the segmentation branch. ``labels`` are
    those a training learns from: their mIoU is over the pixels that have
    one, and ``pseudo/labels_share`` says how many these are. In the other
    stages, a pixel without a label counts as wrong. The mean is over the
    classes that occur in masks or labels, over all images together.

    Args:
        ignore_index: Void in the masks.
        collect_device: As in ``BaseMetric``.
        prefix: As in ``BaseMetric``.
    """

    default_prefix = 'pseudo'

    def __init__(
        self,
        ignore_index: int = NO_LABEL,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        """Keep the arguments."""
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index

    def process(
        self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Count the pixels of some images.

        Args:
            data_batch: Not looked at.
            data_samples: Results of the segmentor.

        Raises:
            ValueError: If there are no pseudo labels or no mask in one, or
                their sizes differ.
        """
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            self.results.append(self._areas(sample, classes))

    def _areas(
        self, sample: Mapping[str, Any], classes: int
    ) -> dict[str, Tensor]:
        """Return areas, ``(4, classes)``, of each stage of an image."""
        name = sample.get('img_path', 'a result')
        if STAGES['cam'] not in sample:
            raise ValueError(
                f'{name}: no pseudo labels in it: set '
                'model.test_cfg.pseudo_labels=True, of an AFASegmentor'
            )
        if 'gt_sem_seg' not in sample:
            raise ValueError(
                f'{name}: no mask in it: the pipeline of the data set must '
                'load the dense masks'
            )
        dense = sample['gt_sem_seg']['data'].squeeze(0).cpu().long()
        found = {}
        for stage, field in STAGES.items():
            if field not in sample:
                continue
            labels = sample[field]['data'].squeeze(0).cpu().long()
            if labels.shape != dense.shape:
                raise ValueError(
                    f'{name}: {field} is {_size(labels)}, its mask '
                    f'{_size(dense)}: LoadAnnotations must come after Resize '
                    'in the pipeline'
                )
            found[stage] = label_areas(
                labels, dense, classes, ignore_index=self.ignore_index
            )
        return found

    def compute_metrics(
        self, results: Sequence[Mapping[str, Tensor]]
    ) -> dict[str, float]:
        """Return the results of all images, in percent."""
        metrics = {}
        table = PrettyTable()
        table.add_column('Class', list(self.dataset_meta['classes']))
        for stage in STAGES:
            areas = [r[stage].double() for r in results if stage in r]
            if not areas:
                continue
            both, labels, known, dense = torch.stack(areas).sum(0)
            if stage == 'labels':
                share = known.sum() / dense.sum().clamp(min=1)
                metrics['labels_share'] = round(100 * float(share), 2)
                dense = known
            iou = (both / (labels + dense - both)).numpy() * 100
            table.add_column(stage, [f'{value:.2f}' for value in iou])
            mean = float('nan') if np.isnan(iou).all() else np.nanmean(iou)
            metrics[f'{stage}_mIoU'] = round(float(mean), 2)
        logger = MMLogger.get_current_instance()
        print_log(f'IoU of pseudo labels:\n{table}', logger)
        return metrics


def label_areas(
    labels: Tensor, dense: Tensor, classes: int, *, ignore_index: int = 255
) -> Tensor:
    """Count the pixels of each class that are no void.

    Args:
        labels: ``(H, W)``, class ids; others, such as 255, are no label.
        dense: The mask, ``(H, W)``.
        classes: Number of classes, C.
        ignore_index: Void in the mask.

    Returns:
        Int32 ``(4, C)``: the pixels with the class in both, with it in
        ``labels``, with it in the mask and any label, with it in the mask.

    Raises:
        ValueError: If the mask holds what is neither a class nor void.
    """
    counted = dense != ignore_index
    labels, dense = labels[counted], dense[counted]
    if dense.numel() and not 0 <= dense.min() <= dense.max() < classes:
        raise ValueError(
            f'a mask holds classes {dense.min()} to {dense.max()}, the data '
            f'set has 0 to {classes - 1}'
        )
    known = (labels >= 0) & (labels < classes)
    kinds = (
        labels[labels == dense],
        labels[known],
        dense[known],
        dense,
    )
    counts = [torch.bincount(kind, minlength=classes) for kind in kinds]
    return torch.stack(counts).to(torch.int32)


def _size(labels: Tensor) -> str:
    return f'{labels.shape[1]}x{labels.shape[0]} pixels'
