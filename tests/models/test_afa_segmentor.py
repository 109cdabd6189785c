"""AFASegmentor: its phases, its losses, the order of its labels, options."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmseg_sparse.functional import (
    affinity_labels,
    affinity_loss,
    balanced_cross_entropy,
    labels_from_two_scores,
    with_background,
)
from mmseg_sparse.models.backbones import AttentionRecorder
from mmseg_sparse.models.padding import inside_image
from mmseg_sparse.models.segmentors.label_propagation import Transition
from mmseg_sparse.models.segmentors.multi_scale_cam import (
    first_images,
    multi_scale_cam,
)
from tests.helpers import afa, stock

CLS, SEG, AFF = (f'decode.loss_{name}' for name in ('cls', 'seg', 'aff'))
SHARE = 'pseudo_labeled_share'


def labels_by_hand(model, images, samples, walk):
    """Figure 3 and the release's order, with the parts tested elsewhere."""
    valid = inside_image(samples, images[:, 0])
    tags = torch.stack([sample.gt_label for sample in samples])
    found = multi_scale_cam(
        model, images, valid, scales=(1, 0.5, 1.5), flip=True, stage=3
    )
    parts = model.label_propagation
    maps = []
    for score in (0.55, 0.35):
        if walk:
            layers = first_images(found.layers, 2)
            with torch.no_grad():
                affinity = model.decode_head.affinity(layers)
            step = Transition(affinity, layers[0].query_hw)
            (before,) = parts.walk(found.cam, tags, [score], valid, step)
        else:
            before, _ = with_background(found.cam, tags, score)
        shown = torch.cat([torch.ones(2, 1), tags], 1) > 0
        maps += parts.refine([before], images, valid, shown)
    return labels_from_two_scores(*maps, shown, valid=valid)


@pytest.mark.parametrize('iteration', [2, 4, 5, 9])
def test_losses_are_those_of_the_phase(hub, iteration):
    hub.update_info('iter', iteration)
    images, samples = afa.batch()
    model = afa.build()
    losses = model.loss(images, samples)
    valid = inside_image(samples, images[:, 0])

    first = labels_by_hand(model, images, samples, walk=False)
    target = labels_by_hand(model, images, samples, walk=iteration >= 5)
    assert not torch.equal(first, target) or iteration < 5
    assert (target[~valid] == 255).all()
    assert losses[SHARE].item() == pytest.approx(
        (target != 255).sum().item() / valid.sum().item()
    )

    with AttentionRecorder(model.backbone, [3]) as stages:
        feats = model.backbone(images)
    logits, _ = model.decode_head.forward(feats)
    logits = F.interpolate(logits, images.shape[2:], mode='bilinear')
    expected = 0.1 * balanced_cross_entropy(logits, target)
    assert losses[SEG].item() == pytest.approx(expected.item(), rel=1e-4)

    affinity = model.decode_head.affinity(stages[3])
    small = F.interpolate(first[:, None].float(), (4, 4))[:, 0].long()
    positive, negative = affinity_loss(
        affinity, affinity_labels(small, radius=8), count_offset=1
    )
    expected = 0.1 * (positive + negative) / 2
    assert losses[AFF].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize('iteration', [0, 1, 2, 5])
def test_every_parameter_is_in_the_graph(hub, iteration):
    hub.update_info('iter', iteration)
    images, samples = afa.batch()
    model = afa.build()
    losses = model.loss(images, samples)
    loss, _ = model.parse_losses(losses)
    loss.backward()
    moved = set()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if parameter.grad.any():
            moved.add(name.split('.')[1] if 'head' in name else 'backbone')
    warming = iteration < 2
    assert (losses[SEG].item() == 0) == warming
    assert (losses[AFF].item() == 0) == warming
    assert (losses[SHARE].item() == 0) == warming
    assert ('affinity' in moved) == (not warming)
    assert ('conv_seg' in moved) == (not warming)
    assert {'classifier', 'backbone'} <= moved


def test_the_label_maps_are_never_looked_at(hub):
    hub.update_info('iter', 7)
    images, samples = afa.batch()
    _, dense = afa.batch(fill=3)
    losses = [afa.build().loss(images, s) for s in (samples, dense)]
    for name in losses[0]:
        assert torch.equal(losses[0][name], losses[1][name]), name


def test_training_mode_and_statistics_stay(hub):
    hub.update_info('iter', 7)
    images, samples = afa.batch()
    model = afa.build()
    before = copy.deepcopy(model.state_dict())
    model.loss(images, samples)
    assert all(module.training for module in model.modules())
    assert any(
        not torch.equal(before[key], value)
        for key, value in model.state_dict().items()
        if 'running_mean' in key
    )
    count = model.decode_head.fusion_conv.bn.num_batches_tracked
    assert count == 1


def test_inference_is_the_segmentation_alone(hub, monkeypatch):
    images, samples = afa.batch()
    model = afa.build().eval()
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))

    def record(*args):
        raise AssertionError('recorded')

    monkeypatch.setattr(AttentionRecorder, '__enter__', record)
    monkeypatch.setattr(model.decode_head.classifier, 'forward', None)
    found = model.predict(images, samples)
    assert calls == [1]
    assert not any('pseudo' in key for key in found[0].keys())


def test_results_hold_the_tag_scores_on_demand(hub):
    images, samples = afa.batch()
    cfg = dict(mode='whole', tag_scores=True)
    model = afa.build(test_cfg=cfg).eval()
    found = torch.stack([s.tag_scores for s in model.predict(images, samples)])
    with torch.no_grad():
        feats = model.extract_feat(images)
        padded = model.decode_head.classify(feats).sigmoid()
        feats.valid = inside_image(samples, images[:, 0])
        expected = model.decode_head.classify(feats).sigmoid()
    torch.testing.assert_close(found, expected)
    assert not torch.equal(found[1], padded[1])


def test_builds_from_a_config_file_and_trains(hub, tmp_path):
    Config(dict(model=afa.config_of())).dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py')
    model = stock.build(cfg.model)
    images, samples = afa.batch()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for iteration in (0, 2, 5):
        hub.update_info('iter', iteration)
        loss, _ = model.parse_losses(model.loss(images, samples))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(model.state_dict(), tmp_path / 'state.pth')
    again = stock.build(cfg.model, seed=5)
    again.load_state_dict(torch.load(tmp_path / 'state.pth'))
    found, expected = (
        m.eval().pseudo_labels(images, samples).scores for m in (again, model)
    )
    assert torch.equal(found, expected)


def test_autocast_is_near_full_precision(hub):
    images, samples = afa.batch()
    model = afa.build()
    for iteration in (0, 3, 7):
        hub.update_info('iter', iteration)
        exact = model.loss(images, samples)
        with torch.autocast('cpu', torch.bfloat16):
            found = model.loss(images, samples)
        for name in (CLS, SEG, AFF):
            assert found[name].dtype == torch.float32
            assert found[name].item() == pytest.approx(
                exact[name].item(), rel=0.1, abs=1e-6
            )
        loss, _ = model.parse_losses(found)
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters())
