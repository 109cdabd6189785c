"""Windows are blended: no seams, and a pixelwise model is unchanged."""

import pytest
import torch
from mmengine.config import ConfigDict
from torch import nn

from mmseg_sparse.prediction.windows import blend_windows, blended_inference
from tests.helpers import sparse, stock


class Local(nn.Module):
    """A model that sees pixels, or their surroundings in the window."""

    out_channels = 3

    def __init__(self, crop, stride, sees=None):
        super().__init__()
        self.test_cfg = ConfigDict(mode='slide', crop_size=crop, stride=stride)
        self.sees = sees

    def encode_decode(self, inputs, metas):
        assert metas[0]['img_shape'] == inputs.shape[2:]
        if self.sees is not None:
            return self.sees(inputs)
        return 2 * inputs - 1


@pytest.mark.parametrize('crop', [(8, 9), (5, 4), (30, 40), (17, 23)])
@pytest.mark.parametrize('size', [(17, 23), (5, 31)])
def test_a_pixelwise_model_predicts_as_at_once(crop, size) -> None:
    inputs = torch.randn(2, 3, *size)
    stride = (max(1, crop[0] * 2 // 3), max(1, crop[1] * 2 // 3))
    found = blended_inference(Local(crop, stride), inputs, [{}, {}])
    torch.testing.assert_close(found, 2 * inputs - 1)


def test_seams_are_smaller_than_with_equal_weights() -> None:
    # What is predicted depends on where in its window a pixel lies.
    def sees(inputs):
        ramp = torch.linspace(-1, 1, inputs.shape[3])
        return inputs.new_zeros(inputs.shape) + ramp

    model = Local((12, 12), (8, 8), sees)
    inputs = torch.zeros(1, 3, 12, 60)
    found = blended_inference(model, inputs, [{}])[0, 0, 0]
    count, total = torch.zeros(60), torch.zeros(60)
    for left in (0, 8, 16, 24, 32, 40, 48):
        total[left : left + 12] += torch.linspace(-1, 1, 12)
        count[left : left + 12] += 1
    equal = total / count
    assert found.diff().abs().max() < 0.6 * equal.diff().abs().max()


def test_models_that_are_not_of_this_kind() -> None:
    with pytest.raises(ValueError, match='got a Linear'):
        blend_windows(nn.Linear(1, 1), 8)


def test_the_whole_image_in_one_window() -> None:
    model = stock.build(sparse.config()).eval()
    images, samples = stock.batch()
    metas = [sample.metainfo for sample in samples]
    with torch.no_grad():
        wanted = model.inference(images, [dict(meta) for meta in metas])
        with pytest.raises(ValueError, match='the size of a window'):
            blend_windows(model)
        blend_windows(model, max(images.shape[2:]))
        found = model.inference(images, [dict(meta) for meta in metas])
    torch.testing.assert_close(found, wanted)
