"""The labels that AFASegmentor hands to tools and metrics."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import (
    labels_from_best,
    labels_from_scores,
    normalize_activation,
    with_background,
)
from mmseg_sparse.models.segmentors.pseudo_labels import as_original
from tests.helpers import afa

FIELDS = ('cam', 'refined', 'propagated', 'final', 'labels')


def trained_on(model, images, samples, iteration, monkeypatch):
    """The labels that the segmentation learns from in an iteration."""
    given = []

    def losses(logits, labels):
        given.append(labels)
        return {}

    module = 'mmseg_sparse.models.segmentors.afa_segmentor'
    with monkeypatch.context() as patch:
        patch.setattr(f'{module}.training_iteration', lambda: iteration)
        patch.setattr(model.decode_head, 'segmentation_losses', losses)
        model.train().loss(images, samples)
    return given[0]


def test_each_is_made_of_the_one_before(monkeypatch):
    images, samples = afa.batch()
    copies = images.clone(), copy.deepcopy(samples)
    model = afa.build().eval()
    found = model.pseudo_labels(images, samples)
    tags = torch.stack([sample.gt_label for sample in samples])
    valid = torch.zeros(2, 64, 64, dtype=torch.bool)
    valid[0] = valid[1, :24, :40] = True

    # A single background score, the mean of 0.55 and 0.35, for the stages.
    expected = labels_from_scores(
        found.activation, tags, high=0.45, low=0.45, valid=valid
    )
    assert torch.equal(found.cam, expected)
    prob, shown = with_background(found.activation, tags, 0.45)
    (refined,) = model.label_propagation.refine([prob], images, valid, shown)
    assert torch.equal(
        found.refined, labels_from_best(refined, shown, valid=valid)
    )
    assert torch.equal(
        found.final, labels_from_best(found.scores, shown, valid=valid)
    )
    assert not torch.equal(found.propagated, found.cam)
    assert not torch.equal(found.final, found.refined)
    first, last = (
        trained_on(model, images, samples, iteration, monkeypatch)
        for iteration in (2, 5)
    )
    assert torch.equal(found.labels, last)
    assert not torch.equal(first, last)
    model.eval()
    for field in FIELDS:
        maps = getattr(found, field)
        assert (maps[~valid] == 255).all()
        assert {1, 3} >= set(maps[0].unique().tolist()) - {0, 255}
    assert (found.final[valid] != 255).all()
    assert torch.equal(images, copies[0])
    # MMEngine lists them in the order of a set.
    assert set(samples[0].keys()) == set(copies[1][0].keys())


def test_without_propagation_the_refined_are_final():
    images, samples = afa.batch()
    model = afa.build(propagation=None).eval()
    found = model.pseudo_labels(images, samples)
    assert found.propagated is None
    assert torch.equal(found.final, found.refined)
    results = self_labelled(model, images, samples)
    assert 'pseudo_propagated' not in results[0]
    assert 'pseudo_final' in results[0]


def self_labelled(model, images, samples):
    model.test_cfg['pseudo_labels'] = True
    return model.predict(images, samples)


def test_results_hold_them_at_the_size_of_the_image():
    images, samples = afa.batch()
    model = afa.build().eval()
    plain = model.predict(images, copy.deepcopy(samples))
    samples[1].set_metainfo(dict(ori_shape=(48, 80)))  # twice as large
    found = model.pseudo_labels(images, samples)
    results = self_labelled(model, images, samples)
    for field in FIELDS:
        maps = getattr(found, field)
        first = results[0].get(f'pseudo_{field}').data
        assert torch.equal(first[0], maps[0])
        second = results[1].get(f'pseudo_{field}').data
        assert second.shape == (1, 48, 80)
        assert torch.equal(second[0, ::2, ::2], maps[1, :24, :40])
    best = found.scores.amax(1)
    large = F.interpolate(best[1:, None, :24, :40], (48, 80), mode='bilinear')
    assert torch.equal(results[0].pseudo_confidence.data[0], best[0])
    assert torch.equal(results[1].pseudo_confidence.data, large[0])
    assert torch.equal(
        results[0].pred_sem_seg.data, plain[0].pred_sem_seg.data
    )


@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
def test_mirrored_inputs_are_mirrored_back(direction):
    labels = torch.arange(12).view(3, 4)
    meta = dict(
        img_shape=(3, 4), ori_shape=(3, 4), flip=True,
        flip_direction=direction,
    )  # fmt: skip
    axis = 1 if direction == 'horizontal' else 0
    padded = F.pad(labels, (0, 2, 0, 1), value=255)
    found = as_original(padded, meta)
    assert torch.equal(found, labels.flip(axis))
    assert found.dtype == labels.dtype


def test_needs_tags():
    images, samples = afa.batch()
    samples[0].pop('gt_label')
    model = afa.build().eval()
    with pytest.raises(ValueError, match='end with PackSparseInputs'):
        self_labelled(model, images, samples)
    with pytest.raises(
        ValueError, match=r'pseudo_labels .* need data samples'
    ):
        model.predict(images)


def test_activation_is_of_the_tags_alone():
    images, samples = afa.batch()
    found = (
        afa.build(cam_scales=(1,), cam_flip=False)
        .eval()
        .pseudo_labels(images, samples)
    )
    assert not found.activation[0, [1, 3]].any()
    assert found.activation[0, 0].max() == pytest.approx(1, abs=1e-3)
    again = normalize_activation(found.activation[:1])
    assert torch.allclose(again, found.activation[:1], atol=1e-4)
