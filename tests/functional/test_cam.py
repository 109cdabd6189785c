import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import (
    class_activation,
    merge_activations,
    normalize_activation,
    resize_inside,
    top_k_pool,
    valid_on_grid,
)
from tests.reference import cam as reference

F64 = torch.float64
POOLINGS = ['gmp', 'gap', 0.5, 0.25, 0.1, 1.0, 1e-4]


@pytest.fixture
def feature():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 4, 5, 7, dtype=F64, generator=generator)


@pytest.fixture
def valid():
    mask = torch.ones(3, 5, 7, dtype=torch.bool)
    mask[1, 4:] = mask[1, :, 5:] = False
    mask[2, 1:] = mask[2, :, 1:] = False
    return mask


def sides(mask):
    return int(mask.any(1).sum()), int(mask.any(0).sum())


@pytest.mark.parametrize('pooling', POOLINGS)
def test_pool_equals_sorted_lists(feature, valid, pooling):
    copies = feature.clone(), valid.clone()
    found = top_k_pool(feature, pooling=pooling, valid=valid)
    for n in range(3):
        h, w = sides(valid[n])
        expected = reference.pool(feature[n, :, :h, :w], pooling)
        assert found[n].tolist() == pytest.approx(expected, rel=1e-12)
    assert torch.equal(feature, copies[0])
    assert torch.equal(valid, copies[1])
    whole = top_k_pool(feature, pooling=pooling)
    expected = [reference.pool(one, pooling) for one in feature]
    assert torch.allclose(whole, torch.tensor(expected, dtype=F64))


def test_pool_by_hand():
    # 10 values 0..9: the top 30 % are 9, 8, 7; their mean is 8
    feature = torch.arange(10.0).view(1, 1, 2, 5)
    assert top_k_pool(feature, pooling=0.3).item() == 8
    assert top_k_pool(feature, pooling='gmp').item() == 9
    assert top_k_pool(feature, pooling='gap').item() == 4.5


@pytest.mark.parametrize('pooling', ['gmp', 'gap', 0.4])
def test_pool_gradient(feature, valid, pooling):
    def function(x):
        return top_k_pool(x, pooling=pooling, valid=valid)

    x = feature.clone().requires_grad_()
    assert torch.autograd.gradcheck(function, x)
    function(x).square().sum().backward()
    assert not x.grad.masked_select(~valid[:, None]).any()
    assert x.grad[0].any()


@pytest.mark.parametrize('pooling', ['gmp', 'gap', 0.4])
def test_pool_of_nothing_is_zero(feature, pooling):
    x = feature.clone().requires_grad_()
    valid = torch.zeros(3, 5, 7, dtype=torch.bool)
    pooled = top_k_pool(x, pooling=pooling, valid=valid)
    assert not pooled.any()
    pooled.sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_pool_dtype(feature, dtype):
    low = feature.to(dtype)
    for pooling in ('gmp', 0.4):
        found = top_k_pool(low, pooling=pooling)
        assert found.dtype == dtype
        expected = top_k_pool(low.double(), pooling=pooling)
        assert torch.allclose(found.double(), expected, atol=2e-2)


def test_activation_equals_eq2(feature):
    weight = torch.randn(3, 4, dtype=F64)
    found = class_activation(feature, weight)
    plain = class_activation(feature, weight[..., None, None], rectify=False)
    for n in range(3):
        expected = reference.activation(feature[n], weight)
        assert torch.allclose(plain[n], expected, rtol=1e-10)
        assert torch.allclose(found[n], expected.clamp(min=0), rtol=1e-10)
    assert (plain < 0).any()


def test_resizes_from_valid_pixels_alone():
    # Two pixels become four: 5, (3 * 5 + 7) / 4, (5 + 3 * 7) / 4, 7. Where
    # the second is not valid, the first has all the weight, or none is left.
    maps = torch.tensor([[[[5.0, 7.0]]]])
    for inside, wanted in (
        ([True, True], [5.0, 5.5, 6.5, 7.0]),
        ([True, False], [5.0, 5.0, 5.0, 0.0]),
    ):
        found = resize_inside(maps, (1, 4), valid=torch.tensor([[inside]]))
        torch.testing.assert_close(found, torch.tensor([[[wanted]]]))


def test_resize_equals_the_image_without_its_padding(feature, valid):
    height, width = 15, 14  # both sides times 3 and 2
    found = resize_inside(feature, (height, width), valid=valid)
    assert torch.allclose(
        resize_inside(feature, (height, width))[0, 1],
        reference.bilinear(feature[0, 1], height, width),
    )
    for n in range(3):
        h, w = sides(valid[n])
        expected = F.interpolate(
            feature[n : n + 1, :, :h, :w], (3 * h, 2 * w), mode='bilinear'
        )
        assert torch.allclose(found[n, :, : 3 * h, : 2 * w], expected[0])


def test_normalize_equals_the_loop_inside(feature, valid):
    found = normalize_activation(feature, valid=valid)
    for n in range(3):
        h, w = sides(valid[n])
        for k in range(4):
            expected = reference.normalize(feature[n, k, :h, :w])
            assert torch.allclose(found[n, k, :h, :w], expected)
    assert not found.masked_select(~valid[:, None]).any()
    loud = feature.masked_fill(~valid[:, None], 1e6)
    assert torch.equal(normalize_activation(loud, valid=valid), found)


def test_normalize_of_a_flat_map_and_of_nothing():
    flat = torch.full((1, 2, 3, 4), 7.0)
    assert not normalize_activation(flat).any()
    nowhere = torch.zeros(1, 3, 4, dtype=torch.bool)
    assert not normalize_activation(flat, valid=nowhere).any()


def test_merge_equals_the_release_by_loops():
    generator = torch.Generator().manual_seed(4)
    scales = [
        tuple(
            torch.randn(2, 3, h, w, dtype=F64, generator=generator)
            for _ in range(2)
        )
        for h, w in ((4, 5), (2, 3), (6, 7))
    ]
    found = merge_activations([(*pair, None) for pair in scales], (9, 11))
    for n in range(2):
        pairs = [(maps[n], mirrored[n]) for maps, mirrored in scales]
        expected = torch.stack(reference.merge(pairs, 9, 11))
        assert torch.allclose(found[n], expected, rtol=1e-10)
    assert found.min() == 0
    assert found.max() == pytest.approx(1, abs=1e-4)


def test_merge_leaves_padding_out(feature, valid):
    mirrored = feature.flip(0, -1)
    size = (10, 14)
    large = valid.repeat_interleave(2, 1).repeat_interleave(2, 2)
    found = merge_activations([(feature, mirrored, valid)], size, valid=large)
    for n in range(3):
        h, w = sides(valid[n])
        alone = merge_activations(
            [
                (
                    feature[n : n + 1, :, :h, :w],
                    mirrored[n : n + 1].flip(-1)[..., :h, :w].flip(-1),
                    None,
                )
            ],
            (2 * h, 2 * w),
        )
        assert torch.allclose(found[n, :, : 2 * h, : 2 * w], alone[0])


def test_merge_without_mirror_is_eq2_normalised(feature):
    found = merge_activations([(feature, None, None)], (5, 7))
    assert torch.allclose(found, normalize_activation(feature.relu()))


def test_a_position_counts_where_any_pixel_does(valid):
    found = valid_on_grid(valid, (3, 3))
    # 5 rows make 3 of rows 0-1, 1-3, 3-4; 7 columns 0-2, 2-4, 4-6
    assert found[0].all()
    assert found[1].all()
    assert found[2].tolist() == [[True, False, False]] + 2 * [3 * [False]]
    found = valid_on_grid(valid, (5, 7))
    assert torch.equal(found, valid)


@pytest.mark.parametrize('pooling', ['max', 0.0, 1.5, True, -1])
def test_refuses_poolings(feature, pooling):
    with pytest.raises(ValueError, match=r"'gap' or a share in \(0, 1\]"):
        top_k_pool(feature, pooling=pooling)


def test_refuses_shapes(feature, valid):
    with pytest.raises(ValueError, match=r'expected valid \(3, 5, 7\), got'):
        top_k_pool(feature, valid=valid[:2])
    with pytest.raises(ValueError, match=r'cam \(N, C, H, W\), got \(5, 7\)'):
        normalize_activation(feature[0, 0])
    with pytest.raises(ValueError, match=r'weight \(K, D\), got .*\(2, 3\)'):
        class_activation(feature, torch.ones(2, 3))
    with pytest.raises(ValueError, match='at least one, got none'):
        merge_activations([], (2, 2))
