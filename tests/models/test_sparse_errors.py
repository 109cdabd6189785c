import copy

import pytest
from mmengine.config import Config, ConfigDict
from mmseg.registry import MODELS

from tests.helpers import stock
from tests.helpers.sparse import AFFINITY, config


def test_feature_from_a_missing_module_is_named():
    keeping = dict(
        type='KeepingRegularizer', feature_from='decode_head.fpn_bottleneck'
    )
    with pytest.raises(
        ValueError, match=r"fpn_bottleneck' names no module.*SegformerHead"
    ):
        stock.build(config([keeping]))


@pytest.mark.parametrize('name', ['decode_head', 'backbone', 'regularizers'])
def test_feature_from_a_module_that_does_not_run_in_the_head(name):
    keeping = dict(type='KeepingRegularizer', feature_from=name)
    model = stock.build(config([keeping]))
    with pytest.raises(ValueError, match='not called while the decode head'):
        model.loss(*stock.batch())


def test_regularizers_must_be_a_list():
    with pytest.raises(TypeError, match='must be a list of configs, got'):
        stock.build(config(regularizers=AFFINITY))
    cfg = config()
    cfg.regularizers = None
    assert len(stock.build(cfg).regularizers) == 0


def test_one_map_for_two_classes_is_refused():
    cfg = config([AFFINITY])
    cfg.decode_head.update(num_classes=2, out_channels=1, threshold=0.3)
    with pytest.raises(ValueError, match=r'SegformerHead has out_channels=1'):
        stock.build(cfg)


def test_point_head_is_refused_by_name():
    cfg = Config.fromfile(
        stock.CONFIGS / 'point_rend/pointrend_r50_4xb4-160k_ade20k-512x512.py'
    ).model
    cfg.pretrained = None
    cfg.type = 'SparseEncoderDecoder'
    MODELS.build(copy.deepcopy(cfg))  # works as the stock cascade
    cfg.regularizers = [dict(type='KeepingRegularizer')]
    with pytest.raises(ValueError, match='the loss of PointHead does not'):
        MODELS.build(cfg)


def test_head_with_several_maps_is_refused_by_name():
    cfg = config([dict(type='KeepingRegularizer')])
    cfg.decode_head = ConfigDict(
        type='DAHead', in_channels=32, in_index=3, channels=16,
        pam_channels=8, num_classes=5,
    )  # fmt: skip
    model = stock.build(cfg)
    images, samples = stock.batch()
    with pytest.raises(ValueError, match='DAHead gives tuple of 3'):
        model.loss(images, samples)


def test_attention_of_a_convolutional_backbone_is_refused():
    with pytest.raises(TypeError, match='got the backbone HRNet'):
        stock.build(config([AFFINITY], 'hrnet'))


def test_two_losses_of_one_name_are_refused():
    model = stock.build(config([AFFINITY, AFFINITY]))
    with pytest.raises(ValueError, match="two losses are called 'decode"):
        model.loss(*stock.batch())
    second = dict(AFFINITY, loss_name='loss_affinity_2')
    losses = stock.build(config([AFFINITY, second])).loss(*stock.batch())
    assert 'decode.loss_affinity_2' in losses


def test_wrong_number_of_cascade_stages_is_refused():
    with pytest.raises(ValueError, match='num_stages=3, but decode_head has'):
        stock.build(config(name='ocrnet', num_stages=3))


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        (dict(stages=()), 'stages must name'),
        (dict(stages=(1, 1)), 'stages must name'),
        (dict(distance='cosine'), "got 'cosine'"),
        (dict(stage_reduction='max'), "got 'max'"),
        (dict(resize='labels'), "got 'labels'"),
        (dict(stages=(0, 4)), 'stages 0 to 3'),
    ],
)
def test_affinity_loss_arguments_are_checked(changes, match):
    with pytest.raises(ValueError, match=match):
        stock.build(config([dict(AFFINITY, **changes)]))
