"""What the configs of AFA are about."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS, PARAM_SCHEDULERS
from torch import nn

import mmseg_sparse
from tests.configs.test_content import leaf
from tests.helpers.shipped import (
    ABLATIONS,
    CONFIGS,
    changes,
    of_type,
    parent_of,
    parse,
    without_weights,
)

VOC = 'mit-b1_segformer_1xb8-20k_voc12-tag-512x512'
MAIN = f'afa_{VOC}'
TILES = 'afa_mit-b0_segformer_1xb8-2k_camvidtile-tag-120x160'
FROZEN = 'afa_dinov2-s_segformer_1xb8-2k_camvidtile-tag-168x224'
TOY = 'afa_mit-tiny_segformer_1xb8-4k_toy-tag-64x64'
OTHERS = (
    TILES,
    TOY,
    'afa_mit-b1_segformer_1xb8-20k_voc12-tag-320x320',
    'afa_mit-b1_segformer_1xb8-80k_coco14-tag-512x512',
)


#: The names of the ablations when their crops were of 320.
FORMER = sorted((CONFIGS / 'afa' / 'ablations' / 'crop_320').glob('*.py'))


def regularizer(weight: float) -> list[dict]:
    """Eq. 12's L_reg; 1e-7 brings it to the size of the others."""
    return [
        dict(
            type='DenseCRFLoss',
            loss_weight=pytest.approx(weight * 1e-7),
            loss_name='loss_reg',
        )
    ]


def test_setting_of_the_paper() -> None:
    cfg = parse(leaf(MAIN))
    assert cfg.optim_wrapper.optimizer.to_dict() == dict(
        type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01
    )
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    assert backbone.strides == [4, 2, 2, 1]
    last = backbone.num_layers[-1] * backbone.num_heads[-1]
    assert head.attention_heads == last == 16
    # Eq. 12.
    assert head.affinity_weight == head.loss_decode.loss_weight == 0.1
    assert cfg.model.to_dict()['regularizers'] == regularizer(0.01)
    (resize,) = of_type(cfg.train_dataloader.dataset, 'RandomResize')
    assert resize.ratio_range == (0.5, 2.0)
    assert of_type(cfg.train_dataloader.dataset, 'RandomFlip')


def test_setting_of_the_paper_that_is_the_default() -> None:
    cfg = parse(leaf(MAIN)).model
    without_weights(cfg)
    cfg.decode_head.norm_cfg.type = 'BN'
    model = MODELS.build(cfg)
    assert model.background_scores == (0.55, 0.35)
    assert (model.segmentation_begin, model.propagation_begin) == (2000, 6000)
    assert model.cam_scales == (1.0, 0.5, 1.5)
    assert model.decode_head.pooling == 'gmp'
    assert model.selection.measured == (0.45, 0.35)  # table 3
    labels = model.label_propagation
    assert (labels.radius, labels.alpha, labels.refine_scale) == (8, 2.0, 0.5)
    assert labels.refiner.num_iters == 10  # the release; 15 in the tables
    assert labels.refiner.affinity.keywords == dict(
        dilations=(1, 2, 4, 8, 12, 24), w_rgb=0.3, w_pos=0.3, w_mix=0.01
    )


def test_heads_learn_ten_times_faster_and_norms_of_the_backbone_not() -> None:
    cfg = parse(leaf(MAIN))
    without_weights(cfg.model)
    cfg.model.decode_head.norm_cfg.type = 'BN'
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    found = {id(g['params'][0]): g for g in optimizer.param_groups}
    norms = {
        id(p)
        for module in model.backbone.modules()
        if isinstance(module, nn.LayerNorm)
        for p in module.parameters()
    }
    assert norms
    for name, param in model.named_parameters():
        group = found.pop(id(param))
        if id(param) in norms:
            assert (group['lr'], group['weight_decay']) == (0, 0), name
            continue
        wanted = 6e-4 if name.startswith('decode_head') else 6e-5
        assert group['lr'] == pytest.approx(wanted), name
        assert group['weight_decay'] == 0.01, name
    assert not found


@pytest.mark.parametrize(
    ('name', 'wanted'),
    [
        (MAIN, {1500: 5.55e-5, 10000: 3.0e-5}),
        (OTHERS[3], {1500: 5.8875e-5}),
    ],
)
def test_the_decay_is_counted_from_the_first_iteration(name, wanted) -> None:
    cfg = parse(leaf(name))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=6e-5)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(item, optimizer=optimizer))
        for item in cfg.param_scheduler
    ]
    (group,) = optimizer.param_groups
    assert group['lr'] == pytest.approx(6e-11)
    for iteration in range(1, max(wanted) + 1):
        for scheduler in schedulers:
            scheduler.step()
        if iteration in wanted:
            rate = pytest.approx(wanted[iteration], rel=2e-4)
            assert group['lr'] == rate
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_iters


def test_crops_of_320_differ_in_nothing_else() -> None:
    small, main = parse(leaf(OTHERS[2])), parse(leaf(MAIN))
    for cfg, side in ((small, 320), (main, 512)):
        (crop,) = of_type(cfg.train_dataloader.dataset, 'RandomCrop')
        assert tuple(crop.crop_size) == cfg.model.data_preprocessor.size
        assert tuple(crop.crop_size) == (side, side)
    found = dict(changes(small.to_dict(), main.to_dict()))
    pipelines = {key for key in found if key.endswith('crop_size')}
    assert found.keys() == {'model.data_preprocessor.size'} | pipelines


def test_former_names_are_crops_of_320() -> None:
    (first, *_) = FORMER
    for path in FORMER:
        now = path.parents[1] / path.name.replace('320x320', '512x512')
        assert parent_of(path) == now
        _, text = path.read_text('utf-8').split("512x512.py'")
        assert text.strip(')\n') == (
            first.read_text('utf-8').split("512x512.py'")[1].strip(')\n')
        )
    found = dict(
        changes(parse(path).to_dict(), parse(parent_of(path)).to_dict())
    )
    pipelines = {key for key in found if key.endswith('crop_size')}
    assert found.keys() == {'model.data_preprocessor.size'} | pipelines
    assert len(pipelines) == 2
    assert set(found.values()) == {(320, 320)}


def test_every_ablation_had_a_name_with_320() -> None:
    now = {path.stem for path in ABLATIONS if '_voc12-tag-' in path.name}
    former = {path.stem.replace('320x320', '512x512') for path in FORMER}
    later = {name for name in now if name.split('_')[0].endswith('-crf')}
    assert len(later) == 2  # the rows with a dense CRF came after 320
    assert former == {n for n in now if n.startswith('afa-')} - later
    with pytest.warns(DeprecationWarning, match='crop_320/afa-noprop'):
        found = mmseg_sparse.config(
            'afa/ablations/afa-noprop_'
            'mit-b1_segformer_1xb8-20k_voc12-tag-320x320.py'
        )
    assert Path(found).parent.name == 'crop_320'


def test_test_time_augmentation_is_the_releases() -> None:
    cfg = parse(leaf(MAIN))
    assert cfg.tta_model.type == 'MaxLogitsTTAModel'
    (augmented,) = of_type(cfg.tta_pipeline, 'TestTimeAug')
    sizes, mirrors = augmented.transforms[:2]
    assert [r.scale for r in sizes] == [(s, s) for s in (512, 256, 384)]
    assert [flip.prob for flip in mirrors] == [0.0, 1.0]


def test_coco_differs_in_data_and_phases() -> None:
    coco, main = parse(leaf(OTHERS[3])), parse(leaf(MAIN))
    assert coco.optim_wrapper == main.optim_wrapper
    model = coco.model
    assert model.pop('segmentation_begin') == 5000
    assert model.pop('propagation_begin') == 15000
    assert model.pop('affinity_from') == 'final'
    assert model.pop('log_class_shares') is False  # 80 classes
    assert model.pop('label_refiner') == dict(
        type='PixelAdaptiveRefinement', num_iters=15
    )
    assert model.decode_head.num_classes == 81
    model.decode_head.num_classes = 21
    assert model == main.model


@pytest.mark.parametrize('name', [MAIN, *OTHERS, FROZEN])
def test_validation_images_have_tags(name: str) -> None:
    cfg = parse(leaf(name))
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        *_, packing = loader.dataset.pipeline
        assert packing.type == 'PackSparseInputs'
        if 'tag_file' not in loader.dataset:
            assert packing.num_classes == cfg.model.decode_head.num_classes
            assert packing.background == 0


@pytest.mark.parametrize('name', [TILES, TOY, FROZEN])
def test_small_configs_measure_pseudo_labels(name: str) -> None:
    cfg = parse(leaf(name))
    assert cfg.model.test_cfg.pseudo_labels
    assert [m.type for m in cfg.val_evaluator] == [
        'ClassIoUMetric', 'BoundaryIoUMetric', 'PseudoLabelMetric',
    ]  # fmt: skip
    # The dense CRF energy is for a GPU.
    assert not cfg.model.get('regularizers')
    begin = cfg.model.segmentation_begin, cfg.model.propagation_begin
    assert 0 < begin[0] < begin[1] < cfg.train_cfg.max_iters
    head = cfg.model.decode_head
    backbone = cfg.model.backbone
    last = (
        len(backbone.attention_layers) * backbone.backbone.num_heads
        if name == FROZEN
        else backbone.num_layers[-1] * 8
    )
    assert head.attention_heads == last
    # The head and its loss agree about the background; the toy set has one.
    assert head.get('background', 0) == head.loss_decode.get('background', 0)
    assert ('background' in head) == (name != TOY)
