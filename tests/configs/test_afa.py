"""What the configs of AFA are about."""

import pytest
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS
from torch import nn

from tests.configs.test_content import leaf
from tests.helpers.shipped import of_type, parse, without_weights

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
