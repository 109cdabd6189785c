"""A student that also learns from the moving average of itself."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.model import ExponentialMovingAverage
from mmengine.structures import PixelData
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_sparse.functional import (
    mean_confidence,
    precision_counts,
    random_boxes,
    teacher_labels,
    teacher_loss,
)
from mmseg_sparse.labels.label_map import NO_LABEL

from ..contracts import MapRefiner
from ..features import Features
from ..padding import inside_image
from ..progress import WeightSchedule, training_iteration
from .sparse_encoder_decoder import SparseEncoderDecoder

#: Share of a batch's confidence in the running mean of each class.
CONFIDENCE_MOMENTUM = 0.01
#: What the teacher is built without: losses and what only they need.
TRAINING_ONLY = ('regularizers', 'auxiliary_head', 'init_cfg')


@dataclass(frozen=True)
class _Lesson:
    """What the teacher says of a batch, ``(N, C, H, W)`` and ``(N, H, W)``."""

    prob: Tensor
    sure: Tensor
    weight: float
    precision: dict[str, Tensor]


@MODELS.register_module()
class MeanTeacherEncoderDecoder(SparseEncoderDecoder):
    r"""``SparseEncoderDecoder`` whose teacher labels what nobody labelled.

    The teacher is the exponential moving average of the student: of backbone,
    neck, decode head and refiner, parameters and batch norm statistics. It
    sees the images as the pipeline gives them, in evaluation mode; the
    student sees them with other colours (``jitter``) and with boxes of each
    other (``mix``), and learns

    * from the labels by the heads' losses and the regularizers, as in
      ``SparseEncoderDecoder``;
    * from the teacher, where no label is and the teacher is sure, by
      ``decode.loss_teacher`` (:func:`~mmseg_sparse.functional.teacher_loss`),
      which begins slowly. Labels that are there always override.

    A class is sure where its probability reaches the running mean of the
    teacher's probability over the pixels that it gives this class, kept
    within ``thresholds``: each class has its own threshold, and a class that
    the teacher finds hard is not left out.

    ``teacher_share`` is the share of pixels that the teacher labels.
    Averaging takes place at the start of a training step, of what the step
    before left. Everything that changes is in the checkpoint, as
    ``teacher.*`` and ``teacher_confidence``: a resumed training is the same
    bit for bit.

    Source: Tarvainen and Valpola, "Mean teachers are better role models",
    NeurIPS 2017; boxes: French et al., "Semi-supervised semantic segmentation
    needs strong, varied perturbations", BMVC 2020. Thresholds by class are
    ours, in the spirit of FreeMatch (Wang et al., ICLR 2023), eq. 5 to 8.

    Args:
        teacher_momentum: :math:`\alpha` of
            :math:`\theta' \leftarrow \alpha\theta' + (1-\alpha)\theta`.
        teacher_begin: First iteration with the teacher's loss.
        teacher_ramp: Iterations until its weight is whole; it grows linearly.
        teacher_weight: Factor on its loss.
        thresholds: Least and largest threshold of a class.
        soft: Whether the teacher's probabilities are the target; else its
            best class.
        mix: Probability that an image is given a box of the next image of
            the batch, with its labels; 10 to 50 % of the area.
        jitter: Largest relative change of contrast, and of each colour in
            standard deviations; a quarter of it is the standard deviation
            of added noise.
        label_refiner: Config of a module with ``refine(prob, image, valid=)``
            for the teacher's probabilities, such as
            ``PixelAdaptiveRefinement``; None: they stay.
        log_precision: Whether the log shows for each class c, as
            ``teacher_precision_c``, the share of the teacher's labels of this
            class that agree with the dense masks that ``LoadDenseMasks``
            loads. They are for this alone.
        predict_with: ``'teacher'`` or ``'student'``: which of them predicts,
            and is exported. Choose on validation images.
        **kwargs: The arguments of ``SparseEncoderDecoder``.

    Raises:
        ValueError: If an argument is out of range, or the head's loss and
            prediction do not come from one logit map.
    """

    def __init__(
        self,
        *,
        teacher_momentum: float = 0.99,
        teacher_begin: int = 300,
        teacher_ramp: int = 300,
        teacher_weight: float = 1.0,
        thresholds: tuple[float, float] = (0.5, 0.95),
        soft: bool = True,
        mix: float = 0.0,
        jitter: float = 0.0,
        label_refiner: dict[str, Any] | None = None,
        log_precision: bool = False,
        predict_with: str = 'teacher',
        **kwargs: Any,
    ) -> None:
        """Build the student, then the teacher."""
        super().__init__(**kwargs)
        self.teacher_schedule = WeightSchedule(teacher_begin, teacher_ramp)
        self.teacher_weight = teacher_weight
        self.thresholds = tuple(thresholds)
        self.soft = soft
        self.mix = mix
        self.jitter = jitter
        self.log_precision = log_precision
        self.predict_with = predict_with
        self._check(teacher_momentum)
        self.label_refiner: MapRefiner | None = None
        if label_refiner is not None:
            self.label_refiner = MODELS.build(label_refiner)
        student = {k: v for k, v in kwargs.items() if k not in TRAINING_ONLY}
        self.teacher = ExponentialMovingAverage(
            SparseEncoderDecoder(**copy.deepcopy(student)),
            momentum=1 - teacher_momentum,
            update_buffers=True,
        )
        classes = self._heads()[-1].out_channels
        confidence = torch.full((classes,), float(self.thresholds[0]))
        self.register_buffer('teacher_confidence', confidence)
        self._lesson: _Lesson | None = None

    def _check(self, momentum: float) -> None:
        for name, value in (
            ('teacher_momentum', momentum),
            ('mix', self.mix),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {value}')
        low, high = self.thresholds
        if not 0 <= low <= high <= 1:
            raise ValueError(
                'thresholds must be two in ascending order in [0, 1], got '
                f'{self.thresholds}'
            )
        for name, value in (
            ('teacher_weight', self.teacher_weight),
            ('jitter', self.jitter),
        ):
            if value < 0:
                raise ValueError(f'{name} must be at least 0, got {value}')
        if self.predict_with not in ('teacher', 'student'):
            raise ValueError(
                "predict_with must be 'teacher' or 'student', got "
                f'{self.predict_with!r}'
            )

    def _asking(self) -> list[str]:
        return ['the teacher', *super()._asking()]

    @property
    def _regularized(self) -> bool:
        return True

    def train(self, mode: bool = True) -> 'MeanTeacherEncoderDecoder':
        """Leave the teacher in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    def loss(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Average, ask the teacher, then train the student."""
        self._average()
        factor = self.teacher_schedule.factor(training_iteration())
        weight = self.teacher_weight * factor
        self._lesson = None
        if weight > 0:
            inputs, data_samples = self._teach(inputs, data_samples, weight)
        losses: dict[str, Tensor] = super().loss(inputs, data_samples)
        self._lesson = None
        return losses

    @torch.no_grad()
    def _average(self) -> None:
        # Moving a model to a device makes new tensors of its buffers.
        self.teacher.avg_parameters = self.teacher.module.state_dict()
        self.teacher.update_parameters(self)

    @torch.no_grad()
    def _teach(
        self, inputs: Tensor, samples: list[SegDataSample], weight: float
    ) -> tuple[Tensor, list[SegDataSample]]:
        """Ask the teacher; return the images and labels of the student."""
        labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
        valid = inside_image(samples, labels)
        logits = resize(
            self.teacher.module._forward(inputs),
            size=labels.shape[1:],
            mode='bilinear',
            align_corners=self.align_corners,
        )
        prob = logits.float().softmax(1)
        if self.label_refiner is not None:
            prob = self.label_refiner.refine(prob, inputs, valid=valid)
        threshold = self._new_thresholds(prob, valid)
        inputs = self._other_colours(inputs)
        dense = _dense_masks(samples, labels) if self.log_precision else None
        if self.mix:
            box = random_boxes(labels.shape, self.mix, labels.device)
            box = box & valid & valid.roll(1, 0)
            inputs, prob = (
                torch.where(box[:, None], maps.roll(1, 0), maps)
                for maps in (inputs, prob)
            )
            labels = torch.where(box, labels.roll(1, 0), labels)
            if dense is not None:
                dense = torch.where(box, dense.roll(1, 0), dense)
            samples = [sample.clone() for sample in samples]
            for sample, own in zip(samples, labels, strict=True):
                sample.gt_sem_seg = PixelData(data=own[None])
        known = labels != self._heads()[-1].ignore_index
        found = teacher_labels(
            prob, threshold, labels.masked_fill(~known, NO_LABEL), valid=valid
        )
        precision = {} if dense is None else _precision(found, dense, prob)
        self._lesson = _Lesson(prob, found != NO_LABEL, weight, precision)
        return inputs, samples

    def _new_thresholds(self, prob: Tensor, valid: Tensor) -> Tensor:
        """Move the running confidence; return the classes' thresholds."""
        sums = torch.stack(mean_confidence(prob, valid))
        all_reduce(sums)
        mean = sums[0] / sums[1].clamp(min=1)
        moved = self.teacher_confidence.lerp(mean, CONFIDENCE_MOMENTUM)
        found = torch.where(sums[1] > 0, moved, self.teacher_confidence)
        self.teacher_confidence.copy_(found)
        return found.clamp(*self.thresholds)

    def _other_colours(self, inputs: Tensor) -> Tensor:
        """Change contrast and colours of each image and add noise."""
        if not self.jitter:
            return inputs
        shape = (len(inputs), 4, 1, 1)
        change = torch.rand(shape, device=inputs.device) * 2 - 1
        change = change * self.jitter
        noise = torch.randn_like(inputs) * (self.jitter / 4)
        return inputs * (1 + change[:, :1]) + change[:, 1:] + noise

    def _add_regularizers(
        self, losses: dict[str, Tensor], logits: Tensor, feats: Features
    ) -> None:
        """Add the teacher's loss to those of the regularizers."""
        super()._add_regularizers(losses, logits, feats)
        lesson = self._lesson
        if lesson is None:  # zero, connected
            losses['decode.loss_teacher'] = logits.sum() * 0
            losses['teacher_share'] = logits.new_zeros(())
            return
        logits = resize(
            logits,
            size=lesson.prob.shape[2:],
            mode='bilinear',
            align_corners=self.align_corners,
        )
        losses['decode.loss_teacher'] = lesson.weight * teacher_loss(
            logits, lesson.prob, lesson.sure, soft=self.soft
        )
        valid = feats.valid
        assert valid is not None
        share = lesson.sure.sum() / valid.sum().clamp(min=1)
        losses['teacher_share'] = share
        losses.update(lesson.precision)

    def _predicting(self) -> SparseEncoderDecoder:
        """Return the model that predicts; an untrained teacher does not."""
        if self.predict_with == 'student' or not self.teacher.steps:
            return self
        teacher: SparseEncoderDecoder = self.teacher.module
        return teacher

    def encode_decode(
        self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Return logits of the inputs' size, of teacher or student."""
        return SparseEncoderDecoder.encode_decode(
            self._predicting(), inputs, batch_img_metas
        )

    def _forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
    ) -> Tensor:
        return SparseEncoderDecoder._forward(
            self._predicting(), inputs, data_samples
        )


def _dense_masks(samples: list[SegDataSample], labels: Tensor) -> Tensor:
    """Return the dense masks of a batch, ``(N, H, W)``, 255 in padding."""
    dense = torch.full_like(labels, NO_LABEL)
    for own, sample in zip(dense, samples, strict=True):
        if 'gt_dense_map' not in sample:
            raise ValueError(
                'log_precision needs gt_dense_map in each sample: put '
                'LoadDenseMasks behind the loading of the labels in the '
                'pipeline, and PackSparseInputs at its end'
            )
        mask = sample.gt_dense_map.data[0]
        own[: mask.shape[0], : mask.shape[1]] = mask
    return dense


def _precision(
    found: Tensor, dense: Tensor, prob: Tensor
) -> dict[str, Tensor]:
    """Return the precision of each class that has labels."""
    right, count = precision_counts(found, dense, prob.shape[1])
    return {
        f'teacher_precision_{index}': right[index] / count[index]
        for index in count.nonzero().flatten().tolist()
    }
