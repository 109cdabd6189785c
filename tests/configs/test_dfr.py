"""What the configs of DFR, Gated CRF and the tree energy are about."""

import pytest

from tests.configs.test_content import content, leaf
from tests.helpers.shipped import (
    ABLATIONS,
    CONFIGS,
    LEAVES,
    of_type,
    parse,
    parts,
)

VOC = '8xb2-40k_voc12-scribble-512x512'
MAIN = f'dfr_swin-b_upernet_{VOC}'
FROM = dict(feature_from='decode_head.fpn_bottleneck')
LOSS = dict(type='DFRLoss', in_channels=2048, **FROM)
KERNELS = [
    dict(weight=0.9, sigma_xy=6.0, sigma_rgb=0.5),
    dict(weight=0.1, sigma_xy=6.0),
]


@pytest.mark.parametrize(
    'name', [p.stem for p in ABLATIONS if p.stem.startswith('dfr-block')]
)
def test_the_shared_feature_is_as_wide_as_its_levels(name):
    model = content(name)['model']
    head = model['decode_head']
    # UPerHead's channels for each level
    width = head['channels'] * len(head['levels'])
    assert model['regularizers'][0]['in_channels'] == width


def each(folder, method):
    leaves = [p for p in LEAVES if (CONFIGS / folder) in p.parents]
    return [p.stem for p in leaves if parts(p)['method'] == method]


@pytest.mark.parametrize(
    ('folder', 'method'),
    [
        ('dfr', 'dfr'),
        ('baselines', 'gated_crf'),
        ('baselines', 'tree_energy'),
    ],
)
def test_method_is_its_baseline_and_the_loss(folder, method):
    names = [n for n in each(folder, method) if f'{method}_' in n]
    names = [n for n in names if 'pcontext' not in n]
    assert len(names) >= 2
    for name in names:
        found = content(name)
        baseline = content(name.replace(method, 'ce', 1))
        (loss,) = found['model'].pop('regularizers')
        assert found['model'].pop('type') == 'SparseEncoderDecoder'
        assert baseline['model'].pop('type') == 'EncoderDecoder'
        assert found == baseline
        if method == 'gated_crf':
            assert loss == dict(type='GatedCRFLoss', kernels=KERNELS)
            continue
        if method == 'tree_energy':
            assert loss == dict(type='TreeEnergyLoss', sigma_feature=10.0)
            continue
        assert loss['type'] == 'DFRLoss'
        # The deep feature is the classifier's input, or UPerNet's pyramid.
        head = found['model']['decode_head']
        wide = head['channels'] * (4 if 'feature_from' in loss else 1)
        assert loss['in_channels'] == wide


def test_setting_of_the_paper():
    cfg = parse(leaf(MAIN))
    assert cfg.model.regularizers == [LOSS]
    assert cfg.optim_wrapper.optimizer.to_dict() == dict(
        type='AdamW', lr=3e-5, betas=(0.9, 0.999), weight_decay=0.01
    )
    assert cfg.model.backbone.depths == [2, 2, 18, 2]
    assert cfg.model.decode_head.channels * 4 == 2048
    train = cfg.train_dataloader.dataset.pipeline
    (resize,) = of_type(train, 'RandomResize')
    assert resize.ratio_range == (0.5, 2.0)
    assert of_type(train, 'RandomFlip')
    assert of_type(train, 'PhotoMetricDistortion')


@pytest.mark.parametrize('data', ['voc12', 'pcontext59', 'pcontext60'])
def test_scales_of_the_multi_scale_test_are_of_the_size_tested_at(data):
    cfg = parse(leaf(MAIN.replace('voc12', data)))
    pipeline = cfg.test_dataloader.dataset.pipeline
    (single,) = of_type(pipeline, 'Resize')
    found = [r.scale for r in of_type(cfg.tta_pipeline, 'Resize')]
    assert found == [
        tuple(int(side * ratio) for side in single.scale)
        for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    ]


@pytest.mark.parametrize('classes', [59, 60])
def test_pascal_context_has_a_background_or_not(classes):
    name = MAIN.replace('voc12', f'pcontext{classes}')
    cfg = parse(leaf(name))
    assert cfg.model.decode_head.num_classes == classes
    assert cfg.model.auxiliary_head.num_classes == classes
    (loss,) = cfg.model.regularizers
    ground = {} if classes == 60 else dict(background=None)
    assert loss == LOSS | ground
    loads = of_type(cfg.train_dataloader.dataset, 'LoadAnnotations')
    assert [bool(step.get('reduce_zero_label')) for step in loads] == [
        classes == 59
    ]
    voc = content(MAIN)
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg'):
        assert cfg.to_dict()[key] == voc[key]
