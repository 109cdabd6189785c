import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_sparse.functional import PairwiseKernels, mean_field
from mmseg_sparse.models.features import Features
from tests.helpers import afa, stock
from tests.helpers.sparse import config

F64 = torch.float64
STD = torch.tensor([58.395, 57.12, 57.375], dtype=F64)[:, None, None]
WIDTHS = dict(
    sigma_rgb=20.0, sigma_xy=6.0, weight=2.0, smooth_sigma=1.5,
    smooth_weight=0.7,
)  # fmt: skip
REFINER = dict(type='DenseCRF', num_iters=2, **WIDTHS)


def build(**changes):
    return MODELS.build({**REFINER, **changes}).double()


def make_case(size=(12, 18)):
    logits = torch.randn(2, 4, *size, dtype=F64) * 2
    return logits, torch.randn(2, 3, 12, 18, dtype=F64)


def refined(prob, image, share=1.0, **options):
    widths = WIDTHS | dict(sigma_xy=6.0 * share, smooth_sigma=1.5 * share)
    kernels = PairwiseKernels(**widths)
    return mean_field(
        prob, image * STD.to(image), kernels, num_iters=2, **options
    )


@pytest.mark.parametrize(
    ('scale', 'given', 'at'),
    [
        (1.0, (6, 9), (12, 18)),
        (0.5, (12, 18), (6, 9)),
        (None, (6, 9), (6, 9)),
    ],
)
def test_refines_at_its_scale_widths_in_pixels_of_the_image(scale, given, at):
    logits, image = make_case(size=given)
    found = build(scale=scale)(logits, Features((), image))
    prob = logits.softmax(1)
    if given != at:
        prob = F.interpolate(prob, at, mode='bilinear')
    small = F.interpolate(image, at, mode='area')
    wanted = refined(prob, small, scale or 1.0)
    if given != at:
        wanted = F.interpolate(wanted, given, mode='bilinear')
    torch.testing.assert_close(found.exp(), wanted, rtol=1e-6, atol=1e-9)
    assert (wanted - logits.softmax(1)).abs().max() > 0.1


def test_refine_takes_maps_of_its_scale_and_leaves_classes_out():
    logits, image = make_case()
    prob = logits.softmax(1).requires_grad_()
    options = dict(
        valid=torch.ones(2, 12, 18, dtype=torch.bool),
        present=torch.tensor([[True, False] * 2, [True] * 4]),
    )
    options['valid'][1, 9:] = False
    found = build(scale=0.5).refine(prob, image, **options)
    assert not found.requires_grad
    wanted = refined(prob.detach(), image, 0.5, **options)
    torch.testing.assert_close(found, wanted)


def test_is_named_in_test_cfg(tmp_path):
    cfg = config()
    images, _ = stock.batch(n=1, height=32, width=48)
    plain = stock.build(copy.deepcopy(cfg)).eval()
    cfg.test_cfg = dict(mode='whole', refiner=REFINER)
    Config(dict(model=cfg)).dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py').model
    model = stock.build(cfg).eval()
    assert model.state_dict().keys() == plain.state_dict().keys()
    metas = [dict(img_shape=(32, 48), ori_shape=(32, 48))]
    with torch.no_grad():
        before = plain.inference(images, metas)
        found = model.inference(images, metas)
    wanted = refined(before.softmax(1), images)
    torch.testing.assert_close(found.exp(), wanted, rtol=1e-4, atol=1e-5)


def test_refines_each_set_of_pseudo_labels_apart():
    model = afa.build(label_refiner=dict(REFINER, scale=0.5)).double()
    propagation = model.label_propagation
    maps = [torch.rand(2, 4, 12, 18, dtype=F64) for _ in range(2)]
    images = make_case()[1]
    valid = torch.ones(2, 12, 18, dtype=torch.bool)
    shown = torch.tensor([[True, False, True, True], [True] * 4])
    together = propagation.refine(maps, images, valid, shown)
    for one, found in zip(maps, together, strict=True):
        (alone,) = propagation.refine([one], images, valid, shown)
        assert torch.equal(found, alone)
        total = found.sum(1)
        torch.testing.assert_close(total, torch.ones_like(total))


def test_errors_name_what_is_wrong():
    for changes, message in (
        (dict(scale=1.5), r'scale must .* got 1.5'),
        (dict(std=(1.0, 0.0)), r'std must be positive, got \(1.0, 0.0\)'),
        (dict(num_iters=-1), 'num_iters must .* got -1'),
        (dict(sigma_xy=0.0), 'sigma_xy must be positive, got 0'),
        (dict(min_prob=0.0), 'min_prob must .* got 0'),
    ):
        with pytest.raises(ValueError, match=message):
            build(**changes)
    logits, image = make_case()
    with pytest.raises(ValueError, match='std has 1 values, the image 3'):
        build(std=[1.0])(logits, Features((), image))
