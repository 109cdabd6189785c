"""LocalAggregation in the segmentor's slot, on any size, without padding."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import local_aggregate
from mmseg_sparse.models.refiners import LocalAggregation
from mmseg_sparse.models.segmentors import Features
from tests.helpers import stock
from tests.helpers.sparse import config
from tests.reference import blpseg as reference

REFINER = dict(type='LocalAggregation', channels=8, sigma=2.5)


def module(**changes):
    torch.manual_seed(0)
    return LocalAggregation(**(dict(channels=8, sigma=2.5) | changes))


def case(height, width, stride=4, n=2):
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(n, 3, height, width, generator=generator)
    size = (n, 5, -(-height // stride), -(-width // stride))
    return torch.randn(size, generator=generator), Features((), image)


def low_level(refiner, image):
    """The feature by hand: patches, LayerNorm, 1×1."""
    layers = refiner.low_level
    patches = F.conv2d(
        image, layers.patches.weight, layers.patches.bias, stride=4
    )
    mean = patches.mean(1, keepdim=True)
    deviation = patches.var(1, unbiased=False, keepdim=True)
    maps = (patches - mean) / (deviation + 1e-5).sqrt()
    maps = maps * layers.norm.weight[:, None, None]
    maps = maps + layers.norm.bias[:, None, None]
    return F.conv2d(maps, layers.conv.weight, layers.conv.bias)


def test_is_the_function_of_image_and_logits():
    logits, feats = case(28, 44)
    refiner = module()
    expected = local_aggregate(
        logits, low_level(refiner, feats.image), sigma=2.5
    )
    assert torch.allclose(refiner(logits, feats), expected, atol=1e-5)
    assert (expected - logits).abs().max() > 0.1


def test_without_projection_it_is_the_papers_feature():
    logits, feats = case(12, 20)
    refiner = module(project=False).double()
    layers = refiner.low_level
    assert 'low_level.conv.weight' not in refiner.state_dict()
    with torch.no_grad():
        layers.norm.weight.uniform_(0.3, 2)
        layers.norm.bias.normal_()
        feature = reference.low_level_feature(
            feats.image.double(), layers.patches.weight, layers.patches.bias,
            layers.norm.weight, layers.norm.bias,
        )  # fmt: skip
        expected = reference.local_aggregate(
            logits.double(), feature, sigma=2.5
        )
        found = refiner(logits.double(), feats)
    assert torch.allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_without_distance_and_without_likeness():
    logits, feats = case(28, 44)
    refiner = module(use_distance=False)
    expected = local_aggregate(
        logits, low_level(refiner, feats.image), sigma=None
    )
    assert torch.allclose(refiner(logits, feats), expected, atol=1e-5)
    refiner = module(use_low_level=False)
    assert not list(refiner.parameters())
    expected = local_aggregate(logits, None, sigma=2.5)
    assert torch.allclose(refiner(logits, feats), expected, atol=1e-5)


def test_sizes_that_the_stride_does_not_divide():
    logits, feats = case(27, 41)
    refiner = module()
    image = F.pad(feats.image, (0, 3, 0, 1), mode='replicate')
    expected = local_aggregate(logits, low_level(refiner, image), sigma=2.5)
    assert torch.allclose(refiner(logits, feats), expected, atol=1e-5)


def test_logits_of_another_stride():
    logits, feats = case(32, 48, stride=8)
    refiner = module()
    maps = F.interpolate(
        low_level(refiner, feats.image), (4, 6), mode='bilinear'
    )
    expected = local_aggregate(logits, maps, sigma=2.5)
    assert torch.allclose(refiner(logits, feats), expected, atol=1e-5)


def test_padding_gives_nothing():
    logits, feats = case(32, 48, n=1)
    refiner = module()
    inner = refiner(
        logits[..., :5, :7].contiguous(),
        Features((), feats.image[..., :20, :28].contiguous()),
    )
    valid = torch.zeros(1, 32, 48, dtype=torch.bool)
    valid[:, :20, :28] = True
    found = refiner(logits, feats, valid=valid)[..., :5, :7]
    # The positions are counted from another middle.
    assert torch.allclose(found, inner, atol=1e-5)
    logits[..., 5:, :] = float('nan')
    logits[..., 7:] = float('nan')
    logits.requires_grad_()
    found = refiner(logits, feats, valid=valid)[..., :5, :7]
    assert torch.allclose(found, inner, atol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert (gradient[..., 5:, :] == 0).all()
    assert (gradient[..., 7:] == 0).all()


@pytest.mark.parametrize('aggregate', ['labeled', 'unlabeled'])
def test_pixels_that_are_aggregated(aggregate):
    logits, feats = case(28, 44)
    labels = torch.full((2, 28, 44), 255)
    labels[0, 5, 10:23] = 2
    labels[1, 0, 0] = 0
    refiner = module(aggregate=aggregate)
    known = torch.zeros(2, 7, 11, dtype=torch.bool)
    known[0, 1, 2:6] = True  # 10 // 4 to 22 // 4 in row 5 // 4
    known[1, 0, 0] = True
    if aggregate == 'unlabeled':
        known = ~known
    feature = low_level(refiner, feats.image)
    expected = local_aggregate(logits, feature, sigma=2.5, known=known)
    found = refiner(logits, feats, labels)
    assert torch.allclose(found, expected, atol=1e-5)
    everything = local_aggregate(logits, feature, sigma=2.5)
    assert torch.allclose(refiner(logits, feats), everything, atol=1e-5)


def test_sigma_is_learned():
    logits, feats = case(28, 44)
    refiner = module(learnable_sigma=True)
    assert torch.allclose(refiner(logits, feats), module()(logits, feats))
    refiner(logits, feats).square().sum().backward()
    assert refiner.sigma.grad.abs() > 0
    assert 'sigma' in refiner.state_dict()


def test_high_level_features_come_from_the_decoder():
    images, samples = stock.batch()
    refiner = dict(
        REFINER, use_high_level=True, high_level_channels=16,
        use_low_level=False,
    )  # fmt: skip
    model = stock.build(config(refiner=refiner))
    losses = model.loss(images, samples)
    losses['decode.loss_ce'].backward()
    assert model.refiner.high_level.conv.weight.grad.abs().sum() > 0
    feats = model.eval().extract_feat(images)
    with torch.no_grad():
        found = model.refiner.high_level
        logits = model(images, mode='tensor')
        kept = []
        model.decode_head.conv_seg.register_forward_pre_hook(
            lambda module, args: kept.append(args[0])
        )
        plain = model.decode_head(feats)
        expected = local_aggregate(plain, found(kept[0]), sigma=2.5)
    assert torch.allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(aggregate='some'), "got 'some'"),
        (dict(sigma=0.0), 'sigma must be .*, got 0'),
        (dict(sigma=float('inf')), 'sigma must be .*, got inf'),
        (dict(use_low_level=False, use_distance=False), 'nothing is left'),
        (dict(use_distance=False, learnable_sigma=True), 'nothing to learn'),
        (dict(use_high_level=True), 'high_level_channels.* got None'),
    ],
)
def test_errors(changes, words):
    with pytest.raises(ValueError, match=words):
        module(**changes)
