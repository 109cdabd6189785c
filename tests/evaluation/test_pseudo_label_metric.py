"""PseudoLabelMetric against pixels counted one by one."""

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_sparse.evaluation import PseudoLabelMetric

CLASSES = ('ground', 'cat', 'dog', 'never')
STAGES = ('cam', 'refined', 'propagated', 'final', 'labels')


def sample(seed, height, width, leave=()):
    """Random maps; three classes occur, void and unlabelled pixels too."""
    generator = torch.Generator().manual_seed(seed)

    def maps(values):
        chosen = torch.randint(
            0, len(values), (1, height, width), generator=generator
        )
        return PixelData(data=torch.tensor(values)[chosen])

    found = SegDataSample(metainfo=dict(img_path=f'{seed}.jpg'))
    found.gt_sem_seg = maps([0, 0, 1, 2, 255])
    for stage in STAGES:
        if stage not in leave:
            values = [0, 1, 2, 255] if stage == 'labels' else [0, 1, 2, 2]
            found.set_field(maps(values), f'pseudo_{stage}')
    found.pred_sem_seg = maps([0, 1])
    return found


def by_hand(samples, field, skip_unlabelled):
    """Mean IoU over the classes that occur, in percent."""
    pairs = [
        (a, b)
        for s in samples
        for a, b in zip(
            s.get(field).data.flatten().tolist(),
            s.gt_sem_seg.data.flatten().tolist(),
            strict=True,
        )
        if b != 255 and not (skip_unlabelled and a == 255)
    ]
    values = []
    for c in range(len(CLASSES)):
        both = sum(a == b == c for a, b in pairs)
        union = sum(c in pair for pair in pairs)
        values += [100 * both / union] if union else []
    return math.fsum(values) / len(values)


def evaluate(samples, batch=2, **kwargs):
    evaluator = Evaluator([PseudoLabelMetric(**kwargs)])
    evaluator.dataset_meta = dict(classes=CLASSES)
    for start in range(0, len(samples), batch):
        evaluator.process(samples[start : start + batch])
    return evaluator.evaluate(len(samples))


def test_equals_the_pixels_counted():
    samples = [sample(1, 7, 9), sample(2, 12, 5), sample(3, 4, 4)]
    found = evaluate(samples)
    for stage in (*STAGES, 'prediction'):
        field = f'pseudo_{stage}' if stage in STAGES else 'pred_sem_seg'
        expected = by_hand(samples, field, stage == 'labels')
        assert found.pop(f'pseudo/{stage}_mIoU') == pytest.approx(
            expected, abs=0.006
        )
    known = [s.gt_sem_seg.data != 255 for s in samples]
    given = [
        (s.pseudo_labels.data != 255) & k
        for s, k in zip(samples, known, strict=True)
    ]
    share = 100 * sum(map(torch.sum, given)) / sum(map(torch.sum, known))
    assert found.pop('pseudo/labels_share') == pytest.approx(
        share.item(), abs=0.006
    )
    pairs = [
        (a, b)
        for s in samples
        for a, b in zip(
            s.pseudo_labels.data.flatten().tolist(),
            s.gt_sem_seg.data.flatten().tolist(),
            strict=True,
        )
        if b != 255
    ]
    for index, name in enumerate(CLASSES[:3]):
        truth = [a for a, b in pairs if b == index]
        right = [b == index for a, b in pairs if a == index]
        share = sum(a != 255 for a in truth) / len(truth)
        assert found.pop(f'pseudo/labels_share/{name}') == pytest.approx(
            100 * share, abs=0.006
        )
        assert found.pop(f'pseudo/labels_precision/{name}') == pytest.approx(
            100 * sum(right) / len(right), abs=0.006
        )
    assert not found


def test_by_hand():
    # Void is left out; a pixel without a label is wrong, except in labels.
    one = sample(0, 1, 4)
    one.gt_sem_seg.data = torch.tensor([[[0, 0, 1, 255]]])
    for stage in STAGES:
        one.set_field(
            PixelData(data=torch.tensor([[[0, 255, 1, 2]]])),
            f'pseudo_{stage}',
        )
    found = evaluate([one])
    assert found['pseudo/cam_mIoU'] == 75  # ground 1 of 2, cat 1 of 1
    assert found['pseudo/labels_mIoU'] == 100
    assert found['pseudo/labels_share'] == 66.67


def test_without_propagation_and_under_another_name():
    samples = [
        sample(1, 7, 9, ['propagated']),
        sample(2, 3, 5, ['propagated']),
    ]
    found = evaluate(samples, prefix='train')
    assert 'train/final_mIoU' in found
    assert 'train/propagated_mIoU' not in found


def test_a_mask_of_void_alone_counts_nothing():
    empty = sample(1, 3, 4)
    empty.gt_sem_seg.data.fill_(255)
    assert math.isnan(evaluate([empty])['pseudo/cam_mIoU'])
    full = sample(2, 7, 9)
    assert evaluate([empty, full]) == evaluate([full])


def test_refuses():
    with pytest.raises(ValueError, match=r'1\.jpg: .*pseudo_labels=True'):
        evaluate([sample(1, 3, 4, STAGES)])
    other = sample(1, 3, 4)
    other.gt_sem_seg = PixelData(data=torch.zeros(1, 5, 4).long())
    with pytest.raises(ValueError, match='pseudo_cam is 4x3 pixels, its mask'):
        evaluate([other])
    other = sample(1, 3, 4)
    other.gt_sem_seg.data[0, 0, 0] = 4
    with pytest.raises(ValueError, match='of classes 0 to 3, got 0 to 4'):
        evaluate([other])
    del other.gt_sem_seg
    with pytest.raises(ValueError, match=r'1\.jpg: expected a dense mask'):
        evaluate([other])
