"""Maps resized at labelled pixels alone."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional.resize import labelled_pixels, resized_at


def test_labelled_pixels_by_hand():
    labels = torch.full((3, 2, 3), 9)
    labels[0, 0, 2], labels[0, 1, 1] = 4, 0
    labels[2, 0, 0] = 1
    places, found = labelled_pixels(labels, 9)
    assert places.tolist() == [[2, 4], [0, 0], [0, 0]]
    assert found.tolist() == [[4, 0], [9, 9], [1, 9]]
    places, found = labelled_pixels(torch.full((2, 2, 3), 255))
    assert places.tolist() == [[0], [0]]
    assert found.tolist() == [[255], [255]]


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(
    ('small', 'large'),
    [((3, 5), (13, 21)), ((1, 4), (5, 1)), ((6, 7), (6, 7))],
)
def test_equals_what_interpolate_gives_there(small, large, align_corners):
    maps = torch.randn(2, 3, *small, dtype=torch.float64, requires_grad=True)
    everywhere = torch.arange(large[0] * large[1]).expand(2, -1)
    found = resized_at(maps, everywhere, large, align_corners=align_corners)
    wanted = F.interpolate(
        maps, large, mode='bilinear', align_corners=align_corners
    )
    assert torch.allclose(found[:, :, 0], wanted.flatten(2), atol=1e-12)
    weight = torch.randn_like(wanted)
    pairs = [
        torch.autograd.grad((m.flatten() * weight.flatten()).sum(), maps)[0]
        for m in (found, wanted)
    ]
    assert torch.allclose(*pairs, atol=1e-12)


def test_half_precision_gives_float32():
    maps = torch.randn(1, 2, 3, 3).bfloat16()
    places = torch.tensor([[0, 5]])
    found = resized_at(maps, places, (6, 6))
    assert found.dtype == torch.float32
    wanted = F.interpolate(maps.float(), (6, 6), mode='bilinear')
    assert torch.allclose(found[0, :, 0], wanted.flatten(2)[0][:, places[0]])
