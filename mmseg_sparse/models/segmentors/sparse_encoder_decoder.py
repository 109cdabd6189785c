"""A stock segmentor whose unlabelled pixels are supervised as well."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.model import ModuleList
from mmseg.models.decode_heads.cascade_decode_head import (
    BaseCascadeDecodeHead,
)
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn
from torch.profiler import record_function

from mmseg_sparse.functional.token_centers import Centers
from mmseg_sparse.labels.label_map import NO_LABEL

from ..backbones import AttentionRecorder
from ..contracts import (
    SelectsLogits,
    TagClassifier,
    attention_stages,
    feature_from,
)
from ..features import Features, ModuleInputs
from ..losses.base import WeightedLoss
from ..padding import inside_image, not_padded
from ..progress import WeightSchedule, training_iteration
from .multi_scale_cam import multi_scale_cam
from .pseudo_labels import maps_as_original


@MODELS.register_module()
class SparseEncoderDecoder(EncoderDecoder):
    """``EncoderDecoder`` or ``CascadeEncoderDecoder``, regularized, refined.

    The decode head and the auxiliary heads learn from the labelled pixels by
    their stock losses; each regularizer then supervises the others::

        regularizer(logits, feats, labels, valid) -> dict[str, Tensor]

    with ``logits`` ``(N, C, h, w)`` of the (last) decode head,
    :class:`Features`, ``labels`` ``(N, H, W)`` with 255 where no label is,
    whatever the head's ``ignore_index``, and ``valid`` ``(N, H, W)``, true
    inside the images and false in padding. What it returns is logged, and
    summed where the name holds ``loss``, as ``decode.<name>``. A regularizer
    may have two attributes: ``attention_stages``, the backbone stages to
    record, and ``feature_from``, the path of a module whose input it wants.
    The config of any regularizer may also say when its losses count, by the
    training's own count of iterations
    (:class:`~mmseg_sparse.models.progress.WeightSchedule`)::

        dict(type='...', begin=500, ramp=200)
        dict(type='...', loss_weight_schedule=[(0, 1.0), (2000, 0.1)])

    A refiner turns the logits of the (last) decode head into better ones::

        refiner(logits, feats, labels=None, valid=None) -> logits

    before their loss in training and before they are resized in every mode
    of inference; ``labels`` are there in training only, ``valid`` is None
    where nothing is padded. It may have the same two attributes. A refiner
    without parameters can also be named in ``test_cfg``::

        test_cfg=dict(mode='whole', refiner=dict(type='...'))

    Then it refines predictions of the input's size, those of a sliding
    window after they are put together, and training goes without it.

    The keys of a checkpoint are those of the stock segmentor, and after them
    ``regularizers.*`` and ``refiner.*`` where these learn. The log shows
    ``labeled_share``, the labelled share of the batch's pixels.

    Args:
        regularizers: Configs of the regularizers.
        refiner: Config of the refiner.
        decode_head: Config of a head, or a list of them for a cascade.
        num_stages: Number of heads of a cascade; may be left out.
        **kwargs: The arguments of ``EncoderDecoder``.

    Raises:
        ValueError: If regularizers or a refiner meet a head whose loss and
            prediction do not come from one logit map, or ask for something
            that the model does not have; if the refiner of ``test_cfg``
            has parameters.
    """

    #: Scales of class activation maps, and whether mirror images take part.
    cam_scales: tuple[float, ...] = (1.0, 0.5, 1.5)
    cam_flip: bool = True
    #: Where the tokens of these maps are centred; None: spread over images.
    centers: Centers | None = None

    def __init__(
        self,
        *,
        decode_head: dict[str, Any] | list[dict[str, Any]],
        regularizers: Sequence[dict[str, Any]] | None = None,
        refiner: dict[str, Any] | None = None,
        num_stages: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Build the stock model, then the regularizers."""
        count = len(decode_head) if isinstance(decode_head, list) else 1
        if num_stages is not None and num_stages != count:
            raise ValueError(
                f'num_stages={num_stages}, but decode_head has {count} heads'
            )
        self.num_stages = count
        super().__init__(decode_head=decode_head, **kwargs)
        if isinstance(regularizers, dict):
            raise TypeError(
                'regularizers must be a list of configs, got the dict '
                f'{dict(regularizers)}'
            )
        configs = [copy.copy(cfg) for cfg in regularizers or ()]
        self.schedules = [_schedule(cfg) for cfg in configs]
        # MMEngine's list, so that init_weights reaches its modules.
        self.regularizers = ModuleList([MODELS.build(cfg) for cfg in configs])
        self.refiner: nn.Module | None = None
        if refiner is not None:
            self.refiner = MODELS.build(refiner)
        self.test_refiner = self._build_test_refiner()
        self._check_heads()
        # Both raise where a regularizer asks for what is not there.
        self._attention_recorder()
        self._module_inputs()

    @property
    def is_cascade(self) -> bool:
        """Whether the decode head is a list of heads."""
        return isinstance(self.decode_head, nn.ModuleList)

    @property
    def _regularized(self) -> bool:
        """Whether something beside the heads' losses looks at all logits."""
        return bool(self.regularizers)

    def _init_decode_head(self, decode_head: Any) -> None:
        if isinstance(decode_head, list):
            CascadeEncoderDecoder._init_decode_head(self, decode_head)
        else:
            super()._init_decode_head(decode_head)

    def _build_test_refiner(self) -> nn.Module | None:
        cfg = (self.test_cfg or {}).get('refiner')
        if cfg is None:
            return None
        refiner = MODELS.build(copy.deepcopy(cfg))
        if any(True for _ in refiner.parameters()):
            raise ValueError(
                f'{type(refiner).__name__} of test_cfg.refiner has '
                'parameters that nothing trains: set it as the '
                "segmentor's refiner"
            )
        for attribute, value in (
            ('feature_from', feature_from(refiner)),
            ('attention_stages', attention_stages(refiner)),
        ):
            if value:
                raise ValueError(
                    f'{type(refiner).__name__} of test_cfg.refiner asks for '
                    f"{attribute}={value!r}, which only the segmentor's "
                    'refiner is given'
                )
        return refiner

    def _asking(self) -> list[str]:
        """Return the names of what needs the logits of the (last) head."""
        found = ['regularizers'] if self.regularizers else []
        return found if self.refiner is None else [*found, 'refiner']

    def _check_heads(self) -> None:
        asking = self._asking()
        for head in self._heads() if asking else ():
            _check_head(head, ' and '.join(asking))

    def _heads(self) -> list[BaseDecodeHead]:
        return [*self.decode_head] if self.is_cascade else [self.decode_head]

    def _askers(self) -> list[nn.Module]:
        """Return what may ask for attention and inputs of modules."""
        refiner = [] if self.refiner is None else [self.refiner]
        return [*self.regularizers, *refiner]

    def _attention_recorder(self) -> AttentionRecorder | None:
        stages = {
            stage
            for module in self._askers()
            for stage in attention_stages(module)
        }
        if not stages:
            return None
        return AttentionRecorder(self.backbone, sorted(stages))

    def _module_inputs(
        self, modules: Iterable[nn.Module] | None = None
    ) -> ModuleInputs:
        modules = self._askers() if modules is None else modules
        names = {feature_from(module) for module in modules}
        return ModuleInputs(self, {name for name in names if name})

    def extract_feat(self, inputs: Tensor) -> Features | Tensor:
        """Run backbone and neck, recording what the regularizers need.

        What is not a sequence of maps is returned as it is.
        """
        recorder = self._attention_recorder()
        attention: Sequence[Any] = ()
        if recorder is None:
            maps = super().extract_feat(inputs)
        else:
            with recorder as attention:
                maps = super().extract_feat(inputs)
        if not isinstance(maps, list | tuple):
            return maps  # DDRNet and PIDNet, which do so in evaluation
        return Features(maps, inputs, attention)

    def inference(
        self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Return logits of the inputs' size, refined as ``test_cfg`` says."""
        valid = not_padded(inputs, batch_img_metas)
        logits = super().inference(inputs, batch_img_metas)
        if self.test_refiner is None:
            return logits
        feats = Features((), inputs)
        feats.valid = valid
        return self.test_refiner(logits, feats, valid=valid)

    def encode_decode(
        self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Return logits of the inputs' size, as the stock segmentors do."""
        feats = self.extract_feat(inputs)
        if isinstance(feats, Features):
            feats.valid = not_padded(inputs, batch_img_metas)
        if self.refiner is not None:
            logits = self._refined(self.refiner, feats)
            return self._heads()[-1].predict_by_feat(logits, batch_img_metas)
        *heads, last = self._heads()
        previous: tuple[Tensor, ...] = ()
        for head in heads:
            previous = (head.forward(feats, *previous),)
        return last.predict(feats, *previous, batch_img_metas, self.test_cfg)

    @torch.no_grad()
    def class_activations(
        self, inputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> list[Tensor]:
        """Activate the tags of images, at several scales.

        Scales and mirror images are ``cam_scales`` and ``cam_flip``. Padding
        takes no part.

        Args:
            inputs: Normalised images, ``(N, 3, H, W)``.
            data_samples: N samples with ``gt_label``, ``img_shape``, and
                ``ori_shape``, the size to return.

        Returns:
            For each image its maps, ``(tags, H, W)`` in [0, 1], 0 for classes
            that the image does not show, resized bilinearly to the image as
            it was before the pipeline.

        Raises:
            TypeError: If the head has no class activation maps.
            ValueError: If a sample has no tags, or others than the head.
        """
        head = self.decode_head
        if not isinstance(head, TagClassifier):
            raise TypeError(
                f'{type(head).__name__} has no class activation maps: set an '
                'AFAHead as the decode head'
            )
        tags = head.stack_tags(data_samples).to(inputs.device)
        cam = multi_scale_cam(
            self,
            inputs,
            inside_image(data_samples, inputs[:, 0]),
            scales=self.cam_scales,
            flip=self.cam_flip,
            stage=None,
            centers=self.centers,
        ).cam
        cam = cam * (tags > 0)[:, :, None, None]
        return [
            maps_as_original(maps, sample.metainfo)
            for maps, sample in zip(cam, data_samples, strict=True)
        ]

    def _forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
    ) -> Tensor:
        if self.refiner is not None:
            return self._refined(self.refiner, self.extract_feat(inputs))
        stock = CascadeEncoderDecoder if self.is_cascade else EncoderDecoder
        return stock._forward(self, inputs, data_samples)

    def _refined(self, refiner: nn.Module, feats: Features | Tensor) -> Tensor:
        """Return the refined logits of the (last) head, outside training."""
        assert isinstance(feats, Features)
        module_inputs = self._module_inputs([refiner])
        previous: tuple[Tensor, ...] = ()
        with module_inputs as feats.module_inputs:
            for head in self._heads():
                previous = (head.forward(feats, *previous),)
        module_inputs.check(feats.module_inputs)
        refined: Tensor = refiner(previous[0], feats, valid=feats.valid)
        return refined

    def _decode_head_forward_train(
        self, inputs: Features, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of decode head and regularizers."""
        labels = torch.cat([s.gt_sem_seg.data for s in data_samples])
        valid = inside_image(data_samples, labels)
        labels = labels.masked_fill(
            labels == self._heads()[-1].ignore_index, NO_LABEL
        )
        labeled = valid & (labels != NO_LABEL)
        losses = {'labeled_share': labeled.sum() / valid.sum().clamp(min=1)}
        if isinstance(inputs, Features):
            inputs.labels, inputs.valid = labels, valid
            # The next head of a cascade looks at all of them, too.
            inputs.regularized = self._regularized or self.is_cascade
        if not self._asking():
            stock = (
                CascadeEncoderDecoder if self.is_cascade else EncoderDecoder
            )
            losses.update(
                stock._decode_head_forward_train(self, inputs, data_samples)
            )
            return losses
        outputs = self._train_heads(inputs, data_samples, losses)
        self._add_regularizers(losses, self._one_map(outputs), inputs)
        return losses

    def _add_regularizers(
        self, losses: dict[str, Tensor], logits: Tensor, feats: Features
    ) -> None:
        """Add what the regularizers return, prefixed, to the losses."""
        iteration = training_iteration()
        pairs = zip(self.regularizers, self.schedules, strict=True)
        for regularizer, schedule in pairs:
            factor = schedule.factor(iteration)
            with record_function(f'mmseg_sparse/{type(regularizer).__name__}'):
                extra = _weighted(regularizer, factor, logits, feats)
            for name, value in add_prefix(extra, 'decode').items():
                if name in losses:
                    raise ValueError(
                        f'two losses are called {name!r}: give one of the '
                        'regularizers another loss_name'
                    )
                losses[name] = value

    def _train_heads(
        self,
        feats: Features,
        data_samples: list[SegDataSample],
        losses: dict[str, Tensor],
    ) -> Any:
        """Run the heads, add their losses, return what the last one gives.

        Where there is a refiner, that is refined.
        """
        *heads, last = self._heads()
        previous: tuple[Tensor, ...] = ()
        module_inputs = self._module_inputs()
        with module_inputs as feats.module_inputs:
            for index, head in enumerate(heads):
                previous = (head.forward(feats, *previous),)
                part = head.loss_by_feat(previous[0], data_samples)
                losses.update(add_prefix(part, f'decode_{index}'))
            outputs = last.forward(feats, *previous)
        module_inputs.check(feats.module_inputs)
        if self.refiner is not None:
            outputs = self.refiner(
                self._one_map(outputs), feats, feats.labels, feats.valid
            )
        prefix = f'decode_{len(heads)}' if self.is_cascade else 'decode'
        part = last.loss_by_feat(outputs, data_samples)
        losses.update(add_prefix(part, prefix))
        return outputs

    def _one_map(self, outputs: Any) -> Tensor:
        """Return the logits of what the last head gives in training."""
        if isinstance(outputs, Tensor):
            return outputs
        head = self._heads()[-1]
        # Heads of ours with more outputs say which of them the logits are.
        if self.refiner is None and isinstance(head, SelectsLogits):
            return head.logits_of(outputs)
        raise ValueError(
            f'regularizers and refiner need one logit map, but '
            f'{type(head).__name__} gives {type(outputs).__name__} of '
            f'{len(outputs)} in training: use another decode head, or none '
            'of them'
        )


def _schedule(cfg: dict[str, Any]) -> WeightSchedule:
    """Take the schedule out of a regularizer's config."""
    kind = cfg.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    # An unknown type is named when it is built.
    return WeightSchedule.take(cfg, kind) if kind else WeightSchedule()


def _weighted(
    regularizer: nn.Module, factor: float, logits: Tensor, feats: Features
) -> dict[str, Tensor]:
    """Return a regularizer's losses times a factor, and what else it logs.

    Where the factor is 0 it does not run; a zero keeps its parameters in the
    graph, as distributed training needs them.
    """
    if factor == 0:
        zero = logits.new_zeros(())
        for part in regularizer.parameters():
            zero = zero + part.sum() * 0
        if isinstance(regularizer, WeightedLoss):
            return {regularizer.loss_name: zero}
        return {f'loss_{type(regularizer).__name__.lower()}': zero}
    found = regularizer(logits, feats, feats.labels, feats.valid)
    if factor == 1:
        return found
    return {
        name: value * factor if 'loss' in name else value
        for name, value in found.items()
    }


def _check_head(head: nn.Module, asking: str) -> None:
    """Raise where the head's loss or prediction is not of one logit map."""
    loss = (BaseDecodeHead.loss, BaseCascadeDecodeHead.loss)
    predict = (BaseDecodeHead.predict, BaseCascadeDecodeHead.predict)
    if not isinstance(head, BaseDecodeHead) or type(head).loss not in loss:
        raise ValueError(
            f'{asking} need one logit map, but the loss of '
            f'{type(head).__name__} does not come from one: use '
            f'another decode head, or no {asking}'
        )
    if 'refiner' in asking and type(head).predict not in predict:
        raise ValueError(
            f'{asking} need one logit map, but the prediction of '
            f'{type(head).__name__} does not come from one: use '
            f'another decode head, or no {asking}'
        )
    if 'refiner' in asking and isinstance(head, SelectsLogits):
        raise ValueError(
            f'a refiner needs one logit map, but {type(head).__name__} gives '
            'more in training and refines its own: set refiner=None'
        )
    if head.out_channels == 1:
        raise ValueError(
            f'{asking} compare class probabilities, but '
            f'{type(head).__name__} has out_channels=1: set '
            'out_channels=2'
        )
