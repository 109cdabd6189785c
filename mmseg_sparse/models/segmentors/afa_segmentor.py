"""AFA: from image tags to masks, end to end."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from mmseg_sparse.functional import (
    Attention,
    affinity_labels,
    affinity_loss,
    mean_attention,
)
from mmseg_sparse.functional.resize import shrink_labels
from mmseg_sparse.functional.token_centers import (
    ALIGNMENTS,
    Centers,
    sample_nearest,
)

from ..backbones import token_centers
from ..contracts import MapRefiner
from ..decode_heads import AFAHead
from ..features import Features
from ..padding import inside_image
from ..progress import training_iteration
from .label_propagation import LabelPropagation, LabelSteps, Transition
from .label_selection import LabelSelection
from .multi_scale_cam import first_images, multi_scale_cam
from .pseudo_labels import PseudoLabels, add_to_results
from .sparse_encoder_decoder import NO_LABEL, SparseEncoderDecoder

LOSS_CLS = 'decode.loss_cls'
AFFINITY_FROM = ('refined', 'final')
SHARE = 'pseudo_labeled_share'


@MODELS.register_module()
class AFASegmentor(SparseEncoderDecoder):
    r"""Learns to segment from image tags, by labels that it makes itself.

    Until iteration ``segmentation_begin`` only the classifier of ``AFAHead``
    learns. From then on, with :math:`M` the activation maps of the images'
    tags and two background scores,

    * :math:`M`, refined by ``label_refiner``, gives labels
      (:class:`~.label_selection.LabelSelection`), those give affinity
      labels, and the affinity of the head learns from them;
    * the segmentation learns from the same labels until
      ``propagation_begin``, then from :math:`M` propagated by a random walk
      and refined after that.

    Without a background (``background=None`` of the head) no background
    score competes with the classes: of each class of an image the share
    ``label_share`` becomes labels.

    The iteration is the training's own count: a resumed training goes on in
    its phase. Losses are ``decode.loss_cls``, ``decode.loss_seg``,
    ``decode.loss_aff`` and those of the regularizers, which get the
    segmentation's labels; ``gt_sem_seg`` is never looked at but for its
    size. Padding takes no part in anything. The log shows the share of pixels
    with a label, ``pseudo_labeled_share``, and that of the pixels where the
    class of index c is the best, ``pseudo_labeled_share_c``.

    **Activation maps** come from forward passes of their own, at
    ``cam_scales`` times the images' size, each with a mirror image, without
    gradient and in evaluation mode: dropout and stochastic depth are off and
    the statistics of batch norms are the running ones, which stay as they
    are. The release makes them in training mode, by the whole model: there
    stochastic depth acts on them, and the decoder's batch norm takes
    statistics of all scales. The affinity that propagates is that of the
    largest scale, of the images that are not mirrored.

    In inference the segmentation branch runs alone. With
    ``test_cfg=dict(pseudo_labels=True)`` the results also hold the pseudo
    labels of images whose samples have ``gt_label``, for
    ``PseudoLabelMetric``. With ``test_cfg=dict(tag_scores=True)`` they hold
    what the classifier says of each tag, for ``TagMetric``.

    Source: AFA, figure 3, sections 3 and 4.1; scales, mirror images, the
    softmax before the random walk and half the resolution in PAR are the
    release. Weights of eq. 12 are those of the head and regularizers.

    Args:
        label_refiner: Config of a module with ``refine(prob, image, valid=,
            present=)``; True: ``PixelAdaptiveRefinement``; False: none
            (tables 2 and 4).
        refine_scale: Factor on the images' size for the refiner.
        cam_scales: Scales of the activation maps.
        cam_flip: Whether mirror images take part.
        background_scores: :math:`\beta_h` and :math:`\beta_l` (table 11).
        measured_scores: The background scores at which
            :meth:`pseudo_labels` measures activation maps and propagated
            maps, as the release does for table 3.
        label_share: Where there is no background, the share of the pixels
            of each class, in each image, that become labels.
        cam_softmax: Whether activation maps are made probabilities before
            they are refined, as they are before the random walk.
        radius: Reach of affinity labels and of the random walk, in tokens
            (table 7).
        alpha: Exponent of eq. 6.
        propagation: ``'affinity'``; ``'attention'``: the mean attention in
            place of the affinity; None: no propagation (table 3).
        affinity_from: What affinity labels are made of: ``'refined'``, maps
            that are not propagated; ``'final'``, the segmentation's labels
            (the release on COCO).
        segmentation_begin: First iteration after the first warm-up.
        propagation_begin: First iteration with propagated labels.
        log_class_shares: Whether the log shows the shares of single classes.
        align: Where the tokens of the attention and of the activation maps
            are taken to be: ``'extent'``, spread over the image, as in the
            release; ``'centers'``, where their receptive fields are centred
            (:func:`~mmseg_sparse.models.backbones.token_centers`).
        decode_head: Config of an ``AFAHead``.
        **kwargs: The arguments of ``SparseEncoderDecoder``.

    Raises:
        TypeError: If the decode head is no ``AFAHead``.
        ValueError: If an argument is out of range, there is propagation by
            affinity and the head has none, or there is a refiner of logits
            in training or an auxiliary head.
    """

    decode_head: AFAHead

    def __init__(
        self,
        *,
        label_refiner: dict[str, Any] | bool = True,
        refine_scale: float = 0.5,
        cam_scales: Sequence[float] = (1.0, 0.5, 1.5),
        cam_flip: bool = True,
        background_scores: tuple[float, float] = (0.55, 0.35),
        measured_scores: tuple[float, float] = (0.45, 0.35),
        label_share: float = 0.8,
        cam_softmax: bool = True,
        radius: int = 8,
        alpha: float = 2.0,
        propagation: str | None = 'affinity',
        affinity_from: str = 'refined',
        segmentation_begin: int = 2000,
        propagation_begin: int = 6000,
        log_class_shares: bool = True,
        align: str = 'extent',
        **kwargs: Any,
    ) -> None:
        """Build the model, then the refiner of labels."""
        if kwargs.get('refiner') or kwargs.get('auxiliary_head'):
            raise ValueError(
                'AFASegmentor takes no refiner (that of the labels is '
                'label_refiner, that of predictions test_cfg.refiner) and no '
                'auxiliary_head, which would learn from gt_sem_seg'
            )
        super().__init__(**kwargs)
        if not isinstance(self.decode_head, AFAHead):
            raise TypeError(
                'decode_head of AFASegmentor must be an AFAHead, got '
                f'{type(self.decode_head).__name__}'
            )
        self.cam_scales = tuple(cam_scales)
        self.cam_flip = cam_flip
        self.background_scores = tuple(background_scores)
        self.selection = LabelSelection(
            self.decode_head.background,
            background_scores=self.background_scores,
            measured_scores=measured_scores,
            keep=label_share,
        )
        self.affinity_from = affinity_from
        self.log_class_shares = log_class_shares
        self.centers = self._token_centers(align)
        self.segmentation_begin = segmentation_begin
        self.propagation_begin = propagation_begin
        self.label_propagation = LabelPropagation(
            _build_refiner(label_refiner),
            refine_scale=refine_scale,
            softmax=cam_softmax,
            radius=radius,
            alpha=alpha,
            by=propagation,
        )
        self._check()

    def _token_centers(self, align: str) -> Centers | None:
        """Return the centres of the tokens, where they are to be used."""
        if align not in ALIGNMENTS:
            raise ValueError(f'align must be in {ALIGNMENTS}, got {align!r}')
        if align == 'extent':
            return None
        stage = self.decode_head.attention_stage
        last = self.decode_head.in_index[-1]
        if self.with_neck or last != stage:
            raise ValueError(
                "align='centers' needs activation maps of the stage whose "
                f'attention is used, {stage}, got map {last} '
                f'({"with" if self.with_neck else "without"} a neck): set '
                "align='extent'"
            )
        return token_centers(self.backbone, stage)

    def _check(self) -> None:
        if not self.cam_scales or min(self.cam_scales) <= 0:
            raise ValueError(
                f'cam_scales must be positive, got {self.cam_scales}'
            )
        if self.affinity_from not in AFFINITY_FROM:
            raise ValueError(
                f'affinity_from must be in {AFFINITY_FROM}, got '
                f'{self.affinity_from!r}'
            )
        begins = (0, self.segmentation_begin, self.propagation_begin)
        if sorted(begins) != list(begins):
            raise ValueError(
                'wanted 0 <= segmentation_begin <= propagation_begin, got '
                f'{begins[1]} and {begins[2]}'
            )
        by = self.label_propagation.by
        if by == 'affinity' and self.decode_head.affinity is None:
            raise ValueError(
                "propagation='affinity' needs the head's affinity: set "
                'attention_heads in the decode head, or propagation=None'
            )

    def _askers(self) -> list[nn.Module]:
        head = [self.decode_head] if self.training else []
        return [*super()._askers(), *head]

    def _decode_head_forward_train(
        self, inputs: Features, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of head, affinity and regularizers."""
        head = self.decode_head
        size = data_samples[0].gt_sem_seg.data[0]
        valid = inside_image(data_samples, size.expand(len(inputs[0]), -1, -1))
        inputs.valid = valid
        module_inputs = self._module_inputs()
        with module_inputs as inputs.module_inputs:
            logits, scores = head.forward(inputs)
        module_inputs.check(inputs.module_inputs)
        tags = head.stack_tags(data_samples)
        losses = head.classification_loss(scores, tags)
        begun = training_iteration() >= self.segmentation_begin
        first = labels = valid.long().fill_(NO_LABEL)
        shares: dict[str, Tensor] = {}
        if begun:
            first, labels, shares = self._training_labels(inputs, valid, tags)
        inputs.labels = labels
        parts = head.segmentation_losses(logits, labels)
        if not begun:
            parts.pop('acc_seg')  # of no pixel
        losses.update(parts)
        if head.affinity is not None:
            losses['loss_aff'] = self._affinity_loss(inputs, first, begun)
        share = (labels != NO_LABEL).sum() / valid.sum().clamp(min=1)
        losses = add_prefix(losses, 'decode')
        losses[SHARE] = share
        losses.update(shares)
        if begun:  # also the regularizers of eq. 12
            self._add_regularizers(losses, logits, inputs)
        else:  # their parameters must be in the graph
            for part in self.regularizers.parameters():
                losses[LOSS_CLS] = losses[LOSS_CLS] + part.sum() * 0
        return losses

    def _training_labels(
        self, feats: Features, valid: Tensor, tags: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Make the labels of a batch.

        Returns:
            Those of the affinity and those of the segmentation, each
            ``(N, H, W)``, and the shares of single classes to be logged.
        """
        assert feats.image is not None
        _, steps = self._label_steps(
            feats.image,
            valid,
            tags,
            self.selection.scores,
            propagate=training_iteration() >= self.propagation_begin,
        )
        labels = self.selection.labels(steps.final, steps.shown, valid)
        first = labels
        if self.affinity_from == 'refined':
            first = self.selection.labels(steps.refined, steps.shown, valid)
        shares: dict[str, Tensor] = {}
        if self.log_class_shares:
            found = self.selection.class_shares(
                labels, steps.final, steps.shown, valid
            )
            shares = {f'{SHARE}_{c}': share for c, share in found.items()}
        return first, labels, shares

    def _affinity_loss(
        self, feats: Features, labels: Tensor, begun: bool
    ) -> Tensor:
        """Return the weighted mean of the two terms of eq. 5."""
        head = self.decode_head
        assert head.affinity is not None
        if not begun:  # zero, connected
            parts = [p.sum() for p in head.affinity.parameters()]
            return torch.stack(parts).sum() * 0
        affinity = head.affinities(feats)
        grid = feats.attention[head.attention_stage][0].query_hw
        target = affinity_labels(
            self._at_tokens(labels, grid), radius=self.label_propagation.radius
        )
        positive, negative = affinity_loss(affinity, target, count_offset=1)
        return head.affinity_weight * (positive + negative) / 2

    def _at_tokens(self, labels: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the labels of the tokens of a grid, ``(N, *grid)``."""
        if self.centers is None:
            return shrink_labels(labels, grid)
        rows, columns = (
            self.centers.positions(count, labels.device) for count in grid
        )
        return sample_nearest(labels, rows, columns)

    @torch.no_grad()
    def _label_steps(
        self,
        images: Tensor,
        valid: Tensor,
        tags: Tensor,
        scores: Sequence[float | None],
        *,
        propagate: bool,
        walk_scores: Sequence[float | None] | None = None,
    ) -> tuple[Tensor, LabelSteps]:
        """Go from tags to maps that become labels.

        Returns:
            Activation maps ``(N, tags, H, W)``, and what is made of them.
        """
        stage = self.decode_head.attention_stage
        propagate = propagate and self.label_propagation.by is not None
        found = multi_scale_cam(
            self,
            images,
            valid,
            scales=self.cam_scales,
            flip=self.cam_flip,
            stage=stage if propagate else None,
            centers=self.centers,
        )
        transition = None
        if propagate:
            layers = first_images(found.layers, len(images))
            transition = Transition(
                self._transition(layers), layers[0].query_hw, found.centers
            )
        return found.cam, self.label_propagation(
            found.cam, tags, scores, images, valid, transition, walk_scores
        )

    def _transition(self, layers: Sequence[Attention]) -> Tensor:
        """Return what propagates, ``(N, M, M)``."""
        head = self.decode_head
        if self.label_propagation.by == 'affinity':
            assert head.affinity is not None
            return head.affinity(layers)
        try:
            return mean_attention(layers)
        except ValueError as error:
            raise ValueError(
                "propagation='attention' of stage "
                f'{head.attention_stage}: {error}'
            ) from error

    @torch.no_grad()
    def pseudo_labels(
        self, inputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> PseudoLabels:
        """Make the labels of images from their tags, step by step.

        What is propagated does not depend on the phase of the training.

        Args:
            inputs: Normalised images, ``(N, 3, H, W)``.
            data_samples: N samples with ``gt_label`` and, as padding goes to
                the right and the bottom, ``img_shape``.

        Raises:
            ValueError: If a sample has no tags, or others than the head.
        """
        tags = self.decode_head.stack_tags(data_samples).to(inputs.device)
        valid = inside_image(data_samples, inputs[:, 0])
        selection = self.selection
        # The first maps are measured; labels are made of the others.
        of_maps, of_walk = selection.measured
        cam, steps = self._label_steps(
            inputs,
            valid,
            tags,
            (of_maps, *selection.scores),
            propagate=True,
            walk_scores=(of_walk, *selection.scores),
        )
        best = partial(selection.best, shown=steps.shown, valid=valid)
        walked = steps.propagated
        return PseudoLabels(
            cam=best(steps.maps[0]),
            refined=best(steps.refined[0]),
            propagated=None if walked is None else best(walked[0]),
            final=best(steps.final[0]),
            labels=selection.labels(steps.final[1:], steps.shown, valid),
            scores=steps.final[0],
            activation=cam * (tags > 0)[:, :, None, None],
        )

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
    ) -> list[SegDataSample]:
        """Predict, and add what else ``test_cfg`` asks for.

        ``tag_scores`` is the probability of each tag, ``(tags,)``, of the
        whole image at one scale. Pseudo labels are label maps of the
        original size, in the fields ``pseudo_cam``, ``pseudo_refined``,
        ``pseudo_propagated`` (where there is propagation), ``pseudo_final``
        and ``pseudo_labels``, and beside them the scores of
        ``pseudo_final``, ``pseudo_confidence``.
        """
        wanted = self.test_cfg or {}
        labels, scores = map(wanted.get, ('pseudo_labels', 'tag_scores'))
        if not (labels or scores):
            return super().predict(inputs, data_samples)
        if data_samples is None:
            raise ValueError(
                'test_cfg.pseudo_labels and test_cfg.tag_scores need data '
                'samples'
            )
        if labels:
            found = self.pseudo_labels(inputs, data_samples)
            add_to_results(found, data_samples)
        if scores:
            feats = self.extract_feat(inputs)
            assert isinstance(feats, Features)
            feats.valid = inside_image(data_samples, inputs[:, 0])
            logits = self.decode_head.classify(feats).float()
            for sample, score in zip(data_samples, logits, strict=True):
                sample.set_field(score.sigmoid(), 'tag_scores')
        return super().predict(inputs, data_samples)


def _build_refiner(label_refiner: dict[str, Any] | bool) -> MapRefiner | None:
    if label_refiner is False:
        return None
    if label_refiner is True:
        label_refiner = dict(type='PixelAdaptiveRefinement')
    refiner: MapRefiner = MODELS.build(label_refiner)
    return refiner
