"""Two heads on one trunk: each learns from its own images."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_sparse.engine.export import stock_checkpoint, stock_config
from tests.helpers import sparse, stock

KINDS = ('pseudo', 'dense', 'scribble')
WEIGHT = 0.4
FCN = dict(
    type='FCNHead',
    in_channels=32,
    in_index=3,
    channels=8,
    num_convs=1,
    num_classes=stock.NUM_CLASSES,
    norm_cfg=dict(type='BN'),
)


def build(double=True, **changes):
    cfg = sparse.config()
    cfg.type = 'DualBranchEncoderDecoder'
    for key, value in changes.items():  # whole, not merged
        cfg[key] = value
    model = stock.build(cfg)
    return (model.double() if double else model).train()


def batch(kinds=KINDS):
    images, samples = stock.batch(n=len(kinds), height=32, width=64)
    generator = torch.Generator().manual_seed(5)
    for sample, kind in zip(samples, kinds, strict=True):
        labels = sample.gt_sem_seg.data
        labels[:] = torch.randint(
            0, stock.NUM_CLASSES, labels.shape, generator=generator
        )
        labels[:, :, 7 : 40 if kind == 'pseudo' else 20] = 255
        sample.set_metainfo(dict(supervision=kind))
    return images.double(), samples


def cross_entropy_by_hand(logits, samples):
    """Mean of -log softmax over the labelled pixels, one by one."""
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    logits = torch.nn.functional.interpolate(
        logits, labels.shape[1:], mode='bilinear', align_corners=False
    )
    terms = []
    for n, y, x in np.argwhere(labels.numpy() != 255):
        scores = logits[n, :, y, x]
        shifted = scores - scores.max()
        terms.append(shifted.exp().sum().log() - shifted[labels[n, y, x]])
    return sum(terms) / len(terms)


def with_average(model):
    for head in (model.decode_head, model.weak_head):
        head.loss_decode.avg_non_ignore = True
    return model


def test_losses_are_those_of_two_heads_on_their_images():
    model = with_average(build(weak_loss_weight=WEIGHT))
    images, samples = batch()
    reference = copy.deepcopy(model)
    losses = model.loss(images, samples)
    maps = reference.backbone(images)
    strong = reference.decode_head([m[1:2] for m in maps])
    weak = reference.weak_head([m[[0, 2]] for m in maps])
    wanted = {
        'decode.loss_ce': cross_entropy_by_hand(strong, samples[1:2]),
        'weak.loss_ce': WEIGHT
        * cross_entropy_by_hand(weak, [samples[0], samples[2]]),
    }
    assert {k for k in losses if 'loss' in k} == set(wanted)
    for key, value in wanted.items():
        # mmseg adds float32's epsilon to the number of labels
        torch.testing.assert_close(losses[key], value, rtol=1e-9, atol=0)
    assert {'decode.acc_seg', 'weak.acc_seg'} <= set(losses)
    inside = sum(np.prod(s.metainfo['img_shape'][:2]) for s in samples)
    height = [s.metainfo['img_shape'][0] for s in samples]
    width = [s.metainfo['img_shape'][1] for s in samples]
    blank = sum(
        h * max(0, min(w, 40 if kind == 'pseudo' else 20) - 7)
        for h, w, kind in zip(height, width, KINDS, strict=True)
    )
    assert float(losses['labeled_share']) == pytest.approx(
        1 - blank / inside, rel=1e-6
    )


def gradients(model, losses, key):
    model.zero_grad()
    losses[key].backward(retain_graph=True)
    return {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize('key', ['decode.loss_ce', 'weak.loss_ce'])
def test_no_image_teaches_the_head_of_the_others(key):
    model = build()
    losses = model.loss(*batch())
    found = gradients(model, losses, key)
    own, other = ('decode_head', 'weak_head')[:: 1 if 'decode' in key else -1]
    assert all(g is None for n, g in found.items() if n.startswith(other))
    for part in (own, 'backbone'):
        touched = [g for n, g in found.items() if n.startswith(part)]
        assert len(touched) > 2
        assert all(g is not None and g.any() for g in touched)


@pytest.mark.parametrize('kinds', [('dense',) * 2, ('pseudo', 'point')])
def test_a_head_without_images_is_connected(kinds):
    regularizer = dict(type='DFRLoss', in_channels=16, confidence=0.3)
    model = build(double=False, regularizers=[regularizer])
    images, samples = batch(kinds)
    losses = model.loss(images.float(), samples)
    missing = 'weak' if kinds[0] == 'dense' else 'decode'
    assert losses[f'{missing}.loss_ce'].item() == 0
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if name.startswith(f'{missing}_head'):
            assert not parameter.grad.any()
        elif missing == 'decode' and name.startswith('regularizers'):
            assert not parameter.grad.any()


def test_what_is_missing_stays_0_where_the_trunk_overflows():
    model = build()
    images, samples = batch(('pseudo',) * 2)
    with torch.no_grad():
        model.decode_head.conv_seg.weight[0, 0] = torch.inf
    losses = model.loss(images, samples)
    assert losses['decode.loss_ce'].item() == 0


def test_regularizers_see_the_strong_images_alone():
    keeper = dict(
        type='KeepingRegularizer', stages=(1,),
        feature_from='decode_head.conv_seg',
    )  # fmt: skip
    model = build(regularizers=[keeper])
    kinds = ('dense', 'pseudo', 'dense', 'pseudo')
    images, samples = batch(kinds)
    losses = model.loss(images, samples)
    (kept,) = model.regularizers
    assert 'decode.kept' in losses
    assert torch.equal(kept.feats.image, images[::2])
    assert len(kept.feats.module_inputs['decode_head.conv_seg']) == 2
    alone = model.extract_feat(images)
    for ours, whole in zip(
        kept.feats.attention[0], alone.attention[0], strict=True
    ):
        torch.testing.assert_close(ours.dense(), whole.dense()[::2])
    assert len(kept.logits) == len(kept.feats.valid) == 2


def test_auxiliary_heads_learn_from_the_strong_images():
    images, samples = batch(('dense', 'dense', 'pseudo'))
    changed = copy.deepcopy(samples)
    changed[2].gt_sem_seg.data[:] = 1
    first, second = (
        build(auxiliary_head=FCN).loss(images, found)
        for found in (samples, changed)
    )
    assert first['aux.loss_ce'] == second['aux.loss_ce']
    assert first['weak.loss_ce'] != second['weak.loss_ce']


def test_batch_norm_of_the_trunk_sees_the_joint_batch():
    resnet = dict(
        type='ResNet', depth=18, num_stages=4, out_indices=(3,),
        strides=(1, 2, 2, 2), norm_cfg=dict(type='BN'),
    )  # fmt: skip
    head = dict(FCN, in_channels=512, in_index=0)
    model = build(backbone=resnet, decode_head=head)
    images, samples = batch(('dense', 'pseudo', 'dense', 'pseudo'))
    norm = model.backbone.layer1[0].norm1
    seen = []
    norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.loss(images, samples)
    (whole,) = seen
    assert len(whole) == 4
    wanted = 0.1 * whole.mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, wanted)


def test_the_strong_branch_predicts():
    model = build(double=False).eval()
    images, samples = batch()
    images = images.float()
    with torch.no_grad():
        found = model.predict(images, samples)
        model.weak_head.conv_seg.weight.zero_()
        again = model.predict(images, samples)
    for one, two in zip(found, again, strict=True):
        assert torch.equal(one.seg_logits.data, two.seg_logits.data)


def test_stock_mmseg_loads_trunk_and_strong_head():
    model = build(double=False)
    plain = stock.stock_model_config('segformer')
    loaded = stock.build(plain).load_state_dict(
        model.state_dict(), strict=False
    )
    assert not loaded.missing_keys
    assert loaded.unexpected_keys
    assert all(k.startswith('weak_head.') for k in loaded.unexpected_keys)


def test_export_leaves_the_weak_head_behind():
    cfg = sparse.config(
        weak_loss_weight=0.5, strong_supervisions=['dense'],
        weak_head=sparse.config().decode_head,
    )  # fmt: skip
    cfg.type = 'DualBranchEncoderDecoder'
    whole = Config(dict(model=cfg, default_scope='mmseg'))
    model = stock.build(copy.deepcopy(cfg))
    plain, _ = stock_config(whole)
    assert plain.model.type == 'EncoderDecoder'
    meta = dict(dataset_meta=dict(classes=list('abcde'), palette=None))
    exported = stock_checkpoint(
        whole, plain, dict(state_dict=model.state_dict(), meta=meta)
    )
    stock_model = MODELS.build(plain.model)
    stock_model.load_state_dict(exported['state_dict'])
    images, _ = batch()
    with torch.no_grad():
        ours = model.eval()(images.float())
        theirs = stock_model.eval()(images.float())
    assert torch.equal(ours, theirs)


def test_what_only_the_other_head_reads_is_connected():
    neck = dict(
        type='FPN', in_channels=[8, 8, 16, 32], out_channels=16, num_outs=4
    )
    head = sparse.config().decode_head
    head.in_channels = [16, 16, 16, 16]
    weak = dict(FCN, in_channels=16)  # reads the last map alone
    model = build(neck=neck, decode_head=head, weak_head=weak)
    losses = model.loss(*batch(('pseudo', 'pseudo')))
    losses['weak.loss_ce'].backward(retain_graph=True)
    lateral = model.neck.lateral_convs[0].conv.weight
    assert lateral.grad is None
    losses['decode.loss_ce'].backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not lateral.grad.any()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(weak_loss_weight=-1), 'weak_loss_weight .* got -1'),
        (dict(strong_supervisions='dense'), "of names, got 'dense'"),
        (dict(decode_head=[{}, {}]), 'one decode_head, got a cascade of 2'),
    ],
)
def test_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_samples_must_say_how_they_are_labelled():
    images, samples = stock.batch()
    with pytest.raises(ValueError, match='nothing says how it is labelled'):
        build(double=False).loss(images, samples)
