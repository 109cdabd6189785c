"""mmseg's IoU metric, with the IoU of each class in the log."""

from collections.abc import Sequence
from typing import Any

from mmseg.evaluation.metrics import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """``IoUMetric`` that also reports ``IoU/<class>``, in percent.

    The stock metric prints these in a table only; so what is said of a class
    can be looked up in ``scalars.json``. Classes that neither masks nor
    predictions have are left out. Arguments and other results are those of
    ``IoUMetric``.
    """

    def compute_metrics(self, results: Sequence[Any]) -> dict[str, float]:
        """Return the stock metrics and the IoU of each class."""
        metrics: dict[str, float] = super().compute_metrics(results)
        if self.format_only:
            return metrics
        totals = [sum(areas) for areas in zip(*results, strict=True)]
        ious = self.total_area_to_metrics(*totals)['IoU']
        for name, iou in zip(self.dataset_meta['classes'], ious, strict=True):
            if iou == iou:  # a class that occurs
                key = f'IoU/{name.replace(" ", "_")}'
                metrics[key] = round(100 * float(iou), 2)
        return metrics
