"""AFA's head: it segments, classifies images and learns affinities."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import SegformerHead
from mmseg.models.losses import accuracy
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_sparse.functional import (
    class_activation,
    top_k_pool,
    valid_on_grid,
)
from mmseg_sparse.functional.cam import check_pooling

from ..features import Features
from ..losses.base import losses_of
from .affinity_from_attention import AffinityFromAttention


@MODELS.register_module()
class AFAHead(SegformerHead):
    r"""SegFormer's decoder with a classifier of images, and affinities.

    * The segmentation branch is the stock head, and alone in inference.
    * A classifier without bias sees the pooled last feature map, padding
      left out. Its weight gives class activation maps (:meth:`activation`),
      and its loss is the multi-label soft margin loss with ``gt_label`` of
      the samples, eq. 11.
    * :class:`AffinityFromAttention` (:meth:`affinities`) sees the recorded
      attention of a stage, eq. 3.

    ``AFASegmentor`` makes labels of these for the other two; in another
    segmentor the segmentation learns from ``gt_sem_seg``, the affinity from
    nothing.

    Source: AFA, sections 3.2, 3.3 and 3.5. Pooling before the classifier,
    scores without :math:`1/\sqrt d`, and :math:`L_{aff}` halved are the
    release; the weights are :math:`\lambda_1 = \lambda_2 = 0.1` of eq. 12.

    Args:
        attention_heads: Number of heads of all layers of the stage (MiT-B1:
            2 layers of 8). None: no affinity (table 2 without AFA).
        attention_stage: The stage of the backbone, whose attention must be
            square. MiT's first three reduce their keys.
        scaled_attention: Whether scores are divided by :math:`\sqrt d`, as
            in eq. 1.
        pooling: ``'gmp'``, ``'gap'`` or a share in (0, 1] (table 1).
        background: Index of the class that is no tag; None: all are tags.
        classification_weight: Factor on ``loss_cls``.
        affinity_weight: Factor on ``loss_aff``, the mean of the two terms
            of eq. 5.
        loss_decode: Config or configs of losses of the segmentation; None:
            ``BalancedCrossEntropyLoss`` with a weight of 0.1.
        **kwargs: The arguments of ``SegformerHead``.

    Raises:
        ValueError: If an argument is out of range, or there is a pixel
            sampler or a single output channel.
    """

    def __init__(
        self,
        *,
        attention_heads: int | None = 16,
        attention_stage: int = 3,
        scaled_attention: bool = False,
        pooling: str | float = 'gmp',
        background: int | None = 0,
        classification_weight: float = 1.0,
        affinity_weight: float = 0.1,
        loss_decode: dict[str, Any] | list[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Build the stock head, then classifier and affinity."""
        if loss_decode is None:
            loss_decode = dict(
                type='BalancedCrossEntropyLoss',
                background=background,
                loss_weight=0.1,
            )
        super().__init__(loss_decode=loss_decode, **kwargs)
        check_pooling(pooling)
        if self.sampler is not None or self.out_channels == 1:
            raise ValueError(
                'AFAHead takes no pixel sampler and wants a channel for '
                f'each class, got sampler={self.sampler} and '
                f'out_channels={self.out_channels}'
            )
        if background is not None and not 0 <= background < self.num_classes:
            raise ValueError(
                f'background must be None or one of {self.num_classes} '
                f'classes, got {background}'
            )
        self.pooling = pooling
        self.background = background
        self.classification_weight = classification_weight
        self.affinity_weight = affinity_weight
        self.attention_stage = attention_stage
        self.tags = self.num_classes - (background is not None)
        self.classifier = nn.Conv2d(
            self.in_channels[-1], self.tags, 1, bias=False
        )
        self.affinity: AffinityFromAttention | None = None
        if attention_heads is not None:
            self.affinity = AffinityFromAttention(
                attention_heads, stage=attention_stage,
                scaled=scaled_attention,
            )  # fmt: skip

    @property
    def attention_stages(self) -> tuple[int, ...]:
        """The stages whose attention the head asks for in training."""
        return () if self.affinity is None else (self.attention_stage,)

    def forward(
        self, inputs: Sequence[Tensor]
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits, in training with those of the tags.

        Args:
            inputs: Feature maps, or ``Features`` of the segmentor.

        Returns:
            ``(N, C, h, w)``; in training also ``(N, tags)``.
        """
        logits = super().forward(inputs)
        if not self.training:
            return logits
        return logits, self.classify(inputs)

    @staticmethod
    def logits_of(outputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the segmentation logits of what training gives."""
        return outputs[0]

    def classify(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the logits of the tags, ``(N, tags)``."""
        feature = inputs[self.in_index[-1]]
        valid = inputs.valid if isinstance(inputs, Features) else None
        if valid is not None:
            valid = valid_on_grid(valid, feature.shape[2:])
        pooled = top_k_pool(feature, pooling=self.pooling, valid=valid)
        return self.classifier(pooled[:, :, None, None]).flatten(1)

    def activation(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the maps of eq. 2 before their ReLU, ``(N, tags, h, w)``."""
        return class_activation(
            inputs[self.in_index[-1]], self.classifier.weight, rectify=False
        )

    def affinities(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the affinities of the stage's tokens, ``(N, M, M)``.

        Args:
            inputs: ``Features`` with the attention recorded.

        Raises:
            ValueError: If the head has no affinity, or the attention of the
                stage was not recorded or does not fit.
        """
        if self.affinity is None:
            raise ValueError(
                'this AFAHead has no affinity (attention_heads=None)'
            )
        stages = inputs.attention if isinstance(inputs, Features) else ()
        if len(stages) <= self.attention_stage:
            raise ValueError(
                f'the attention of stage {self.attention_stage} was not '
                'recorded: set type="AFASegmentor" as the segmentor'
            )
        return self.affinity(stages[self.attention_stage])

    def loss_by_feat(
        self,
        seg_logits: tuple[Tensor, Tensor],
        batch_data_samples: list[SegDataSample],
    ) -> dict[str, Tensor]:
        """Return the losses of segmentation, by ``gt_sem_seg``, and tags.

        Args:
            seg_logits: What :meth:`forward` returned in training.
            batch_data_samples: N samples with ``gt_sem_seg``, ``gt_label``.
        """
        logits, scores = seg_logits
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
        return {
            **self.segmentation_losses(logits, labels),
            **self.classification_loss(scores, self.stack_tags(
                batch_data_samples)),
        }  # fmt: skip

    def segmentation_losses(
        self, logits: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the losses of ``loss_decode``, and the accuracy.

        Args:
            logits: ``(N, C, h, w)``.
            labels: ``(N, H, W)``, ``ignore_index`` where no label is.
        """
        logits = resize(
            logits,
            size=labels.shape[1:],
            mode='bilinear',
            align_corners=self.align_corners,
        )
        losses: dict[str, Tensor] = {}
        for module in losses_of(self):
            value = module(logits, labels, ignore_index=self.ignore_index)
            losses[module.loss_name] = losses.get(module.loss_name, 0) + value
        losses['acc_seg'] = accuracy(
            logits, labels, ignore_index=self.ignore_index
        )
        return losses

    def classification_loss(
        self, scores: Tensor, tags: Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted loss of eq. 11.

        Args:
            scores: Logits ``(N, tags)``.
            tags: ``(N, tags)``, 1 for classes of the image, else 0.
        """
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        loss = F.multilabel_soft_margin_loss(scores, tags.to(scores.dtype))
        return {'loss_cls': self.classification_weight * loss}

    def stack_tags(self, samples: Sequence[SegDataSample]) -> Tensor:
        """Return ``gt_label`` of the samples, ``(N, tags)``.

        Raises:
            ValueError: If a sample has none, or one of another length.
        """
        for sample in samples:
            label = sample.get('gt_label')
            if label is None:
                raise ValueError(
                    'a sample has no gt_label, the tags of its image: let '
                    'the pipeline end with PackSparseInputs (with '
                    'num_classes and background where tags come from masks)'
                )
            if label.shape != (self.tags,):
                raise ValueError(
                    f'gt_label must hold {self.tags} tags (num_classes='
                    f'{self.num_classes}, background={self.background}), '
                    f'got shape {tuple(label.shape)}'
                )
        return torch.stack([sample.gt_label for sample in samples])
