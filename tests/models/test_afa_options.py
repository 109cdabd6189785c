"""AFASegmentor's options: each ablation, and what is refused."""

import copy

import pytest
import torch

from mmseg_sparse.functional import (
    labels_from_best,
    labels_from_scores,
    mean_attention,
)
from mmseg_sparse.models.padding import inside_image
from mmseg_sparse.models.segmentors.label_propagation import Transition
from mmseg_sparse.models.segmentors.multi_scale_cam import (
    first_images,
    multi_scale_cam,
)
from tests.helpers import afa, stock
from tests.models.test_afa_segmentor import (
    AFF,
    CLS,
    SEG,
    SHARE,
    labels_by_hand,
)


def test_propagation_by_attention():
    """Table 3: the mean of the heads in place of the affinity."""
    images, samples = afa.batch()
    tags = torch.stack([sample.gt_label for sample in samples])
    valid = inside_image(samples, images[:, 0])
    shown = torch.cat([torch.ones(2, 1), tags], 1) > 0
    model = afa.build(propagation='attention').eval()
    plain = afa.build().eval()
    plain.load_state_dict(model.state_dict())
    for segmentor, transition in (
        (model, mean_attention),
        (plain, plain.decode_head.affinity),
    ):
        found = multi_scale_cam(
            segmentor, images, valid, scales=(1, 0.5, 1.5), flip=True, stage=3
        )
        layers = first_images(found.layers, 2)
        assert layers[0].query_hw == (6, 6)
        with torch.no_grad():
            (walked,) = segmentor.label_propagation.walk(
                found.cam,
                tags,
                [0.35],
                valid,
                Transition(transition(layers), (6, 6)),
            )
        expected = labels_from_best(walked, shown, valid=valid)
        labels = segmentor.pseudo_labels(images, samples).propagated
        assert torch.equal(labels, expected)


#: What ablations change, and an iteration at which it shows.
OPTIONS = {
    'no propagation': (dict(propagation=None), 7),
    'by attention': (dict(propagation='attention'), 7),
    'no refinement': (dict(label_refiner=False), 7),
    'scale of refinement': (dict(refine_scale=1.0), 7),
    'no softmax': (dict(cam_softmax=False), 3),
    'radius': (dict(radius=1), 3),
    'alpha': (dict(alpha=8.0), 7),
    'background scores': (dict(background_scores=(0.45, 0.45)), 3),
    'affinity from final labels': (dict(affinity_from='final'), 7),
    'one scale': (dict(cam_scales=(1.0,)), 3),
    'no mirror': (dict(cam_flip=False), 3),
}


@pytest.mark.parametrize('name', OPTIONS)
def test_options_change_the_losses(hub, name):
    options, iteration = OPTIONS[name]
    hub.update_info('iter', iteration)
    images, samples = afa.batch()
    base = afa.build().loss(images, samples)
    losses = afa.build(**options).loss(images, samples)
    names = {key for key in base if f'{SHARE}_' not in key}
    assert {key for key in losses if f'{SHARE}_' not in key} == names
    assert all(torch.isfinite(value).all() for value in losses.values())
    changed = {key for key in names if not torch.equal(base[key], losses[key])}
    assert CLS not in changed
    assert SEG in changed or AFF in changed


def test_without_affinity(hub):
    """Table 2: neither its loss nor its propagation."""
    hub.update_info('iter', 7)
    images, samples = afa.batch()
    with pytest.raises(ValueError, match=r"propagation='affinity' needs the"):
        afa.build(dict(attention_heads=None))
    model = afa.build(dict(attention_heads=None), propagation=None)
    losses = model.loss(images, samples)
    assert AFF not in losses
    model.parse_losses(losses)[0].backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize('background', [3, None])
def test_another_background_or_none(hub, background):
    hub.update_info('iter', 7)
    images, samples = afa.batch(
        tags=[[1, 0, 1, 0], [0, 0, 0, 1]]
        if background == 3
        else [[1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    )
    model = afa.build(dict(background=background))
    losses = model.loss(images, samples)
    assert all(torch.isfinite(value).all() for value in losses.values())
    found = model.pseudo_labels(images, samples)
    shown = set(found.final[0].unique().tolist())
    assert shown <= ({0, 2, 3} if background == 3 else {0, 2})
    if background is None:
        assert (found.final[1] == 255).all()
        # No constant score competes: each class keeps its share, and the log
        # shows it.
        kept = found.labels[0] != 255
        for index in shown:
            of_class = found.final[0] == index
            share = (kept & of_class).sum() / of_class.sum()
            assert 0.8 <= share < 0.81
            assert losses[f'{SHARE}_{index}'] == pytest.approx(share.item())
        assert losses[SHARE] < 0.81
    names = {key for key in losses if f'{SHARE}_' in key}
    assert names <= {f'{SHARE}_{c}' for c in (0, 2, 4)}
    assert names
    quiet = afa.build(dict(background=background), log_class_shares=False)
    assert not any(f'{SHARE}_' in k for k in quiet.loss(images, samples))


def test_scores_of_what_is_measured(hub):
    images, samples = afa.batch()
    tags = torch.stack([sample.gt_label for sample in samples])
    model = afa.build(measured_scores=(0.3, 0.6)).eval()
    found = model.pseudo_labels(images, samples)
    valid = inside_image(samples, images[:, 0])
    expected = labels_from_scores(
        found.activation, tags, high=0.3, low=0.3, valid=valid
    )
    assert torch.equal(found.cam, expected)
    # More background beside a higher score; training is not concerned.
    plain = afa.build().eval()
    plain.load_state_dict(model.state_dict())
    other = plain.pseudo_labels(images, samples)
    for field, sign in (('cam', 1), ('propagated', -1)):
        ground = [(getattr(f, field) == 0).sum() for f in (other, found)]
        assert sign * (ground[0] - ground[1]) > 0
    assert torch.equal(found.labels, other.labels)


def test_regularizers_get_the_pseudo_labels(hub):
    images, samples = afa.batch()
    model = afa.build(
        regularizers=[
            dict(
                type='KeepingRegularizer', feature_from='decode_head.conv_seg'
            )
        ]
    )
    (kept,) = model.regularizers
    losses = model.loss(images, samples)
    assert not hasattr(kept, 'feats')
    assert 'decode.kept' not in losses
    hub.update_info('iter', 5)
    losses = model.loss(images, samples)
    assert 'decode.kept' in losses
    labels = labels_by_hand(model, images, samples, walk=True)
    assert torch.equal(kept.feats.labels, labels)
    assert 'decode_head.conv_seg' in kept.feats.module_inputs


def test_a_regularizer_that_learns_is_in_the_graph(hub):
    images, samples = afa.batch()
    model = afa.build(regularizers=[dict(type='DFRLoss', in_channels=12)])
    for iteration in (0, 3):
        hub.update_info('iter', iteration)
        model.zero_grad()
        losses = model.loss(images, samples)
        assert ('decode.loss_dfr' in losses) == (iteration == 3)
        model.parse_losses(losses)[0].backward()
        grads = [p.grad for p in model.regularizers.parameters()]
        assert grads
        assert all(grad is not None for grad in grads)


def test_names_the_stage_that_is_not_square(hub):
    hub.update_info('iter', 7)
    images, samples = afa.batch()
    model = afa.build(dict(attention_stage=1, attention_heads=1))
    with pytest.raises(ValueError, match=r'stage 1: .*sr_ratio=1'):
        model.loss(images, samples)
    model = afa.build(
        dict(attention_stage=1, attention_heads=None),
        propagation='attention',
    )
    with pytest.raises(ValueError, match=r"'attention' of stage 1: .*square"):
        model.loss(images, samples)
    with pytest.raises(ValueError, match='stages 0 to 3, got'):
        afa.build(dict(attention_stage=4))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (
            dict(refiner=dict(type='PixelAdaptiveRefinement')),
            r'no refiner .* test_cfg\.refiner',
        ),
        (
            dict(
                auxiliary_head=dict(
                    type='FCNHead', in_channels=8, channels=8, num_classes=5
                )
            ),
            'no auxiliary_head, which would learn from gt_sem_seg',
        ),
        (dict(propagation='walk'), "must be in .* got 'walk'"),
        (dict(background_scores=(0.3, 0.5)), 'low=0.5, high=0.3'),
        (dict(background_scores=(0.3,)), r'must be two, got \(0.3,\)'),
        (dict(measured_scores=(0.3, 1.5)), r'low=0.3, high=1.5'),
        (dict(label_share=0.0), r'label_share must lie in \(0, 1\], got 0.0'),
        (dict(affinity_from='cam'), "affinity_from must be in .* got 'cam'"),
        (dict(cam_scales=()), r'cam_scales must be positive, got \(\)'),
        (dict(propagation_begin=1), r'propagation_begin, got 2 and 1'),
    ],
)
def test_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        afa.build(**changes)


def test_refuses_other_heads():
    cfg = afa.config_of()
    cfg.decode_head = stock.stock_model_config('segformer').decode_head
    with pytest.raises(TypeError, match='an AFAHead, got SegformerHead'):
        stock.build(cfg)


def test_par_refines_predictions_in_place_of_a_crf():
    images, samples = afa.batch()
    refined = afa.build(
        test_cfg=dict(
            mode='whole', refiner=dict(type='PixelAdaptiveRefinement')
        )
    ).eval()
    plain = afa.build().eval()
    maps = [
        m.predict(images, copy.deepcopy(samples))[0].seg_logits.data
        for m in (refined, plain)
    ]
    assert not torch.allclose(*maps, atol=1e-3)
