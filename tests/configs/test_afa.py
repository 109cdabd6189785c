"""What the configs of AFA are about."""

import pytest
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS
from torch import nn

from tests.configs.test_content import content, leaf
from tests.helpers.shipped import (
    LEAVES,
    of_type,
    parse,
    parts,
    without_weights,
)

VOC = 'mit-b1_segformer_1xb8-20k_voc12-tag-320x320'
MAIN = f'afa_{VOC}'
TILES = 'afa_mit-b0_segformer_1xb8-2k_camvidtile-tag-120x160'
TOY = 'afa_mit-tiny_segformer_1xb8-4k_toy-tag-64x64'
OTHERS = (
    TILES,
    TOY,
    'afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512',
    'afa_mit-b1_segformer_1xb8-80k_coco14-tag-512x512',
)
PAR = dict(type='PixelAdaptiveRefinement', num_iters=15)
#: Variant in the name -> what it changes in the model of the full method.
MODEL = {
    'baseline': dict(label_refiner=False, propagation=None, regularizers=[]),
    'par': dict(propagation=None, regularizers=[]),
    'noreg': dict(regularizers=[]),
    'noprop': dict(propagation=None),
    'attention': dict(propagation='attention'),
    **{f'radius{r}': dict(radius=r) for r in (2, 4, 12, 16)},
    'background65-25': dict(background_scores=(0.65, 0.25)),
    'background60-30': dict(background_scores=(0.6, 0.3)),
    'background50-40': dict(background_scores=(0.5, 0.4)),
    'background45-45': dict(background_scores=(0.45, 0.45)),
    'seg005': {},
    'seg02': {},
    'seg05': {},
    'aff005': {},
    'aff02': {},
    'aff05': {},
    'pseudo': {},
}
#: Variant -> lambda_3.
REG = {'reg0005': 0.005, 'reg002': 0.02, 'reg005': 0.05}
#: Variant -> what it changes in the head.
HEAD = {
    'baseline': dict(attention_heads=None),
    'par': dict(attention_heads=None),
    'aff005': dict(affinity_weight=0.05),
    'aff02': dict(affinity_weight=0.2),
    'aff05': dict(affinity_weight=0.5),
}
#: Variant -> lambda_1.
SEG = {'seg005': 0.05, 'seg02': 0.2, 'seg05': 0.5}
#: Variant of the baseline -> what it changes in its refiner of labels.
REFINERS = {
    'par': {},
    'colour': dict(w_mix=0.0),
    'dilations3': dict(dilations=(1, 2, 4)),
    'dilations4': dict(dilations=(1, 2, 4, 8)),
    'dilations5': dict(dilations=(1, 2, 4, 8, 12)),
    'iters20': dict(num_iters=20),
    'w01': dict(w_rgb=0.1, w_pos=0.1),
    'w05': dict(w_rgb=0.5, w_pos=0.5),
    'w07': dict(w_rgb=0.7, w_pos=0.7),
    'mix0005': dict(w_mix=0.005),
    'mix002': dict(w_mix=0.02),
    'mix003': dict(w_mix=0.03),
}
POOLINGS = {'gap': 'gap', 'top50': 0.5, 'top25': 0.25, 'top10': 0.1}


def regularizer(weight: float) -> list[dict]:
    """Eq. 12's L_reg; 1e-7 brings it to the size of the others."""
    return [
        dict(
            type='DenseCRFLoss',
            loss_weight=pytest.approx(weight * 1e-7),
            loss_name='loss_reg',
        )
    ]


def measured(cfg: dict) -> dict:
    """Let a config measure pseudo labels instead of predictions alone."""
    cfg['model']['test_cfg']['pseudo_labels'] = True
    cfg['val_evaluator'] = dict(type='PseudoLabelMetric')
    cfg['test_evaluator'] = dict(type='PseudoLabelMetric')
    return cfg


def variant(name: str) -> dict:
    return content(f'afa-{name}_{VOC}')


def test_every_config_is_known() -> None:
    found = {p.stem for p in LEAVES if parts(p)['method'] == 'afa'}
    names = [*MODEL, *REG]
    names += [f'baseline-{v}' for v in ('pseudo', *REFINERS, *POOLINGS)]
    assert found == {MAIN, *OTHERS, *(f'afa-{v}_{VOC}' for v in names)}


@pytest.mark.parametrize('name', [*MODEL, *REG])
def test_an_ablation_changes_what_its_table_says(name: str) -> None:
    main = content(MAIN)
    model = main['model']
    model.update(MODEL.get(name, {}))
    model['decode_head'].update(HEAD.get(name, {}))
    if name in SEG:
        model['decode_head']['loss_decode']['loss_weight'] = SEG[name]
    if name in REG:
        model['regularizers'] = regularizer(REG[name])
    if name == 'pseudo':
        main = measured(main)
    assert variant(name) == main


@pytest.mark.parametrize('name', REFINERS)
def test_tables_4_8_and_9_refine_the_maps_of_the_baseline(name: str) -> None:
    main = measured(variant('baseline'))
    main['model']['label_refiner'] = PAR | REFINERS[name]
    assert variant(f'baseline-{name}') == main


@pytest.mark.parametrize('name', POOLINGS)
def test_table_1_changes_the_pooling_of_the_baseline(name: str) -> None:
    main = measured(variant('baseline'))
    assert variant('baseline-pseudo') == main
    main['model']['decode_head']['pooling'] = POOLINGS[name]
    assert variant(f'baseline-{name}') == main


def test_setting_of_the_paper() -> None:
    cfg = parse(leaf(MAIN))
    assert cfg.optim_wrapper.optimizer.to_dict() == dict(
        type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01
    )
    warm_up, decay = cfg.param_scheduler
    assert (warm_up.type, warm_up.end) == ('LinearLR', 1500)
    assert (decay.type, decay.power) == ('PolyLR', 1.0)
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


def test_printed_crop_differs_in_nothing_else() -> None:
    printed = parse(leaf(OTHERS[2]))
    main = parse(leaf(MAIN))
    for cfg in (printed, main):
        (crop,) = of_type(cfg.train_dataloader.dataset, 'RandomCrop')
        assert tuple(crop.crop_size) == cfg.model.data_preprocessor.pop('size')
        crop.crop_size = None
    assert printed.model == main.model
    assert printed.train_dataloader == main.train_dataloader
    assert printed.optim_wrapper == main.optim_wrapper
    assert printed.param_scheduler == main.param_scheduler


def test_coco_differs_in_data_and_length() -> None:
    coco, main = parse(leaf(OTHERS[3])), parse(leaf(OTHERS[2]))
    assert coco.optim_wrapper == main.optim_wrapper
    assert coco.param_scheduler[1].end == 80000
    coco.param_scheduler[1].end = 20000
    assert coco.param_scheduler == main.param_scheduler
    model = coco.model
    assert model.pop('segmentation_begin') == 5000
    assert model.pop('propagation_begin') == 5000 + 15000
    assert model.decode_head.num_classes == 81
    model.decode_head.num_classes = 21
    assert model == main.model


@pytest.mark.parametrize('name', [TILES, TOY])
def test_small_configs_measure_pseudo_labels(name: str) -> None:
    cfg = parse(leaf(name))
    assert cfg.model.test_cfg.pseudo_labels
    assert [m.type for m in cfg.val_evaluator] == [
        'IoUMetric', 'PseudoLabelMetric',
    ]  # fmt: skip
    # The dense CRF energy is for a GPU.
    assert not cfg.model.get('regularizers')
    begin = cfg.model.segmentation_begin, cfg.model.propagation_begin
    assert 0 < begin[0] < begin[1] < cfg.train_cfg.max_iters
    head = cfg.model.decode_head
    last = cfg.model.backbone.num_layers[-1] * 8
    assert head.attention_heads == last
    # The head and its loss agree about the background; the toy set has one.
    assert head.get('background', 0) == head.loss_decode.get('background', 0)
    assert ('background' in head) == (name == TILES)
