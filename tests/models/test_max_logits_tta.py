"""The largest logit of all versions of an image decides."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_sparse.models.segmentors import MaxLogitsTTAModel


class Model(BaseModel):
    """What the wrapper asks of a segmentor."""

    def __init__(self, out_channels):
        super().__init__()
        self.out_channels = out_channels

    def forward(self, *args, **kwargs):
        raise NotImplementedError


def result(logits):
    sample = SegDataSample()
    sample.seg_logits = PixelData(data=torch.tensor(logits)[:, None])
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 1, 2))
    return sample


def test_the_largest_logit_wins():
    # Averaged probabilities would give the second pixel class 1, of which
    # both versions are rather sure.
    versions = [
        result([[5.0, 0.0], [0.0, 1.5], [1.0, 0.0]]),
        result([[0.0, 2.0], [3.0, 1.5], [9.0, 0.0]]),
    ]
    model = MODELS.build(dict(type='MaxLogitsTTAModel', module=Model(3)))
    assert isinstance(model, MaxLogitsTTAModel)
    (merged,) = model.merge_preds([versions])
    assert merged.pred_sem_seg.data.tolist() == [[[2, 0]]]
    assert 'gt_sem_seg' in merged


def test_refuses_a_single_channel():
    model = MaxLogitsTTAModel(module=Model(1))
    with pytest.raises(ValueError, match='out_channels=1: use SegTTAModel'):
        model.merge_preds([[result([[1.0, 0.0]])]])
