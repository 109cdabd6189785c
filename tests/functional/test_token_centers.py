"""Where tokens are, and sampling there."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmseg_sparse.functional import resize_inside
from mmseg_sparse.functional.token_centers import (
    Centers,
    conv_centers,
    sample_linear,
    sample_nearest,
)

F64 = torch.float64


def middle_of_what_is_read(convolutions, pixels):
    """The mean of the pixels that each output of a real chain reads."""
    chain = nn.Sequential(
        *(nn.Conv1d(1, 1, k, s, p, bias=False) for k, s, p in convolutions)
    ).double()
    for layer in chain:
        nn.init.ones_(layer.weight)
    image = torch.zeros(1, 1, pixels, dtype=F64, requires_grad=True)
    line = torch.arange(pixels, dtype=F64)
    found = []
    for value in chain(image)[0, 0]:
        (read,) = torch.autograd.grad(value, image, retain_graph=True)
        found.append(((read[0, 0] * line).sum() / read.sum()).item())
    return found


@pytest.mark.parametrize(
    ('convolutions', 'wanted'),
    [
        ([(7, 4, 3)], (4, 0)),  # MiT's stages, strides 4, 2, 2, 1
        ([(7, 4, 3), (3, 2, 1), (3, 2, 1)], (16, 0)),
        ([(7, 4, 3), (3, 2, 1), (3, 2, 1), (3, 1, 1)], (16, 0)),
        ([(7, 4, 3), (8, 8, 0)], (32, 14)),  # its keys: every 8 tokens
        ([(16, 16, 0)], (16, 7.5)),  # ViT: patches side by side
        ([(5, 3, 1), (4, 2, 0)], (6, 5.5)),
    ],
)
def test_centres_are_the_middle_of_what_convolutions_read(
    convolutions, wanted
):
    centers = conv_centers(convolutions)
    assert centers == wanted
    found = middle_of_what_is_read(convolutions, 150)
    positions = centers.positions(len(found), torch.device('cpu')).tolist()
    # Those at the border read of the padding as well.
    assert found[2:-2] == pytest.approx(positions[2:-2])
    assert len(found) >= 5 or convolutions[-1][0] == 8


def test_scaled_and_mirrored_by_hand():
    # A token at pixel 16 of an image enlarged by 1.5, whose pixel i shows
    # (i + 1/2) / 1.5 - 1/2: pixel 10.5.
    assert Centers(16.0, 0.0).scaled(1.5).step * 1.5 == 16
    positions = Centers(16.0, 0.0).scaled(1.5).positions(2, 'cpu')
    assert positions.tolist() == pytest.approx([-1 / 6, 10.5])
    # 50 pixels, tokens at 0, 16, 32, 48 of the mirror image: at 49, 33, 17,
    # 1 of the image.
    mirrored = Centers(16.0, 0.0).mirrored(4, 50)
    assert mirrored.positions(4, 'cpu').tolist() == [1, 17, 33, 49]


@pytest.mark.parametrize('padded', [False, True])
def test_sampling_over_the_extent_is_resizing(padded):
    maps = torch.rand(2, 3, 7, 5, dtype=F64)
    valid = torch.ones(2, 7, 5, dtype=torch.bool)
    valid[1, 4:] = valid[1, :, 3:] = False
    rows = Centers(23 / 7, 23 / 14 - 0.5).coordinates(23, 'cpu')
    columns = Centers(3.2, 1.1).coordinates(16, 'cpu')
    valid = valid if padded else None
    found = sample_linear(maps, rows, columns, valid=valid)
    expected = resize_inside(maps, (23, 16), valid=valid)
    assert torch.allclose(found, expected, atol=1e-9)
    where = Centers(23 / 7, 23 / 14 - 0.5).positions(7, 'cpu')
    pixels = torch.arange(23.0).view(1, 23, 1).expand(2, 23, 16)
    found = sample_nearest(pixels, where, torch.tensor([0.0]))
    assert found[0, :, 0].tolist() == [1, 4, 8, 11, 14, 18, 21]


def test_sampling_at_pixels_takes_them():
    maps = torch.rand(1, 2, 20, 33, dtype=F64)
    centers = Centers(16.0, 0.0)
    rows, columns = centers.positions(2, 'cpu'), centers.positions(3, 'cpu')
    found = sample_linear(maps, rows, columns)
    assert torch.equal(found, maps[:, :, ::16, ::16])
    assert torch.equal(sample_nearest(maps[0], rows, columns), found[0])
    # And back: linear between tokens, the border's beyond.
    back = sample_linear(
        found, centers.coordinates(20, 'cpu'), centers.coordinates(33, 'cpu')
    )
    expected = F.interpolate(
        found, (17, 33), mode='bilinear', align_corners=True
    )
    assert torch.allclose(back[:, :, :17], expected)
    assert torch.allclose(back[:, :, 17:], expected[:, :, -1:])


def test_sampling_has_a_gradient():
    maps = torch.rand(1, 2, 3, 4, dtype=F64, requires_grad=True)
    rows = torch.tensor([-1.0, 0.3, 1.9], dtype=F64)
    assert torch.autograd.gradcheck(
        lambda m: sample_linear(m, rows, rows), maps
    )
