"""What everything that we register with MODELS must do."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_sparse.models.segmentors import Features
from tests.helpers import stock
from tests.helpers.sparse import config

#: One config of each registered regularizer; a new one must enter here.
REGULARIZERS = {
    'AttentionAffinityLoss': dict(
        type='AttentionAffinityLoss', stages=[0, 1], loss_weight=0.5
    ),
    'DFRLoss': dict(type='DFRLoss', in_channels=16, confidence=0.3),
    'DenseCRFLoss': dict(type='DenseCRFLoss', loss_weight=1e-5),
    'GatedCRFLoss': dict(type='GatedCRFLoss'),
    'TreeEnergyLoss': dict(type='TreeEnergyLoss'),
}
#: Likewise of the losses that a decode head takes as `loss_decode`.
DECODE_LOSSES = {
    'BalancedCrossEntropyLoss': dict(
        type='BalancedCrossEntropyLoss', background=2, loss_weight=0.5
    ),
    'PartialFocalLoss': dict(type='PartialFocalLoss', gamma=1.0),
}
#: Likewise of the refiners.
REFINERS = {
    'ClassLabelFilter': dict(type='ClassLabelFilter'),
    'DenseCRF': dict(type='DenseCRF', scale=0.5, num_iters=1),
    'LocalAggregation': dict(type='LocalAggregation', channels=8, sigma=2.5),
    'PixelAdaptiveRefinement': dict(
        type='PixelAdaptiveRefinement', scale=None, dilations=(1, 3)
    ),
}
#: Losses of one head of ours: tests/models/test_blp_losses.py.
HEAD_LOSSES = {'AnnotationLoss', 'BLPLoss'}


def registered(folder):
    prefix = f'mmseg_sparse.models.{folder}'
    return {
        name
        for name, module in MODELS.module_dict.items()
        if module.__module__.startswith(prefix)
    }


def model_config(name):
    cfg = stock.stock_model_config('segformer')
    cfg.type = 'SparseEncoderDecoder'
    cfg.decode_head.loss_decode.avg_non_ignore = True
    cfg.regularizers = [copy.deepcopy(REGULARIZERS[name])]
    return cfg


def test_every_loss_and_refiner_is_in_a_table():
    assert registered('losses') == {
        *REGULARIZERS,
        *DECODE_LOSSES,
        *HEAD_LOSSES,
    }
    assert registered('refiners') == set(REFINERS)


@pytest.mark.parametrize(
    'name', [*REGULARIZERS, *DECODE_LOSSES, *sorted(HEAD_LOSSES)]
)
def test_names_that_mmengine_would_not_train_on_are_refused(name):
    cfg = (REGULARIZERS | DECODE_LOSSES).get(name, dict(type=name))
    message = r"loss_name must contain 'loss.* got 'energy'"
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(cfg, loss_name='energy'))


@pytest.mark.parametrize('name', DECODE_LOSSES)
def test_a_stock_head_takes_the_loss(name):
    images, samples = stock.batch()
    values = []
    for weight in (0.5, 2.0):
        cfg = stock.stock_model_config('segformer')
        cfg.decode_head.loss_decode = DECODE_LOSSES[name] | dict(
            loss_weight=weight
        )
        model = stock.build(cfg)
        key = f'decode.{model.decode_head.loss_decode.loss_name}'
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        steps = []
        for _ in range(3):
            loss = model.loss(images, samples)[key]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps.append(loss.item())
        assert steps[2] < steps[0]
        values.append(steps[0])
    assert values[1] == pytest.approx(4 * values[0], rel=1e-5)
    with pytest.raises(ValueError, match=f'{name} .*sampler=None'):
        model.decode_head.loss_decode(
            torch.zeros(1, 5, 2, 2),
            torch.zeros(1, 2, 2).long(),
            weight=torch.ones(1, 2, 2),
        )


@pytest.mark.parametrize('name', REGULARIZERS)
def test_builds_from_a_config_file_and_trains(name, tmp_path):
    # through text, as users' configs come
    Config(dict(model=model_config(name))).dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py')
    model = stock.build(cfg.model)
    images, samples = stock.batch()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    before = copy.deepcopy(model.state_dict())
    totals = []
    for _ in range(3):
        losses = model.loss(images, samples)
        loss, log = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.item())
        own = [key for key in losses if key not in ('labeled_share',)]
        parts = [losses[key] for key in own if 'loss' in key]
        assert len(parts) >= 2
        assert loss.item() == pytest.approx(sum(map(float, parts)))
        assert 'labeled_share' in log
    assert totals[2] < totals[0]

    # its state goes through a file and back
    torch.save(model.state_dict(), tmp_path / 'state.pth')
    again = stock.build(cfg.model, seed=5)
    again.load_state_dict(torch.load(tmp_path / 'state.pth'))
    for key, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)
    assert any(
        not torch.equal(before[key], value)
        for key, value in model.state_dict().items()
    )


@pytest.mark.parametrize('name', REGULARIZERS)
def test_loss_weight_is_a_factor(name):
    images, samples = stock.batch()
    values = []
    for weight in (0.5, 2.0):
        cfg = model_config(name)
        cfg.regularizers[0].loss_weight = weight
        model = stock.build(cfg)
        losses = model.loss(images, samples)
        values.append(losses[f'decode.{model.regularizers[0].loss_name}'])
    assert values[1].item() == pytest.approx(4 * values[0].item(), rel=1e-5)


def regularizer_call(name):
    """A regularizer, and what it is called with; image 2 has padding."""
    model = stock.build(model_config(name))
    seen = []
    loss = model.regularizers[0]
    hook = loss.register_forward_pre_hook(lambda _, args: seen.append(args))
    model.loss(*stock.batch())
    hook.remove()
    logits, feats, labels, valid = seen[0]
    return loss, logits.detach().requires_grad_(), feats, labels, valid


@pytest.mark.parametrize('name', REGULARIZERS)
def test_what_lies_in_padding_changes_no_regularizer(name):
    loss, logits, feats, labels, valid = regularizer_call(name)
    before = loss(logits, feats, labels, valid)
    assert before[loss.loss_name] > 0
    hole = ~valid[:, None]
    feats.image = feats.image.masked_fill(hole, 1e3)
    grid = F.max_pool2d(hole.float(), 4)
    for key, maps in feats.module_inputs.items():
        feats.module_inputs[key] = maps.masked_fill(grid > 0, 1e3)
    if name != 'AttentionAffinityLoss':  # whose coarse keys see the border
        # Bilinear resizing mixes logits on both sides of the border.
        inner = -F.max_pool2d(-grid, 3, 1, 1)
        logits = logits.masked_fill(inner > 0, 50)
    after = loss(logits, feats, labels, valid)
    assert after.keys() == before.keys()
    for key, value in before.items():
        assert after[key].item() == pytest.approx(value.item(), rel=1e-5)


@pytest.mark.parametrize('name', REGULARIZERS)
def test_a_batch_of_padding_gives_a_connected_zero(name):
    loss, logits, feats, labels, valid = regularizer_call(name)
    labels = torch.full_like(labels, 255)
    value = loss(logits, feats, labels, torch.zeros_like(valid))
    value = value[loss.loss_name]
    assert value == 0
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient.abs().sum() == 0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', REGULARIZERS)
def test_a_regularizer_computes_in_float32_under_autocast(name, dtype):
    loss, logits, feats, labels, valid = regularizer_call(name)
    wanted = loss(logits, feats, labels, valid)
    with torch.autocast('cpu', dtype):
        found = loss(logits.to(dtype), feats, labels, valid)
    for key, value in found.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(wanted[key].item(), rel=2e-2)
    sum(v for k, v in found.items() if 'loss' in k).backward()
    for leaf in (logits, *loss.parameters()):
        assert torch.isfinite(leaf.grad).all()


def losses_on(device, cfg):
    """The losses of a model on a device, and all gradients in one row."""
    images, samples = stock.batch()
    model = stock.build(cfg).to(device).eval()  # without dropout
    losses = model.loss(
        images.to(device), [sample.to(device) for sample in samples]
    )
    total, log = model.parse_losses(losses)
    total.backward()
    gradients = [
        parameter.grad.flatten().cpu()
        for parameter in model.parameters()
        if parameter.grad is not None
    ]
    return {key: value.item() for key, value in log.items()}, gradients


@pytest.mark.cuda
@pytest.mark.parametrize('name', [*REGULARIZERS, *DECODE_LOSSES])
def test_a_gpu_gives_the_losses_and_gradients_of_the_cpu(name):
    if name in REGULARIZERS:
        cfg = model_config(name)
    else:
        cfg = config()
        cfg.decode_head.loss_decode = DECODE_LOSSES[name]
    losses, gradients = losses_on('cpu', cfg)
    on_gpu, gpu_gradients = losses_on('cuda', cfg)
    assert on_gpu == pytest.approx(losses, rel=1e-3)
    wanted, found = torch.cat(gradients), torch.cat(gpu_gradients)
    assert (found - wanted).norm() < 1e-2 * wanted.norm()


@pytest.mark.cuda
@pytest.mark.parametrize('name', REFINERS)
def test_a_gpu_refines_as_the_cpu(name):
    refiner, logits, feats = refiner_case(name)
    wanted = refiner(logits, feats)
    feats.image, feats.tags = feats.image.cuda(), feats.tags.cuda()
    found = refiner.cuda()(logits.cuda(), feats)
    torch.testing.assert_close(found.cpu(), wanted, atol=1e-3, rtol=1e-3)


def refiner_case(name):
    """A refiner, logits at a quarter of the size, and features."""
    torch.manual_seed(0)
    refiner = MODELS.build(REFINERS[name])
    feats = Features((), torch.randn(2, 3, 32, 48))
    feats.tags = torch.tensor([[0.0, 1, 0, 1], [1, 0, 0, 0]])
    return refiner, torch.randn(2, 5, 8, 12), feats


@pytest.mark.parametrize('name', REFINERS)
def test_what_lies_in_padding_changes_no_refined_pixel(name):
    refiner, logits, feats = refiner_case(name)
    valid = torch.zeros(2, 32, 48, dtype=torch.bool)
    valid[0, :28, :20] = valid[1] = True
    before = refiner(logits, feats, valid=valid)
    feats.image = feats.image.masked_fill(~valid[:, None], 1e3)
    hole = ~valid[:, None, ::4, ::4]
    after = refiner(logits.masked_fill(hole, 50), feats, valid=valid)
    inside = ~hole.expand_as(after)
    torch.testing.assert_close(after[inside], before[inside])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', REFINERS)
def test_a_refiner_keeps_the_dtype(name, dtype):
    refiner, logits, feats = refiner_case(name)
    wanted = refiner(logits, feats)
    found = refiner(logits.to(dtype), feats)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), wanted, atol=2e-2, rtol=2e-2)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(refiner(logits, feats), wanted)


@pytest.mark.parametrize(
    'name', ['DenseCRF', 'LocalAggregation', 'PixelAdaptiveRefinement']
)
def test_a_stock_head_trains_and_predicts_with_a_refiner(name):
    images, samples = stock.batch()
    model = stock.build(config(refiner=REFINERS[name]))
    model.decode_head.loss_decode.avg_non_ignore = True
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    totals = []
    for _ in range(4):
        loss, _ = model.parse_losses(model.loss(images, samples))
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in model.refiner.parameters())
        assert model.decode_head.conv_seg.weight.grad.abs().sum() > 0
        optimizer.step()
        totals.append(loss.item())
    assert totals[-1] < totals[0]
    model.eval()
    with torch.no_grad():
        refined = model(images, mode='tensor')
        plain = model.decode_head(model.extract_feat(images))
    assert (refined - plain).abs().max() > 1e-3
