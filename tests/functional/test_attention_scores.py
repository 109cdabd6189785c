import pytest
import torch

from mmseg_sparse.functional import (
    Attention,
    mean_attention,
    symmetric_scores,
)

F64 = torch.float64
HW = (3, 2)


def layer(generator, heads, d, hw=HW, key_hw=None, n=2):
    key_hw = key_hw or hw
    sizes = (hw[0] * hw[1], key_hw[0] * key_hw[1])
    query, key = (
        torch.randn(n, heads, size, d, dtype=F64, generator=generator)
        for size in sizes
    )
    return Attention(query, key, d**-0.5, hw, key_hw)


@pytest.fixture
def layers():
    """Two layers with other numbers of heads and channels."""
    generator = torch.Generator().manual_seed(0)
    return [layer(generator, 2, 5), layer(generator, 3, 4)]


@pytest.fixture
def weight():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, dtype=F64, generator=generator)


def by_convolution(layers, weight, scaled):
    """Eq. 1 and 3: concatenate S, add its transpose, weigh the heads."""
    scores = []
    for one in layers:
        d = one.query.shape[3]
        s = torch.einsum('nhid,nhjd->nhij', one.query, one.key)
        scores.append(s / d**0.5 if scaled else s)
    s = torch.cat(scores, 1)
    both = s + s.transpose(2, 3)
    return torch.nn.functional.conv2d(both, weight[None, :, None, None])[:, 0]


@pytest.mark.parametrize('scaled', [True, False])
def test_equals_the_convolution(layers, weight, scaled):
    copies = [layers[0].query.clone(), layers[1].key.clone(), weight.clone()]
    found = symmetric_scores(layers, weight, scaled=scaled)
    expected = by_convolution(layers, weight, scaled)
    assert torch.allclose(found, expected, rtol=1e-10)
    assert torch.equal(found, found.transpose(1, 2))
    assert torch.equal(layers[0].query, copies[0])
    assert torch.equal(layers[1].key, copies[1])
    assert torch.equal(weight, copies[2])


def test_gradient(layers, weight):
    def function(query, key, weight):
        first = Attention(query, key, 0.3, HW, HW)
        return symmetric_scores([first, layers[1]], weight, scaled=True)

    inputs = [
        x.clone().requires_grad_()
        for x in (layers[0].query, layers[0].key, weight)
    ]
    assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(layers, weight, dtype):
    low = [
        Attention(x.query.to(dtype), x.key.to(dtype), x.scale, HW, HW)
        for x in layers
    ]
    wide = [
        Attention(x.query.double(), x.key.double(), x.scale, HW, HW)
        for x in low
    ]
    with torch.autocast('cpu', torch.bfloat16):
        found = symmetric_scores(low, weight.float())
    assert found.dtype == torch.float32
    expected = symmetric_scores(wide, weight)
    assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_one_token():
    generator = torch.Generator().manual_seed(2)
    one = layer(generator, 1, 3, (1, 1))
    found = symmetric_scores([one], torch.tensor([0.5], dtype=F64))
    expected = (one.query * one.key).sum(3)  # 0.5 S + 0.5 S
    assert torch.allclose(found, expected)


def test_mean_is_over_every_head(layers):
    """Layers of unequal numbers of heads have one vote each."""
    dense = [
        torch.stack([one.dense()[:, h] for h in range(heads)]).mean(0)
        for one, heads in zip(layers, (2, 3), strict=True)
    ]
    found = mean_attention(layers)
    assert torch.allclose(found, (dense[0] + dense[1]) / 2)
    assert torch.allclose(found.sum(2), torch.ones(2, 6, dtype=F64))


def test_refuses(layers, weight):
    generator = torch.Generator().manual_seed(3)
    oblong = layer(generator, 2, 5, (4, 6), (2, 3))
    for function in (
        lambda x: symmetric_scores(x, weight[:2]),
        mean_attention,
    ):
        with pytest.raises(ValueError, match='4x6 to keys on 2x3 is not sq'):
            function([oblong])
        with pytest.raises(ValueError, match='layers of attention, got none'):
            function([])
    other = layer(generator, 3, 4, (2, 3))
    with pytest.raises(ValueError, match='one grid, got 3x2 and 2x3'):
        symmetric_scores([layers[0], other], weight)
    with pytest.raises(ValueError, match=r'5 heads \(2 layers of 2 and 3\)'):
        symmetric_scores(layers, weight[:4])
