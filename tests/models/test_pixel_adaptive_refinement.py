import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_sparse.functional import pixel_adaptive_refine
from mmseg_sparse.models.features import Features
from tests.helpers import stock
from tests.helpers.sparse import config

KERNEL = dict(dilations=(1, 3), w_rgb=0.6, w_pos=0.4, w_mix=0.1)
REFINER = dict(type='PixelAdaptiveRefinement', num_iters=4, **KERNEL)


def build(**changes):
    return MODELS.build({**REFINER, **changes})


def make_case(n=2, classes=4, size=(12, 18), dtype=torch.float64):
    logits = torch.randn(n, classes, *size, dtype=dtype) * 3
    image = torch.randn(n, 3, 12, 18, dtype=dtype)
    return logits, Features((), image)


def refined(prob, image, **options):
    return pixel_adaptive_refine(prob, image, num_iters=4, **KERNEL, **options)


def test_gives_the_log_of_refined_probabilities():
    logits, feats = make_case()
    found = build()(logits, feats)
    wanted = refined(logits.softmax(1), feats.image)
    torch.testing.assert_close(found.exp(), wanted / wanted.sum(1)[:, None])
    assert not torch.isclose(found.exp(), logits.softmax(1)).all()


@pytest.mark.parametrize(
    ('scale', 'given', 'at'),
    [
        (1.0, (6, 9), (12, 18)),
        (0.5, (12, 18), (6, 9)),
        (0.4, (12, 18), (5, 7)),
        (None, (6, 9), (6, 9)),
    ],
)
def test_refines_at_its_scale(scale, given, at):
    logits, feats = make_case(size=given)
    found = build(scale=scale)(logits, feats)
    prob = logits.softmax(1)
    if given != at:
        prob = F.interpolate(prob, at, mode='bilinear')
    image = F.interpolate(feats.image, at, mode='area')
    wanted = refined(prob, image)
    if given != at:
        wanted = F.interpolate(wanted, given, mode='bilinear')
    wanted = wanted / wanted.sum(1, keepdim=True)
    torch.testing.assert_close(found, wanted.log())


@pytest.mark.parametrize('scale', [1.0, 0.5, None])
def test_padding_is_left_out(scale):
    logits, feats = make_case(size=(6, 9) if scale is None else (12, 18))
    valid = torch.zeros(2, 12, 18, dtype=torch.bool)
    valid[:, :8, :12] = True
    grid = F.interpolate(valid[:, None].double(), logits.shape[2:])[:, 0] > 0
    refiner = build(scale=scale)
    found = refiner(logits, feats, valid=valid)
    share = logits.shape[2] / 12
    rows, columns = int(8 * share), int(12 * share)
    alone = refiner(
        logits[:, :, :rows, :columns],
        Features((), feats.image[:, :, :8, :12]),
    )
    torch.testing.assert_close(found[:, :, :rows, :columns], alone)
    outside = ~grid[:, None].expand_as(found)
    assert torch.equal(found[outside], logits[outside])


@pytest.mark.parametrize('scale', [1.0, 0.5, 0.4])
def test_what_lies_in_padding_does_not_matter(scale):
    logits, feats = make_case()
    valid = torch.zeros(2, 12, 18, dtype=torch.bool)
    valid[0, :7, :11] = True
    valid[1, 3:, 5:] = True
    refiner = build(scale=scale)
    before = refiner(logits, feats, valid=valid)
    hole = ~valid[:, None]
    image = feats.image.masked_fill(hole, 1e3)
    logits = logits.masked_fill(hole, -7)
    after = refiner(logits, Features((), image), valid=valid)
    inside = valid[:, None].expand_as(after)
    assert torch.equal(after[inside], before[inside])


def test_refine_leaves_absent_classes_out():
    logits, feats = make_case()
    prob = logits.softmax(1).requires_grad_()
    present = torch.tensor([[True, False, True, False], [False, True] * 2])
    found = build().refine(prob, feats.image, present=present)
    assert not found.requires_grad
    wanted = refined(prob.detach(), feats.image)
    wanted[~present] = 0
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_a_sure_prediction_stays_finite(dtype):
    logits = torch.zeros(1, 3, 4, 6, dtype=dtype)
    logits[:, 1] = 1e4
    image = torch.randn(1, 3, 4, 6)
    found = build()(logits, Features((), image))
    assert found.dtype == dtype
    assert torch.isfinite(found).all()
    assert (found.argmax(1) == 1).all()


def test_is_named_in_test_cfg(tmp_path):
    cfg = config()
    images, _ = stock.batch(n=1, height=48, width=64)
    plain = stock.build(copy.deepcopy(cfg)).eval()
    cfg.test_cfg = dict(mode='whole', refiner=REFINER)
    Config(dict(model=cfg)).dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py').model
    model = stock.build(cfg).eval()
    assert model.state_dict().keys() == plain.state_dict().keys()
    metas = [dict(img_shape=(48, 64), ori_shape=(48, 64))]
    with torch.no_grad():
        before = plain.inference(images, metas)
        found = model.inference(images, metas)
    wanted = refined(before.softmax(1), images)
    wanted = wanted / wanted.sum(1, keepdim=True)
    torch.testing.assert_close(found.exp(), wanted, rtol=1e-4, atol=1e-5)


def test_errors_when_it_is_built():
    with pytest.raises(ValueError, match=r'scale must .* got 1.5'):
        build(scale=1.5)
    with pytest.raises(ValueError, match='dilations must'):
        build(dilations=())
    with pytest.raises(ValueError, match='num_iters must'):
        build(num_iters=-1)
