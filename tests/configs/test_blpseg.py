"""What the configs of BLPSeg are about."""

from tests.configs.test_content import content, leaf
from tests.helpers.shipped import of_type, parse

VOC = 'r101_upernet_2xb5-42k_voc12-scribble-384x384'
CAMVID = 'mit-b0_upernet_1xb8-2k_camvid-scribble-256x256'


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
    head = cfg.model.decode_head
    assert head.self_training_begin == 10_000
    # one sum over strokes and own labels at all pixels
    assert head.self_training_normalizer == 'joint'
    assert head.self_training_sample is None
    assert head.self_training_confidence == 0.9
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
