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

from mmseg_sparse.functional import self_training_labels, valid_on_grid
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features
from ..losses import BLPLoss, PartialFocalLoss
from ..losses.base import WeightedLoss, losses_of
from ..padding import inside_image
from ..progress import training_iteration
from ..refiners import LocalAggregation

#: Module whose input local aggregation may compare.
HIGH_LEVEL = 'decode_head.conv_seg'
#: Losses that are known to look at labelled pixels alone.
LABELS_ALONE = (CrossEntropyLoss, BLPLoss, PartialFocalLoss)


@MODELS.register_module()
class BLPHead(UPerHead):
    r"""UPerNet decoder with BLPSeg's segmentation and scribble branches.

    Each branch is two 1×1 convolutions and a classifier, of K and K + 1
    classes. The scribble branch learns where strokes are (class K: nowhere),
    from a feature through which no gradient goes back, and exists in training
    only. The logits of the segmentation branch are averaged over similar
    pixels nearby by :class:`~mmseg_sparse.models.refiners.LocalAggregation`.

    From iteration ``self_training_begin`` on, the segmentation branch learns
    from :func:`~mmseg_sparse.functional.self_training_labels` of its own
    prediction; the scribble branch goes on with the given labels. The
    iteration is that of MMEngine's runner, so that a resumed training goes on
    in its phase; other training loops never reach it.

    Source: BLPSeg, figure 4, eq. 1-12. That no gradient leaves the scribble
    branch is its authors' release; there the branches have no normalisation
    (``branch_norm=False``).

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
        self_training_begin: First iteration with the head's own labels; None
            for never.
        self_training_confidence: Least probability of such a label.
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
        self_training_begin: int | None = 10_000,
        self_training_confidence: float = 0.9,
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
        _check_self_training(self_training_begin, self_training_confidence)
        self.self_training_begin = self_training_begin
        self.self_training_confidence = self_training_confidence
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

    def _self_training(self) -> bool:
        begin = self.self_training_begin
        return begin is not None and training_iteration() >= begin

    def _labels_alone_count(self, inputs: Features, labels: Tensor) -> bool:
        """Tell whether no more than the logits under labels will be used.

        On a CPU it saves most of the aggregation to leave out the others. A
        GPU would make the host wait for their number.
        """
        return (
            self.training
            and labels.device.type == 'cpu'
            and not inputs.regularized
            and not self._self_training()
            and all(type(loss) in LABELS_ALONE for loss in losses_of(self))
        )

    def _scribble_logits(self, feature: Tensor) -> Tensor:
        return self.conv_scribble(self.scribble_branch(feature.detach()))

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
            head gave.
        """
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
        if labels.is_cpu:  # a GPU would make the host wait
            self._check_labels(labels, batch_data_samples)
        valid = inside_image(batch_data_samples, labels)
        scribble = None
        if not isinstance(seg_logits, Tensor):
            seg_logits, scribble = seg_logits
            scribble = self._as_large_as(scribble, labels)
        logits = self._as_large_as(seg_logits, labels)
        losses: dict[str, Tensor] = {}
        target = labels
        if self._self_training():
            target = self_training_labels(
                logits.detach(),
                labels,
                confidence=self.self_training_confidence,
                valid=valid,
                ignore_index=self.ignore_index,
            )
            own = (target != labels).sum() / valid.sum().clamp(min=1)
            losses['self_labeled_share'] = own
        for loss in losses_of(self):
            extra = {}
            if isinstance(loss, BLPLoss):
                extra['scribble_logits'] = scribble
            value = loss(
                logits, target, ignore_index=self.ignore_index, **extra
            )
            losses[loss.loss_name] = losses.get(loss.loss_name, 0) + value
        if scribble is not None and self.scribble_loss is not None:
            losses[self.scribble_loss.loss_name] = self.scribble_loss(
                scribble, labels, valid=valid, ignore_index=self.ignore_index
            )
        losses['acc_seg'] = accuracy(
            logits, labels, ignore_index=self.ignore_index
        )
        return losses

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


def _check_self_training(begin: int | None, confidence: float) -> None:
    if begin is not None and (not isinstance(begin, int) or begin < 0):
        raise ValueError(
            'self_training_begin must be an iteration of at least 0 or None, '
            f'got {begin!r}'
        )
    if not 0 <= confidence <= 1:
        raise ValueError(
            f'self_training_confidence must lie in [0, 1], got {confidence}'
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
