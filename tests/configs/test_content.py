"""What single configs are about: weights, schedules, the weighted bound."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image

from tests.helpers.shipped import CONFIGS, LEAVES, parse, parts, shrink

MAIN = 'sasformer_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512'
CAMVID = 'ce_mit-b0_segformer_1xb8-2k_camvid-{}-256x256'
LOSS = dict(type='AttentionAffinityLoss', loss_weight=1.2)


def leaf(name: str) -> Path:
    (path,) = (path for path in LEAVES if path.stem == name)
    return path


def content(name: str) -> dict:
    return parse(leaf(name)).to_dict()


@pytest.mark.parametrize(
    'path',
    [p for p in LEAVES if p.parent.name == 'sasformer'
     and parts(p)['variant'] is None and parts(p)['iters'] != '80'],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_method_is_its_baseline_and_the_loss(path):
    found = parse(path).to_dict()
    baseline = content(path.stem.replace('sasformer', 'ce', 1))
    (loss,) = found['model'].pop('regularizers')
    assert found['model'].pop('type') == 'SparseEncoderDecoder'
    assert baseline['model'].pop('type') == 'EncoderDecoder'
    weight = {'scribble': 1.2, 'point': 0.2}[parts(path)['labels']]
    backbone = parts(path)['backbone']
    if backbone == 'dinov2-s':  # that also keeps attention
        assert found['model']['backbone'].pop('attention_layers')
    only = {} if backbone.startswith('mit') else dict(stages=(0,))
    assert loss == LOSS | dict(loss_weight=weight) | only
    assert found == baseline


def test_sparse_transforms_change_the_transforms_alone():
    point = CAMVID.format('point')
    found = content(point.replace('ce', 'ce-sparse-transforms', 1))
    main = content(point)
    pipelines = [
        [dict(step) for step in cfg['train_pipeline']] for cfg in (found, main)
    ]
    for ours, stock in zip(*pipelines, strict=True):
        assert ours['type'] in (
            stock['type'], stock['type'].replace('Random', 'SparseRandom')
        )  # fmt: skip
        ours['type'] = stock['type']
    assert pipelines[0] == pipelines[1]
    names = [step['type'] for step in found['train_pipeline']]
    assert names.count('SparseRandomResize') == 1
    assert names.count('SparseRandomCrop') == 1
    used = found['train_dataloader']['dataset'].pop('pipeline')
    assert used == found.pop('train_pipeline')
    used = main['train_dataloader']['dataset'].pop('pipeline')
    assert used == main.pop('train_pipeline')
    assert found == main


def test_printed_schedule():
    cfg = Config(content(MAIN.replace('40k', '80k')))
    assert cfg.optim_wrapper.optimizer.lr == 1e-3
    cfg.optim_wrapper.optimizer.lr = cfg.optimizer.lr = 5e-4
    cfg.train_cfg.max_iters = cfg.param_scheduler[0].end = 40000
    assert cfg.to_dict() == content(MAIN)


def test_printed_recipe():
    printed = content(MAIN.replace('sasformer', 'sasformer-printed', 1)
                      .replace('40k', '80k'))  # fmt: skip
    schedule = content(MAIN.replace('40k', '80k'))
    assert printed['model']['backbone'].pop('strides') == [4, 2, 2, 2]
    schedule['model']['backbone'].pop('strides')
    (loss,) = printed['model'].pop('regularizers')
    schedule['model'].pop('regularizers')
    eq7 = content(MAIN.replace('sasformer', 'sasformer-eq7', 1))
    assert [loss] == eq7['model']['regularizers']
    added = dict(type='RandomBrightness', delta=10)
    for pipeline in (
        printed['train_pipeline'],
        printed['train_dataloader']['dataset']['pipeline'],
    ):
        assert pipeline.pop(-2) == added
    assert printed == schedule


def test_released_schedule():
    cfg = parse(leaf(MAIN))
    assert cfg.optim_wrapper.optimizer.to_dict() == dict(
        type='SGD', lr=5e-4, momentum=0.9, weight_decay=1e-4
    )
    assert cfg.model.backbone.strides == [4, 2, 2, 1]


def batch(size: int = 64) -> tuple[torch.Tensor, list[SegDataSample]]:
    samples = []
    for seed in range(2):
        labels = torch.full((1, size, size), 255)
        labels[:, seed, :] = torch.randint(11, (1, size))
        sample = SegDataSample(gt_sem_seg=PixelData(data=labels))
        sample.set_metainfo(dict(img_shape=(size, size)))
        samples.append(sample)
    return torch.randn(2, 3, size, size), samples


def test_without_regularizers_both_segmentors_train_the_same():
    image, samples = batch()
    losses = {}
    for kind in ('EncoderDecoder', 'SparseEncoderDecoder'):
        torch.manual_seed(1)
        cfg = shrink(parse(leaf(CAMVID.format('scribble')))).model
        model = MODELS.build({**cfg, 'type': kind})
        torch.manual_seed(2)
        losses[kind] = model.loss(image, samples)
    share = losses['SparseEncoderDecoder'].pop('labeled_share')
    assert share == pytest.approx(1 / 64)
    assert losses['EncoderDecoder'] == losses['SparseEncoderDecoder']
    assert losses['EncoderDecoder']['decode.loss_ce'] > 0


def weighted_loss() -> dict:
    name = CAMVID.format('dense').replace('ce', 'ce-weighted', 1)
    return parse(leaf(name)).model.decode_head.loss_decode


def test_weighted_bound_averages_and_takes_unlabelled_pixels():
    config = weighted_loss()
    weights = torch.tensor(config.class_weight)
    logits = torch.randn(8, 11, 256, 256)
    labels = torch.randint(11, (8, 256, 256))
    labels[:, :16] = 255
    found = MODELS.build(config)(logits, labels, ignore_index=255)
    nll = F.cross_entropy(logits, labels, reduction='none', ignore_index=255)
    picked = weights[labels.clamp(max=10)]
    wanted = (nll * picked).sum() / (8 * 256 * 256)
    assert found == pytest.approx(wanted.item(), rel=1e-5)


def test_weighted_bound_has_the_weights_of_the_masks(data_root):
    count = np.zeros(256, dtype=np.int64)
    for path in (data_root / 'camvid' / 'masks' / 'train').glob('*.png'):
        count += np.bincount(np.asarray(Image.open(path)).ravel(), None, 256)
    share = count[:11] / count[:11].sum()
    weights = 1 / np.log(1.02 + share)
    weights /= (share * weights).sum()
    np.testing.assert_allclose(
        weighted_loss().class_weight, weights, atol=5e-4
    )


def test_no_config_reads_what_is_only_on_one_machine():
    for path in CONFIGS.rglob('*'):
        if path.suffix in ('.py', '.yml', '.md'):
            text = path.read_text('utf-8')
            assert not re.search(r"""["'(\s]/[a-z]+/""", text), path
