"""VGG with an output stride of 8, layer by layer as DeepLab has it."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import VGG

from mmseg_sparse.models.backbones import DilatedVGG


def literal(weights, image):
    """Thirteen convolutions and five pools, by the indices of their keys."""
    for index in range(31):
        weight = weights.get(f'features.{index}.weight')
        if weight is not None:
            dilation = 2 if index >= 24 else 1  # conv5
            image = F.conv2d(
                image, weight, weights[f'features.{index}.bias'],
                padding=dilation, dilation=dilation,
            ).relu()  # fmt: skip
        elif index in (4, 9, 16, 23, 30):
            stride = 1 if index in (23, 30) else 2
            image = F.max_pool2d(image, 3, stride, padding=1)
    return image


def test_it_is_vgg16_at_an_eighth():
    torch.manual_seed(0)
    model = DilatedVGG(16, base_channels=3).double().eval()
    image = torch.randn(2, 3, 37, 50, dtype=torch.float64)
    (found,) = model(image.clone())
    assert found.shape == (2, 24, 5, 7)  # ceil(37 / 8), ceil(50 / 8)
    wanted = literal(model.state_dict(), image)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=0)


@pytest.mark.parametrize('depth', [11, 13, 16, 19])
def test_weights_of_vgg_fit(depth):
    shapes = {
        key: value.shape
        for key, value in DilatedVGG(depth).state_dict().items()
    }
    stock = VGG(depth).state_dict()
    assert shapes == {key: value.shape for key, value in stock.items()}


def test_other_depths_are_refused():
    with pytest.raises(ValueError, match='one of 11, 13, 16, 19, got 12'):
        DilatedVGG(12)
