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
    """IoU of pseudo labels with dense masks, after each step.

    For AFA's tables 3 and 4, on any split that has masks: the segmentor must
    have ``test_cfg=dict(..., pseudo_labels=True)``, and the samples
    ``gt_label``, which ``PackSparseInputs(num_classes=..., background=...)``
    takes from the masks. With the stock ``ValLoop`` and ``TestLoop``::

        val_evaluator = [
            dict(type='IoUMetric'),
            dict(type='PseudoLabelMetric'),
        ]

    The results, in percent, are ``pseudo/<stage>_mIoU`` for the stages
    ``cam``, ``refined``, ``propagated`` (where there is propagation),
    ``final``, ``labels`` and ``prediction``, the segmentation branch. The
    stage ``labels`` holds what a training learns from: its mIoU covers the
    pixels that have a label, and ``pseudo/labels_share`` is the share of
    these pixels. ``pseudo/labels_share/<class>`` is this share of the pixels
    that a class has in the masks, and ``pseudo/labels_precision/<class>`` the
    share of right ones among the pixels that are labelled as it; both are
    left out for a class without such pixels. In the other stages, a pixel
    without a label counts as wrong. Areas are summed over all images; the
    mean is over the classes that occur in masks or labels.

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
            ValueError: If a result has no pseudo labels or no mask, the sizes
                of these differ, or a mask has a class that is none.
        """
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            self.results.append(self._areas(sample, classes))

    def _areas(
        self, sample: Mapping[str, Any], classes: int
    ) -> dict[str, Tensor]:
        """Return the four areas of ``intersect_and_union`` of each stage."""
        # Here, since mmseg's metrics need not be imported with this package.
        from mmseg.evaluation.metrics import IoUMetric

        name = sample.get('img_path', 'a result')
        if STAGES['cam'] not in sample:
            raise ValueError(
                f'{name}: expected pseudo labels in the result, got none: '
                'set model.test_cfg.pseudo_labels=True of an AFASegmentor'
            )
        if 'gt_sem_seg' not in sample:
            raise ValueError(
                f'{name}: expected a dense mask in the result, got none: the '
                'pipeline of the data set must load the masks'
            )
        mask = sample['gt_sem_seg']['data'].squeeze(0).cpu().long()
        void = mask == self.ignore_index
        if not ((mask >= 0) & (mask < classes) | void).all():
            raise ValueError(
                f'{name}: expected a mask of classes 0 to {classes - 1}, got '
                f'{mask[~void].min()} to {mask[~void].max()}'
            )
        found = {}
        for stage, field in STAGES.items():
            if field not in sample:
                continue
            labels = sample[field]['data'].squeeze(0).cpu().long()
            if labels.shape != mask.shape:
                raise ValueError(
                    f'{name}: {field} is {_size(labels)}, its mask '
                    f'{_size(mask)}: LoadAnnotations must come after Resize '
                    'in the pipeline'
                )
            truth = mask
            if stage == 'labels':
                truth = mask.where(labels < classes, self.ignore_index)
            areas = IoUMetric.intersect_and_union(
                labels, truth, classes, self.ignore_index
            )
            found[stage] = torch.stack(areas).double()
        return found

    def compute_metrics(
        self, results: Sequence[Mapping[str, Tensor]]
    ) -> dict[str, float]:
        """Return the results of all images, in percent."""
        from mmseg.evaluation.metrics import IoUMetric

        metrics = {}
        table = PrettyTable()
        table.add_column('Class', list(self.dataset_meta['classes']))
        for stage in STAGES:
            areas = [r[stage] for r in results if stage in r]
            if not areas:
                continue
            totals = torch.stack(areas).sum(0)
            ious = 100 * IoUMetric.total_area_to_metrics(*totals)['IoU']
            table.add_column(stage, [f'{iou:.2f}' for iou in ious])
            mean = float('nan') if np.isnan(ious).all() else np.nanmean(ious)
            metrics[f'{stage}_mIoU'] = round(float(mean), 2)
            if stage == 'labels':
                every = torch.stack([r['cam'][-1] for r in results]).sum(0)
                share = float(totals[-1].sum()) / max(float(every.sum()), 1)
                metrics['labels_share'] = round(100 * share, 2)
                common, _, labelled, truth = totals
                shares = {
                    'share': truth / every, 'precision': common / labelled,
                }  # fmt: skip
                for kind, values in shares.items():
                    metrics |= self._by_class(f'{stage}_{kind}', values, table)
        logger = MMLogger.get_current_instance()
        print_log(f'IoU of pseudo labels:\n{table}', logger)
        return metrics

    def _by_class(
        self, key: str, values: Tensor, table: PrettyTable
    ) -> dict[str, float]:
        """Add a column in percent; return it, NaN left out."""
        numbers = [round(100 * value, 2) for value in values.tolist()]
        table.add_column(key, [f'{number:.2f}' for number in numbers])
        names = self.dataset_meta['classes']
        return {
            f'{key}/{name.replace(" ", "_")}': number
            for name, number in zip(names, numbers, strict=True)
            if number == number
        }


def _size(labels: Tensor) -> str:
    return f'{labels.shape[1]}x{labels.shape[0]} pixels'
