"""BLPSeg's head: it segments, and foresees where annotators draw."""

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import UPerHead
from mmseg.models.losses import CrossEntropyLoss, accuracy
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_sparse.functional import valid_on_grid
from mmseg_sparse.functional.resize import labelled_pixels, resized_at
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features
from ..losses import BLPLoss, PartialFocalLoss
from ..losses.base import WeightedLoss, losses_of
from ..padding import inside_image
from ..refiners import LocalAggregation
from .self_training import SelfTraining

#: Module whose input local aggregation may compare.
HIGH_LEVEL = 'decode_head.conv_seg'
#: Losses that are known to look at labelled pixels alone.
LABELS_ALONE = (CrossEntropyLoss, BLPLoss, PartialFocalLoss)
#: Those among them that do not even count the other pixels.
LABELS_COUNT = (BLPLoss, PartialFocalLoss)


@MODELS.register_module()
class BLPHead(UPerHead):
    r"""UPerNet decoder with BLPSeg's segmentation and scribble branches.

    Each branch is two 1×1 convolutions and a classifier, of K and K + 1
    classes. The scribble branch learns where strokes are (class K: nowhere),
    from a feature through which no gradient goes back, and exists in training
    only. The logits of the segmentation branch are averaged over similar
    pixels nearby by :class:`~mmseg_sparse.models.refiners.LocalAggregation`.

    From ``self_training_begin`` on, the segmentation branch also learns from
    :func:`~mmseg_sparse.functional.self_training_labels` of its own
    prediction; the scribble branch goes on with the given labels. The
    iteration is that of MMEngine's runner, so that a resumed training goes on
    in its phase; other training loops never reach it.

    Source: BLPSeg, figure 4, eq. 1-12. That no gradient leaves the scribble
    branch is its authors' release; there the branches have no normalisation
    (``branch_norm=False``). Paper and release have one sum over strokes and
    own labels at all pixels, from iteration 10 000 on, and the release
    a threshold of 0.9: ``self_training_begin=10000,
    self_training_confidence=0.9, self_training_normalizer='joint',
    self_training_sample=None``. Where most of an image is confident
    background, that sum forgets the strokes.

    Args:
        branch_norm: Whether the branches have batch normalisation, as in the
            paper: ``norm_cfg``, or ``BN`` where that is None.
        local_aggregation: Arguments of ``LocalAggregation``, whose width is
            the head's ``channels`` unless they say otherwise and whose
            high-level feature is what ``conv_seg`` gets; True: none; False:
            no local aggregation (table I).
        scribble_loss: Config of the loss of the scribble branch; True:
            ``AnnotationLoss``; False: no scribble branch.
        loss_decode: Config or configs of losses of the segmentation branch;
            None: ``BLPLoss``. Stock losses do, with
            ``avg_non_ignore=True``.
        detach_scribble: Whether the scribble branch trains itself alone;
            False: the decoder and the backbone as well, as in the paper.
        self_training_begin: First iteration (int) with the head's own
            labels, or the fraction (float) of the training before it; None
            for never.
        self_training_confidence: Least probability of such a label. A pair:
            the mean probability of the predictions of a class is the least
            one of its labels, between these two numbers.
        self_training_present: Whether an image gets only labels of the
            classes that are among the given ones.
        self_training_normalizer: ``'separate'``: each loss is computed once
            for the strokes and once for the own labels, and added; or
            ``'joint'``: once for all labels.
        self_training_weight: Factor on the loss of the own labels.
        self_training_sample: Share of the logits, drawn in each iteration,
            that own labels are given to and learned at. None: all pixels at
            the image's size.
        **kwargs: The arguments of ``UPerHead``.

    Raises:
        ValueError: If there is a pixel sampler, a single output channel, a
            ``BLPLoss`` without scribble branch, losses of one name, or an
            argument of another type or out of range; if a label is no class
            (not looked at on a GPU); if local aggregation does not find the
            image: the segmentor must be ``SparseEncoderDecoder``.
    """

    def __init__(
        self,
        *,
        branch_norm: bool = True,
        local_aggregation: dict[str, Any] | bool | None = True,
        scribble_loss: dict[str, Any] | bool | None = True,
        loss_decode: dict[str, Any] | list[dict[str, Any]] | None = None,
        detach_scribble: bool = True,
        self_training_begin: float | None = 0.25,
        self_training_confidence: float | tuple[float, float] = (0.5, 0.9),
        self_training_present: bool = True,
        self_training_normalizer: str = 'separate',
        self_training_weight: float = 1.0,
        self_training_sample: float | None = 0.1,
        **kwargs: Any,
    ) -> None:
        """Build the decoder, then the branches."""
        scribble_loss = False if scribble_loss is None else scribble_loss
        if local_aggregation is None:
            local_aggregation = False
        _check_options(local_aggregation, scribble_loss)
        kwargs.setdefault('init_cfg', _init_cfg(scribble_loss is not False))
        super().__init__(
            loss_decode=loss_decode or dict(type='BLPLoss'), **kwargs
        )
        self._check(scribble_loss)
        self.self_training = SelfTraining(
            begin=self_training_begin,
            confidence=self_training_confidence,
            present_only=self_training_present,
            normalizer=self_training_normalizer,
            weight=self_training_weight,
            sample=self_training_sample,
        )
        self.detach_scribble = detach_scribble
        norm_cfg = None
        if branch_norm:
            norm_cfg = self.norm_cfg or dict(type='BN')
        self.segmentation_branch = self._branch(norm_cfg)
        self.scribble_loss: WeightedLoss | None = None
        if scribble_loss is not False:
            cfg = scribble_loss
            if cfg is True:
                cfg = dict(type='AnnotationLoss')
            self.scribble_branch = self._branch(norm_cfg)
            self.conv_scribble = nn.Conv2d(
                self.channels, self.num_classes + 1, 1
            )
            self.scribble_loss = MODELS.build(cfg)
            self._check_names(self.scribble_loss.loss_name)
        self.local_aggregation: LocalAggregation | None = None
        if local_aggregation is not False:
            cfg = dict(
                type='LocalAggregation',
                channels=self.channels,
                high_level_channels=self.channels,
            )
            if local_aggregation is not True:
                cfg.update(local_aggregation)
            self.local_aggregation = MODELS.build(cfg)

    def _check(self, scribble_loss: dict[str, Any] | bool) -> None:
        if self.sampler is not None:
            raise ValueError(
                'BLPHead takes no pixel sampler, got '
                f'{type(self.sampler).__name__}'
            )
        if self.out_channels == 1:
            raise ValueError(
                'BLPHead compares class probabilities: set out_channels=2, '
                'got 1'
            )
        for loss in losses_of(self):
            if scribble_loss is False and isinstance(loss, BLPLoss):
                raise ValueError(
                    f'{type(loss).__name__} needs the scribble branch: set '
                    'scribble_loss=True, got False'
                )

    def _check_names(self, name: str) -> None:
        if name in [loss.loss_name for loss in losses_of(self)]:
            raise ValueError(
                f'loss_decode and scribble_loss are both called {name!r}: '
                'give one of them another loss_name'
            )

    def _branch(self, norm_cfg: dict[str, Any] | None) -> nn.Sequential:
        return nn.Sequential(
            *(
                ConvModule(
                    self.channels, self.channels, 1, norm_cfg=norm_cfg,
                    act_cfg=self.act_cfg,
                )
                for _ in range(2)
            )
        )  # fmt: skip

    def forward(
        self, inputs: tuple[Tensor, ...]
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits, in training with those of the scribble branch.

        Args:
            inputs: ``Features`` of the segmentor, or any maps of the backbone
                where there is no local aggregation.

        Returns:
            Logits ``(N, K, h, w)``; in training also ``(N, K + 1, h, w)``,
            unless there is no scribble branch.
        """
        feature = self._forward_feature(inputs)
        deep = self.segmentation_branch(feature)
        logits = self.cls_seg(deep)
        if self.local_aggregation is not None:
            logits = self._aggregate(
                self.local_aggregation, logits, deep, inputs
            )
        if not self.training or self.scribble_loss is None:
            return logits
        return logits, self._scribble_logits(feature)

    def _aggregate(
        self,
        aggregation: LocalAggregation,
        logits: Tensor,
        deep: Tensor,
        inputs: tuple[Tensor, ...],
    ) -> Tensor:
        if not isinstance(inputs, Features) or inputs.image is None:
            raise ValueError(
                'local_aggregation of BLPHead needs the image beside the '
                'feature maps: set type="SparseEncoderDecoder" as the '
                'segmentor, or local_aggregation=False'
            )
        receiving = None
        labels = inputs.labels
        if labels is not None and self._labels_alone_count(inputs, labels):
            receiving = _near_labels(labels, logits.shape[2:])
            if self.self_training.active():
                drawn = self.self_training.drawn(logits)
                assert drawn is not None
                receiving = receiving | drawn
        name = aggregation.feature_from
        if name is not None:
            inputs.module_inputs[name] = deep
        refined: Tensor = aggregation(
            logits,
            inputs,
            labels=labels,
            valid=inputs.valid,
            receiving=receiving,
        )
        return refined

    def _labels_alone_count(self, inputs: Features, labels: Tensor) -> bool:
        """Tell whether no more than the logits of some pixels will be used.

        They are those under labels, and those drawn for self-training.

        On a CPU it saves most of the aggregation to leave out the others. A
        GPU would make the host wait for their number.
        """
        return (
            self.training
            and labels.device.type == 'cpu'
            and not inputs.regularized
            and not self._learns_everywhere()
            and all(type(loss) in LABELS_ALONE for loss in losses_of(self))
        )

    def _learns_everywhere(self) -> bool:
        own = self.self_training
        return own.sample is None and own.active()

    def _scribble_logits(self, feature: Tensor) -> Tensor:
        if self.detach_scribble:
            feature = feature.detach()
        return self.conv_scribble(self.scribble_branch(feature))

    def annotation_logits(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the scribble branch's logits ``(N, K + 1, h, w)``.

        Their softmax is the annotation probability, :math:`p^{scrib}`.

        Raises:
            ValueError: If there is no scribble branch.
        """
        if self.scribble_loss is None:
            raise ValueError(
                'this BLPHead has no scribble branch (scribble_loss=False)'
            )
        return self._scribble_logits(self._forward_feature(inputs))

    @staticmethod
    def logits_of(outputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the segmentation logits of what training gives."""
        return outputs[0]

    def loss_by_feat(
        self,
        seg_logits: Tensor | tuple[Tensor, Tensor],
        batch_data_samples: list[SegDataSample],
    ) -> dict[str, Tensor]:
        """Return the losses of both branches.

        Args:
            seg_logits: What :meth:`forward` returned.
            batch_data_samples: N samples with ``gt_sem_seg``.

        Returns:
            The losses, ``acc_seg``, and with self-training on
            ``self_labeled_share``, the share of pixels with a label that the
            head gave, and a loss with ``_own`` behind its name for each of
            ``loss_decode``, unless strokes and own labels share one.
        """
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
        if labels.is_cpu:  # a GPU would make the host wait
            self._check_labels(labels, batch_data_samples)
        valid = inside_image(batch_data_samples, labels)
        logits, scribble, large = seg_logits, None, None
        if not isinstance(seg_logits, Tensor):
            logits, scribble = seg_logits
            large = self._as_large_as(scribble, labels)
        assert isinstance(logits, Tensor)
        losses: dict[str, Tensor] = {}
        target = labels
        if self.self_training.active():
            if self.self_training.sample is None:
                logits, scribble = self._as_large_as(logits, labels), large
            own, losses['self_labeled_share'] = self.self_training.labels(
                logits, labels, valid, self.ignore_index
            )
            if self.self_training.joint:
                target = torch.where(labels == self.ignore_index, own, labels)
            else:
                self._add_losses(losses, logits, scribble, own, '_own')
        if large is not None and self.scribble_loss is not None:
            losses[self.scribble_loss.loss_name] = self.scribble_loss(
                large, labels, valid=valid, ignore_index=self.ignore_index
            )
        if target is labels and self._only_labels_count(labels):
            logits, large, labels = self._at_labels(logits, large, labels)
            target = labels
        else:
            logits = self._as_large_as(logits, labels)
        self._add_losses(losses, logits, large, target)
        losses['acc_seg'] = accuracy(
            logits, labels, ignore_index=self.ignore_index
        )
        return losses

    def _add_losses(
        self,
        losses: dict[str, Tensor],
        logits: Tensor,
        scribble: Tensor | None,
        labels: Tensor,
        suffix: str = '',
    ) -> None:
        """Add the losses of the segmentation branch to those there are."""
        factor = self.self_training.weight if suffix else 1.0
        for loss in losses_of(self):
            extra = {}
            if isinstance(loss, BLPLoss):
                extra['scribble_logits'] = scribble
            value = factor * loss(
                logits, labels, ignore_index=self.ignore_index, **extra
            )
            name = loss.loss_name + suffix
            losses[name] = losses.get(name, 0) + value

    def _only_labels_count(self, labels: Tensor) -> bool:
        """Tell whether logits are wanted at labelled pixels alone.

        Then they are resized there alone, unless a GPU would make the host
        wait for the number of labels.
        """
        return labels.is_cpu and all(
            type(loss) in LABELS_COUNT for loss in losses_of(self)
        )

    def _at_labels(
        self, logits: Tensor, scribble: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return both maps and the labels at the labelled pixels.

        Args:
            logits: ``(N, K, h, w)``.
            scribble: ``(N, K + 1, H, W)`` or None.
            labels: ``(N, H, W)``.

        Returns:
            The same with 1×M for both sizes.
        """
        places, found = labelled_pixels(labels, self.ignore_index)
        at = resized_at(
            logits,
            places,
            labels.shape[1:],
            align_corners=self.align_corners,
        )
        if scribble is not None:
            index = places.unsqueeze(1).expand(-1, scribble.shape[1], -1)
            scribble = scribble.flatten(2).gather(2, index).unsqueeze(2)
        return at, scribble, found.unsqueeze(1)

    def _check_labels(
        self, labels: Tensor, samples: list[SegDataSample]
    ) -> None:
        wrong = (labels != self.ignore_index) & (
            (labels < 0) | (labels >= self.num_classes)
        )
        if wrong.any():
            image = int(wrong.flatten(1).any(1).nonzero()[0])
            value = int(labels[wrong][0])
            path = samples[image].metainfo.get('seg_map_path', 'a label map')
            raise ValueError(
                f'{path}: label {value} is none of the {self.num_classes} '
                f'classes nor {self.ignore_index}, no label'
            )

    def _as_large_as(self, maps: Tensor, labels: Tensor) -> Tensor:
        return resize(
            maps,
            size=labels.shape[1:],
            mode='bilinear',
            align_corners=self.align_corners,
        )


def _check_options(
    local_aggregation: dict[str, Any] | bool,
    scribble_loss: dict[str, Any] | bool,
) -> None:
    for name, value in (
        ('local_aggregation', local_aggregation),
        ('scribble_loss', scribble_loss),
    ):
        if not isinstance(value, bool | dict):
            raise ValueError(
                f'{name}: wanted True, False or a dict, got {value!r}'
            )
    if isinstance(local_aggregation, dict):
        found = local_aggregation.get('feature_from', HIGH_LEVEL)
        if found != HIGH_LEVEL:
            raise ValueError(
                f'local_aggregation.feature_from: BLPHead compares the input '
                f'of {HIGH_LEVEL!r}, got {found!r}; LocalAggregation as the '
                "segmentor's refiner takes others"
            )


def _near_labels(labels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Tell which pixels of a smaller map labelled ones are resized from.

    Bilinear resizing reads the pixel that a label lies in and its
    neighbours.
    """
    known = valid_on_grid(labels != NO_LABEL, size).to(torch.float32)
    return F.max_pool2d(known, 3, 1, 1) > 0.5


def _init_cfg(scribble: bool) -> dict[str, Any]:
    names = ['conv_seg', 'conv_scribble'] if scribble else ['conv_seg']
    return dict(
        type='Normal',
        std=0.01,
        override=[dict(name=name) for name in names],
    )
