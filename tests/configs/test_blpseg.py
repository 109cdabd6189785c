"""What the configs of BLPSeg are about."""

import pytest

from tests.configs.test_content import content, leaf
from tests.helpers.shipped import LEAVES, of_type, parse, parts

VOC = 'r101_upernet_2xb5-42k_voc12-scribble-384x384'
CAMVID = 'mit-b0_upernet_1xb8-2k_camvid-scribble-256x256'
CE = dict(
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    scribble_loss=False,
)
NO_LAM = dict(local_aggregation=False)
NO_SELF = dict(self_training_begin=None)


def lam(**arguments):
    return dict(local_aggregation=arguments)


#: Variant in the name -> what it changes in the head of the full method.
VOC_HEADS = {
    'ce': CE | NO_LAM,
    'lam': CE,
    'focal': dict(
        loss_decode=dict(type='PartialFocalLoss'), scribble_loss=False
    ),
    'nolam': NO_LAM,
    'lowlevel': lam(use_distance=False),
    'distance': lam(use_low_level=False),
    'highlevel': lam(
        use_low_level=False, use_high_level=True, use_distance=False
    ),
    'highlevel-distance': lam(use_low_level=False, use_high_level=True),
    'alllevels-distance': lam(use_high_level=True),
    'sigma3': lam(sigma=3.0),
    'sigma12': lam(sigma=12.0),
    'sigma24': lam(sigma=24.0),
    'sigma48': lam(sigma=48.0),
    'sigmalearned': lam(learnable_sigma=True),
    'labeled': lam(aggregate='labeled'),
    'unlabeled': lam(aggregate='unlabeled'),
}
CAMVID_HEADS = {
    'noself': NO_SELF,
    'lam-noself': CE | NO_SELF,
    'ce-noself': CE | NO_LAM | NO_SELF,
}


def test_every_config_is_known():
    found = {p.stem for p in LEAVES if parts(p)['method'] == 'blpseg'}
    assert found == {
        f'blpseg_{VOC}',
        f'blpseg_{CAMVID}',
        f'blpseg_{CAMVID.replace("mit-b0", "r18")}',
        'blpseg_r101_upernet_2xb5-20k_pcontext60-scribble-384x384',
        *(f'blpseg-{v}_{VOC}' for v in VOC_HEADS),
        *(f'blpseg-{v}_{CAMVID}' for v in CAMVID_HEADS),
    }


@pytest.mark.parametrize(
    ('setting', 'variant', 'change'),
    [(VOC, *item) for item in VOC_HEADS.items()]
    + [(CAMVID, *item) for item in CAMVID_HEADS.items()],
)
def test_an_ablation_changes_the_head_alone(setting, variant, change):
    found = content(f'blpseg-{variant}_{setting}')
    main = content(f'blpseg_{setting}')
    main['model']['decode_head'].update(change)
    assert found == main


def test_setting_of_the_paper():
    cfg = parse(leaf(f'blpseg_{VOC}'))
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.optimizer.to_dict() == dict(
        type='AdamW', lr=3e-4, betas=(0.9, 0.999), weight_decay=0.01
    )
    (decay,) = cfg.param_scheduler
    assert (decay.type, decay.power) == ('PolyLR', 0.9)
    # 40 epochs of 10 582 images
    assert cfg.train_cfg.max_iters == round(40 * 10582 / 10, -3)
    assert cfg.model.backbone.depth == 101
    assert cfg.model.pretrained.endswith('resnet101_v1c')
    assert cfg.model.get('auxiliary_head') is None
    assert 'self_training_begin' not in cfg.model.decode_head  # 10k
    (resize,) = of_type(cfg.train_dataloader.dataset, 'RandomResize')
    assert resize.ratio_range == (0.75, 1.25)


def test_pascal_context_differs_in_data_and_length():
    cfg = parse(
        leaf('blpseg_r101_upernet_2xb5-20k_pcontext60-scribble-384x384')
    )
    voc = parse(leaf(f'blpseg_{VOC}'))
    assert cfg.train_cfg.max_iters == round(40 * 4998 / 10, -3)
    assert cfg.param_scheduler[0].end == cfg.train_cfg.max_iters
    assert cfg.optim_wrapper == voc.optim_wrapper
    assert cfg.model.decode_head.num_classes == 60
    cfg.model.decode_head.num_classes = 21
    assert cfg.model == voc.model
    (resize,) = of_type(cfg.train_dataloader.dataset, 'RandomResize')
    assert resize.ratio_range == (0.75, 1.25)


def test_camvid_follows_the_protocol_but_for_the_head():
    cfg = content(f'blpseg_{CAMVID}')
    ce = content('ce_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256')
    for model in (cfg['model'], ce['model']):
        del model['decode_head'], model['type']
    assert cfg == ce
