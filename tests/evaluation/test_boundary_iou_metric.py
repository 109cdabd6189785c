"""BoundaryIoUMetric against pixels and neighbours counted one by one."""

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_sparse.evaluation import BoundaryIoUMetric
from tests.reference.boundary import areas

CLASSES = ('ground', 'wild cat', 'dog', 'never')


def blobs(generator, height, width, values):
    """Return a coarse random map, so that regions have an inside."""
    small = torch.randint(
        0, len(values), (1, 1, -(-height // 4), -(-width // 4)),
        generator=generator,
    )  # fmt: skip
    large = torch.nn.functional.interpolate(
        small.float(), scale_factor=4, mode='nearest'
    )
    return torch.tensor(values)[large[0, :, :height, :width].long()]


def sample(seed, height, width):
    generator = torch.Generator().manual_seed(seed)
    found = SegDataSample(metainfo=dict(img_path=f'{seed}.jpg'))
    mask = blobs(generator, height, width, [0, 1, 2, 255])
    labels = blobs(generator, height, width, [0, 1, 2])
    same = blobs(generator, height, width, [0, 1, 1]).bool()
    found.gt_sem_seg = PixelData(data=mask)
    found.pred_sem_seg = PixelData(
        data=labels.where((mask == 255) | ~same, mask)
    )
    return found


def evaluate(samples, **kwargs):
    evaluator = Evaluator([BoundaryIoUMetric(**kwargs)])
    evaluator.dataset_meta = dict(classes=CLASSES)
    for one in samples:
        evaluator.process([one])
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('image_border', [True, False])
@pytest.mark.parametrize('width', [1, 3])
def test_equals_the_literal_definition(width, image_border):
    samples = [sample(1, 13, 18), sample(2, 9, 22), sample(3, 5, 5)]
    found = evaluate(samples, widths=[width], image_border=image_border)
    for number, kind in enumerate(('IoU', 'TrimapIoU')):
        ious = []
        for index, name in enumerate(('ground', 'wild_cat', 'dog')):
            pairs = [
                areas(
                    s.pred_sem_seg.data[0].tolist(),
                    s.gt_sem_seg.data[0].tolist(),
                    index, width, 255, image_border,
                )[number]
                for s in samples
            ]  # fmt: skip
            common, union = map(sum, zip(*pairs, strict=True))
            assert 0 < common < union
            ious.append(100 * common / union)
            value = found.pop(f'boundary/{kind}_{width}px/{name}')
            assert value == pytest.approx(ious[-1], abs=0.006)
        mean = found.pop(f'boundary/m{kind}_{width}px')
        assert mean == pytest.approx(math.fsum(ious) / 3, abs=0.006)
    assert not found  # nothing of the class that never occurs


def strip(labels, mask):
    found = SegDataSample()
    found.pred_sem_seg = PixelData(data=torch.tensor([labels]))
    found.gt_sem_seg = PixelData(data=torch.tensor([mask]))
    return found


def test_by_hand():
    # Five rows of one class and five of another, the contour moved by one.
    mask = [[0] * 4] * 5 + [[1] * 4] * 5
    moved = [[0] * 4] * 6 + [[1] * 4] * 4
    found = evaluate([strip(moved, mask)], widths=[1], image_border=False)
    # Bands of one row each: 4 | 5 in the mask, 5 | 6 predicted.
    assert found['boundary/IoU_1px/ground'] == 0
    assert found['boundary/mIoU_1px'] == 0
    # Rows 4 and 5: of class 0 row 4 is right and row 5 wrong; of class 1
    # nothing is right.
    assert found['boundary/TrimapIoU_1px/ground'] == 50
    assert found['boundary/TrimapIoU_1px/wild_cat'] == 0
    found = evaluate([strip(moved, mask)], widths=[2], image_border=False)
    # Ground: rows 3, 4 and 4, 5.
    assert found['boundary/IoU_2px/ground'] == pytest.approx(100 / 3, abs=0.01)


def test_right_beside_void_is_right():
    mask = [[0, 0, 255, 255, 1, 1]] * 3
    found = evaluate([strip([[0, 0, 1, 0, 1, 1]] * 3, mask)], widths=[1, 0.3])
    assert {k: v for k, v in found.items() if v != 100} == {}
    # The diagonal is 6.7 pixels.
    assert 'boundary/mTrimapIoU_0.3d' in found
    assert 'boundary/mTrimapIoU_1px' in found


def test_nothing_counted_is_no_number():
    found = evaluate([strip([[0, 1]], [[255, 255]])])
    assert math.isnan(found.pop('boundary/mIoU_0.02d'))
    assert math.isnan(found.pop('boundary/mTrimapIoU_0.02d'))
    assert not found


@pytest.mark.parametrize('width', [0, -1, 1.5, 0.0, 'wide'])
def test_refuses_other_widths(width):
    with pytest.raises(ValueError, match='expected widths of at least 1'):
        BoundaryIoUMetric(widths=[width])


def test_refuses_another_size():
    with pytest.raises(ValueError, match=r'expected a mask of the size'):
        evaluate([strip([[0, 1]], [[0]])])
