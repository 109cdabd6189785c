"""The teacher averages, labels what nobody labelled, and is taken along."""

import copy
from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_sparse.models.segmentors import MeanTeacherEncoderDecoder
from tests.helpers import tiny

SIZE = (48, 64)


def build(**changes: Any) -> MeanTeacherEncoderDecoder:
    torch.manual_seed(2)
    config = tiny.model_config(drop=0.0)
    config.update(
        type='MeanTeacherEncoderDecoder', teacher_begin=0, teacher_ramp=0,
        thresholds=(0.0, 0.4),
    )  # fmt: skip
    config.update(changes)
    model = MODELS.build(config)
    model.train()
    return model


def batch(share: float = 0.1) -> tuple[Tensor, list[SegDataSample]]:
    """Return two images, the second padded at the right, and labels."""
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(2, 3, *SIZE, generator=generator)
    labels = torch.randint(0, 3, (2, 1, *SIZE), generator=generator)
    drawn = torch.rand(labels.shape, generator=generator) < share
    labels[~drawn] = 255
    labels[1, ..., 50:] = 255
    samples = []
    for one, width in zip(labels, (64, 50), strict=True):
        sample = SegDataSample(metainfo=dict(img_shape=(48, width)))
        sample.gt_sem_seg = PixelData(data=one)
        samples.append(sample)
    return image, samples


@pytest.fixture(autouse=True)
def _hub() -> None:
    MessageHub.get_current_instance().update_info('iter', 5)


@MODELS.register_module()
class KeepStudent(nn.Module):
    """A regularizer that keeps what the student is given."""

    def forward(
        self, logits: Tensor, feats: Any, labels: Tensor, valid: Tensor
    ) -> dict[str, Tensor]:
        self.image, self.labels = feats.image, labels
        return {}


def test_teacher_is_the_moving_average_of_parameters_and_statistics() -> None:
    model = build(teacher_momentum=0.75)
    image, samples = batch()
    model.loss(image, samples)
    key = 'decode_head.convs.0.conv.weight'
    running = 'decode_head.convs.0.bn.running_mean'
    student, teacher = dict(model.state_dict()), model.teacher.module
    first = {k: student[k].clone() for k in (key, running)}
    assert torch.equal(teacher.state_dict()[key], first[key])
    with torch.no_grad():
        model.get_parameter(key).add_(2.0)
    before = teacher.state_dict()[running].clone()
    model.loss(image, samples)
    torch.testing.assert_close(teacher.state_dict()[key], first[key] + 0.5)
    torch.testing.assert_close(
        teacher.state_dict()[running], 0.75 * before + 0.25 * first[running]
    )
    assert not any(p.requires_grad for p in model.teacher.parameters())
    assert not any(m.training for m in teacher.modules())


def test_loss_is_the_cross_entropy_with_the_teacher_off_the_labels() -> None:
    model = build(regularizers=[])
    image, samples = batch()
    model.backbone.eval()  # the same batch norm in both
    model.decode_head.eval()
    losses = model.loss(image, samples)
    labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
    with torch.no_grad():
        logits = nn.functional.interpolate(
            model.teacher.module._forward(image), SIZE, mode='bilinear'
        )
    prob = logits.softmax(1)
    best, found = prob.max(1)
    valid = torch.ones_like(labels, dtype=torch.bool)
    valid[1, :, 50:] = False
    confidence = torch.zeros(3)
    for index in range(3):
        mine = valid & (found == index)
        if mine.any():
            confidence[index] = 0.01 * best[mine].mean()
    torch.testing.assert_close(model.teacher_confidence, confidence)
    sure = valid & (labels == 255) & (best >= confidence[found])
    expected = -(prob * logits.log_softmax(1)).sum(1)[sure].mean()
    torch.testing.assert_close(losses['decode.loss_teacher'], expected)
    torch.testing.assert_close(
        losses['teacher_share'], sure.sum() / valid.sum()
    )
    losses['decode.loss_teacher'].backward()
    first = next(model.backbone.parameters())
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('iteration', 'weight'), [(3, 0.0), (4, 0.125), (8, 0.625), (14, 1.0)]
)
def test_weight_begins_slowly(iteration: int, weight: float) -> None:
    kwargs = dict(regularizers=[], thresholds=(0.0, 0.0))
    image, samples = batch()
    whole = build(**kwargs).loss(image, samples)['decode.loss_teacher']
    model = build(teacher_begin=4, teacher_ramp=8, **kwargs)
    MessageHub.get_current_instance().update_info('iter', iteration)
    found = model.loss(image, samples)['decode.loss_teacher']
    torch.testing.assert_close(found, whole * weight, rtol=0.01, atol=1e-6)


def test_student_sees_boxes_of_the_next_image_with_their_labels() -> None:
    model = build(regularizers=[dict(type='KeepStudent')], mix=1.0)
    (keep,) = model.regularizers
    image, samples = batch(share=0.5)
    labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
    model.loss(image, samples)
    mixed = (keep.image != image).any(1)
    assert 0.05 < mixed.double().mean() < 0.6
    assert not mixed[:, :, 50:].any()  # padding of the second stays
    other = labels.roll(1, 0)
    assert torch.equal(keep.labels, torch.where(mixed, other, labels))
    assert torch.equal(
        keep.image, torch.where(mixed[:, None], image.roll(1, 0), image)
    )
    for sample, own in zip(samples, labels, strict=True):
        assert torch.equal(sample.gt_sem_seg.data[0], own)  # not changed


@pytest.mark.parametrize('mix', [0.0, 1.0])
def test_precision_of_each_class_by_dense_masks(mix: float) -> None:
    """Masks that are the teacher's own labels, then less and less of them."""
    model = build(regularizers=[], mix=mix, log_precision=True)
    image, samples = batch()
    with pytest.raises(ValueError, match='put LoadDenseMasks behind'):
        model.loss(image, samples)
    with torch.no_grad():
        logits = nn.functional.interpolate(
            model.teacher.module._forward(image), SIZE, mode='bilinear'
        )
    best = logits.argmax(1)
    model.teacher.momentum = 0.0  # what it predicts stays

    def found(dense: Tensor) -> dict[str, float]:
        for sample, own in zip(samples, dense, strict=True):
            mask = own[None, :, : sample.img_shape[1]]
            sample.gt_dense_map = PixelData(data=mask)
        losses = model.loss(image, samples)
        return {k: float(v) for k, v in losses.items() if 'precision' in k}

    names = {f'teacher_precision_{c}' for c in best.unique().tolist()}
    assert found(best) == dict.fromkeys(names, 1.0)
    assert found((best + 1) % 3) == dict.fromkeys(names, 0.0)
    assert found(torch.full_like(best, 255)) == {}  # void alone
    half = best.clone()
    half[:, ::2] = 255
    half[:, 1::4] = (best[:, 1::4] + 1) % 3
    assert all(0 < value < 1 for value in found(half).values())
    model.log_precision = False
    assert found(best) == {}


def test_student_sees_other_colours() -> None:
    model = build(regularizers=[dict(type='KeepStudent')], jitter=0.2)
    (keep,) = model.regularizers
    image, samples = batch()
    model.loss(image, samples)
    for before, after in zip(image, keep.image, strict=True):
        for one, other in zip(before, after, strict=True):
            slope, shift = torch.linalg.lstsq(
                torch.stack([one.flatten(), torch.ones(one.numel())], 1),
                other.flatten(),
            ).solution.tolist()
            assert 0.79 < slope < 1.21
            assert abs(shift) < 0.21
            rest = (other - slope * one - shift).std()
            assert 0.04 < rest < 0.06


def test_refiner_sees_the_teachers_probabilities() -> None:
    plain = build(regularizers=[])
    refined = build(
        regularizers=[],
        label_refiner=dict(type='PixelAdaptiveRefinement', dilations=(1, 2)),
    )
    image, samples = batch()
    one, other = (
        model.loss(image, copy.deepcopy(samples))['decode.loss_teacher']
        for model in (plain, refined)
    )
    assert torch.isfinite(other)
    assert (one - other).abs() > 1e-4


def test_chosen_model_predicts() -> None:
    model = build()
    image, samples = batch()
    metas = [dict(ori_shape=SIZE, img_shape=SIZE)] * 2
    model.loss(image, samples)
    with torch.no_grad():
        model.decode_head.conv_seg.bias.add_(torch.tensor([0.0, 50, 0]))
    model.eval()
    taught = model.encode_decode(image, metas)
    assert torch.equal(
        taught, model.teacher.module.encode_decode(image, metas)
    )
    assert not (taught.argmax(1) == 1).all()
    model.predict_with = 'student'
    assert (model.encode_decode(image, metas).argmax(1) == 1).all()


def test_checkpoint_takes_the_teacher_along() -> None:
    model = build()
    image, samples = batch()
    for _ in range(2):
        model.loss(image, samples)
    other = build()
    other.load_state_dict(model.state_dict())
    losses = [
        m.loss(image, copy.deepcopy(samples))['decode.loss_teacher']
        for m in (model, other)
    ]
    assert torch.equal(*losses)
    assert int(other.teacher.steps) == 3


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (dict(teacher_momentum=1.5), 'teacher_momentum'),
        (dict(mix=-0.1), 'mix'),
        (dict(thresholds=(0.9, 0.5)), 'thresholds'),
        (dict(jitter=-1), 'jitter'),
        (dict(predict_with='both'), 'predict_with'),
    ],
)
def test_arguments_out_of_range(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(**change)
