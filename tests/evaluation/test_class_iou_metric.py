"""ClassIoUMetric: the stock metric, and each class in the log."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample

from mmseg_sparse.evaluation import ClassIoUMetric

CLASSES = ('ground', 'wild cat', 'dog', 'never')


def evaluate(metric):
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(classes=CLASSES)
    for labels, mask in (
        ([[0, 0, 1], [1, 1, 2]], [[0, 1, 1], [1, 255, 2]]),
        ([[2, 0, 0]], [[0, 0, 0]]),
    ):
        sample = SegDataSample()
        sample.pred_sem_seg = PixelData(data=torch.tensor([labels]))
        sample.gt_sem_seg = PixelData(data=torch.tensor([mask]))
        evaluator.process([sample])
    return evaluator.evaluate(2)


@pytest.mark.parametrize('iou_metrics', [['mIoU'], ['mIoU', 'mDice']])
def test_adds_the_classes_to_the_stock_results(iou_metrics):
    stock = METRICS.get('IoUMetric')
    found = evaluate(ClassIoUMetric(iou_metrics=iou_metrics))
    # Ground: 3 of 5 pixels; wild cat: 2 of 3; dog: 1 of 2.
    assert found.pop('IoU/ground') == 60
    assert found.pop('IoU/wild_cat') == pytest.approx(66.67)
    assert found.pop('IoU/dog') == 50
    assert found == evaluate(stock(iou_metrics=iou_metrics))


def test_reports_nothing_where_the_stock_one_does_not(tmp_path):
    metric = ClassIoUMetric(format_only=True, output_dir=str(tmp_path))
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(classes=CLASSES)
    assert evaluator.evaluate(0) == {}
