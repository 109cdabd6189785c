import copy
import gc
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_sparse.functional import Attention, attention_affinity
from mmseg_sparse.models.segmentors import Features
from tests.helpers import stock
from tests.helpers.sparse import AFFINITY, config


def test_affinity_loss_is_the_function_of_what_the_model_computes():
    images, samples = stock.batch()
    model = stock.build(
        config(
            [
                dict(
                    AFFINITY, distance='kl', labeled=True, stages=(1, 3),
                    stage_reduction='mean',
                ),
                dict(AFFINITY, uniform=True, loss_name='loss_control'),
                dict(type='KeepingRegularizer', stages=(0,)),
            ]
        )
    )  # fmt: skip
    losses = model.loss(images, samples)
    loss = losses['decode.loss_affinity']
    kept = model.regularizers[2]
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    valid = torch.ones_like(labels, dtype=torch.bool)
    valid[1, 56:] = False
    valid[1, :, 40:] = False
    expected = attention_affinity(
        kept.logits,
        [kept.feats.attention[1], kept.feats.attention[3]],
        labels,
        distance='kl',
        labeled=True,
        stage_reduction='mean',
        valid=valid,
    )
    assert loss.item() == pytest.approx(1.2 * expected.item(), rel=1e-6)
    control = attention_affinity(
        kept.logits, kept.feats.attention, labels, uniform=True, valid=valid
    )
    found = losses['decode.loss_control'].item()
    assert found == pytest.approx(1.2 * control.item(), rel=1e-6)
    assert [len(layers) for layers in kept.feats.attention] == [1, 1, 1, 1]


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_features_carry_image_and_attention_in_inference(mode, monkeypatch):
    cfg = config([AFFINITY])
    cfg.test_cfg = dict(mode=mode, crop_size=(48, 48), stride=(32, 32))
    model = stock.build(cfg)
    model.train(False)
    seen = []
    extract = type(model).extract_feat

    def spy(self, inputs):
        seen.append((inputs, extract(self, inputs)))
        return seen[-1][1]

    monkeypatch.setattr(type(model), 'extract_feat', spy)
    images, samples = stock.batch()
    with torch.no_grad():
        model.predict(images, samples)
    assert len(seen) == (1 if mode == 'whole' else 4)
    for inputs, feats in seen:
        assert isinstance(feats, Features)
        assert torch.equal(feats.image, inputs)
        assert [len(layers) for layers in feats.attention] == [1, 1, 1, 1]
        side = inputs.shape[-1] // 4
        assert feats.attention[0][0].query_hw == (side, side)


def test_test_time_augmentation_runs_and_averages():
    model = stock.build(config([AFFINITY]))
    plain = stock.build(stock.stock_model_config('segformer'), seed=2)
    model.load_state_dict(plain.state_dict())
    images, samples = stock.batch(1)
    data = dict(
        inputs=[[images[0]], [images[0].flip(-1)]],
        data_samples=[
            [sample_of(samples[0], flip=False)],
            [sample_of(samples[0], flip=True)],
        ],
    )
    results = []
    for module in (model, plain):
        module.data_preprocessor.size_divisor = None
        tta = SegTTAModel(module=module)
        tta.train(False)
        with torch.no_grad():
            results.append(tta.test_step(copy.deepcopy(data)))
    ours, theirs = (r[0].pred_sem_seg.data for r in results)
    assert torch.equal(ours, theirs)


def sample_of(sample, flip):
    meta = dict(sample.metainfo, flip=flip, flip_direction='horizontal')
    meta['img_shape'] = meta['ori_shape'] = (64, 64)
    meta['img_path'] = 'image.jpg'
    return SegDataSample(
        metainfo=meta, gt_sem_seg=PixelData(data=sample.gt_sem_seg.data)
    )


def test_nothing_is_hooked_when_nothing_asks(monkeypatch):
    hooked = []
    for name in ('register_forward_pre_hook', 'register_forward_hook'):
        monkeypatch.setattr(
            nn.Module, name, lambda *args, **kwargs: hooked.append(args)
        )
    model = stock.build(config())
    images, samples = stock.batch()
    model.loss(images, samples)
    assert not hooked
    model = stock.build(config([AFFINITY]))
    with pytest.raises(AttributeError):  # our stand-ins return no handle
        model.loss(images, samples)
    assert hooked


@pytest.mark.parametrize('mode', ['train', 'eval', 'no_grad', 'autocast'])
def test_nothing_stays_hooked_or_kept(mode):
    model = stock.build(config([AFFINITY]))
    model.train(mode != 'eval')
    images, samples = stock.batch()
    grad = mode in ('train', 'autocast')
    with (
        torch.set_grad_enabled(grad),
        torch.autocast('cpu', torch.bfloat16, enabled=mode == 'autocast'),
    ):
        if mode == 'eval':
            model.predict(images, samples)
        else:
            losses = model.loss(images, samples)
            assert all(torch.isfinite(v).all() for v in losses.values())
            del losses
    assert_clean(model)


def test_nothing_stays_hooked_after_an_exception(monkeypatch):
    keeping = dict(
        type='KeepingRegularizer', feature_from='decode_head.conv_seg'
    )
    model = stock.build(config([AFFINITY, keeping]))
    images, samples = stock.batch()
    where = [
        (model.backbone.layers[3][1][0].ffn, 'forward'),
        (model.decode_head.conv_seg, 'forward'),
        (model.decode_head, 'loss_by_feat'),
        (model.regularizers[0], 'forward'),
    ]
    for module, name in where:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            with pytest.raises(ZeroDivisionError):
                model.loss(images, samples)
        assert_clean(model)


def fail(*args, **kwargs):
    raise ZeroDivisionError


def assert_clean(model):
    for module in model.modules():
        assert not module._forward_pre_hooks
        assert not module._forward_hooks
    gc.collect()
    kept = [o for o in gc.get_objects() if type(o) is Attention]
    assert not kept


def test_no_label_at_all_gives_zero_and_finite_gradients():
    cfg = config([AFFINITY])
    cfg.decode_head.loss_decode.avg_non_ignore = True
    model = stock.build(cfg)
    images, samples = stock.batch(labels=torch.full((2, 64, 64), 255))
    losses = model.loss(images, samples)
    assert losses['labeled_share'] == 0
    assert losses['decode.loss_ce'] == 0
    assert losses['decode.loss_affinity'] > 0
    (losses['decode.loss_ce'] + losses['decode.loss_affinity']).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_everything_labelled_turns_the_affinity_loss_off():
    model = stock.build(config([AFFINITY]))
    labels = torch.ones(1, 64, 64).long()
    images, samples = stock.batch(1, labels=labels.clone())
    samples[0].gt_sem_seg.data[:] = labels
    losses = model.loss(images, samples)
    assert losses['decode.loss_affinity'] == 0
    assert losses['labeled_share'] == 1


def test_bf16_autocast_trains_without_a_non_finite_value():
    cfg = config([AFFINITY])
    cfg.decode_head.loss_decode.avg_non_ignore = True
    model = stock.build(cfg)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    images, samples = stock.batch()
    seen = []
    for _ in range(20):
        with torch.autocast('cpu', torch.bfloat16):
            losses = model.loss(images, samples)
        loss = losses['decode.loss_ce'] + losses['decode.loss_affinity']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(losses['decode.loss_ce'].item())
        assert torch.isfinite(loss)
    assert seen[-1] < 0.7 * seen[0]
    assert losses['decode.loss_affinity'].dtype == torch.float32


@pytest.mark.parametrize('name', ['segformer', 'ocrnet'])
def test_feature_from_is_the_input_of_that_module(name):
    keeping = dict(
        type='KeepingRegularizer', feature_from='decode_head.conv_seg'
    )
    model = stock.build(config([keeping], name))
    images, samples = stock.batch()
    model.loss(images, samples)
    kept = model.regularizers[0]
    feature = kept.feats.module_inputs['decode_head.conv_seg']
    head = model.decode_head[-1] if name == 'ocrnet' else model.decode_head
    torch.testing.assert_close(head.conv_seg(feature), kept.logits)


def test_labels_follow_the_heads_ignore_index():
    images, samples = stock.batch()
    other = [sample.clone() for sample in samples]
    for sample in other:
        labels = sample.gt_sem_seg.data
        labels = labels.masked_fill(labels == 255, 4)
        sample.gt_sem_seg = PixelData(data=labels)
    values = []
    for ignore_index, given in ((255, samples), (4, other)):
        cfg = config([AFFINITY])
        cfg.decode_head.ignore_index = ignore_index
        cfg.decode_head.loss_decode.avg_non_ignore = True
        values.append(stock.build(cfg).loss(images, given))
    # class 4 is not among the strokes
    for key in ('decode.loss_affinity', 'labeled_share', 'decode.loss_ce'):
        assert values[0][key].item() == pytest.approx(values[1][key].item())
        assert values[0][key] > 0


def test_regularizers_are_initialised_as_their_config_says():
    model = stock.build(config([dict(type='InitRegularizer')]))
    model.init_weights()
    assert (model.regularizers[0].layer.weight == 7).all()


@MODELS.register_module()
class InitRegularizer(BaseModule):
    def __init__(self):
        super().__init__(dict(type='Constant', layer='Conv2d', val=7.0))
        self.layer = nn.Conv2d(2, 2, 1)


@pytest.mark.parametrize('name', ['segformer', 'ocrnet'])
def test_tensor_mode_is_the_stock_models(name):
    plain = stock.build(stock.stock_model_config(name))
    sparse = stock.build(config(name=name))
    plain.train(False)
    sparse.train(False)
    images, _ = stock.batch()
    with torch.no_grad():
        assert torch.equal(plain(images), sparse(images))


@pytest.mark.parametrize('kind', ['ddrnet', 'pidnet'])
def test_backbones_that_return_a_tensor_predict(kind):
    path = {
        'ddrnet': 'ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
        'pidnet': 'pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    }[kind]
    cfg = Config.fromfile(stock.CONFIGS / kind / path).model
    stock._strip(cfg)
    cfg.data_preprocessor.pop('size', None)
    if kind == 'pidnet':
        for loss in cfg.decode_head.loss_decode:
            loss.pop('class_weight', None)
    plain = stock.build(cfg)
    cfg.type = 'SparseEncoderDecoder'
    sparse = stock.build(cfg)
    plain.train(False)
    sparse.train(False)
    images, samples = stock.batch()
    with torch.no_grad():
        expected = plain.predict(images, [s.clone() for s in samples])
        actual = sparse.predict(images, samples)
    assert torch.equal(expected[0].seg_logits.data, actual[0].seg_logits.data)


def test_features_survive_copy_and_pickle():
    maps = (torch.randn(1, 2, 3, 4), torch.randn(1, 3, 2, 2))
    feats = Features(maps, torch.randn(1, 3, 8, 8), [[]])
    for other in (copy.deepcopy(feats), pickle.loads(pickle.dumps(feats))):
        assert torch.equal(other.image, feats.image)
        assert torch.equal(other[1], feats[1])
        assert other.attention == [[]]
