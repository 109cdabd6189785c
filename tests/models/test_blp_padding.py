"""BLPHead: padding gives nothing to local aggregation; labels are classes."""

import pytest
import torch

from mmseg_sparse.models.refiners import LocalAggregation
from tests.helpers import stock
from tests.models.test_blp_head import build


@pytest.fixture
def seen(monkeypatch):
    """What local aggregation is told to be image, call by call."""
    found = []
    forward = LocalAggregation.forward

    def keeping(self, *args, valid=None, **kwargs):
        found.append(valid)
        return forward(self, *args, valid=valid, **kwargs)

    monkeypatch.setattr(LocalAggregation, 'forward', keeping)
    return found


def image_of_second(height, width):
    valid = torch.ones(2, 64, 64, dtype=torch.bool)
    valid[1, height:] = False
    valid[1, :, width:] = False
    return valid


@pytest.mark.parametrize('begin', [0, None])
def test_aggregates_no_padding_in_training(seen, begin):
    images, samples = stock.batch()
    build(self_training_begin=begin).loss(images, samples)
    (valid,) = seen
    assert torch.equal(valid, image_of_second(56, 40))


def test_aggregates_no_padding_in_testing(seen):
    images, samples = stock.batch()
    build().eval().predict(images, samples)
    (valid,) = seen
    assert torch.equal(valid, image_of_second(56, 40))


@pytest.mark.parametrize('begin', [0, None])
@pytest.mark.parametrize('value', [stock.NUM_CLASSES, 254])
def test_labels_that_are_no_class_are_named(value, begin):
    images, samples = stock.batch()
    samples[1].gt_sem_seg.data[0, 3, 5] = value
    samples[1].set_metainfo(dict(seg_map_path='strokes/b.png'))
    wanted = rf'strokes/b\.png: label {value} is none of the \d+ classes'
    with pytest.raises(ValueError, match=wanted):
        build(self_training_begin=begin).loss(images, samples)
