"""The probabilities that a model gives an image, at the image's size."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from mmcv.transforms import Compose
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from torch import Tensor, nn

from mmseg_sparse.labels.label_map import Labels


@dataclass(frozen=True)
class Probabilities:
    """Probabilities of one image.

    Attributes:
        segmentation: Segmentation probability, ``(K, H, W)``.
        predicted: The class that mmseg predicts, ``(H, W)``.
        annotation: Annotation probability, ``(K + 1, H, W)``, of which the
            last is that of no label; None without a scribble branch.
    """

    segmentation: NDArray[np.float32]
    predicted: Labels
    annotation: NDArray[np.float32] | None = None


@runtime_checkable
class HeadWithScribbleBranch(Protocol):
    """What annotation probabilities need of a head such as ``BLPHead``."""

    num_classes: int
    align_corners: bool
    scribble_loss: nn.Module | None

    def annotation_logits(self, inputs: Any) -> Tensor:
        """Return the logits of the scribble branch, ``(N, K + 1, h, w)``."""


class Predictor:
    """A segmentor that is called with the path of an image.

    Both branches run as ``test_cfg`` says, on the whole image or in a sliding
    window. Their logits are treated as in mmseg's prediction: they are
    resized to the network's input, cut to the part that is not padding and
    resized to the image, bilinearly and with the head's ``align_corners``.
    The probabilities are the softmax of the result. A refiner of ``test_cfg``
    changes the segmentation only.

    Args:
        model: A segmentor in evaluation mode.
        pipeline: Transforms of a test data set; those that load labels are
            left out.

    Raises:
        ValueError: If the model is not an ``EncoderDecoder``, or its decode
            head does not give one logit for each pixel and class.
    """

    def __init__(
        self, model: nn.Module, pipeline: Sequence[dict[str, Any]]
    ) -> None:
        """Check the model and build the pipeline."""
        if not isinstance(model, EncoderDecoder):
            raise ValueError(
                f'expected an EncoderDecoder, got a {type(model).__name__}'
            )
        head = model.decode_head
        head = head[-1] if isinstance(head, nn.ModuleList) else head
        if not isinstance(head, BaseDecodeHead):
            raise ValueError(
                'expected a decode head that gives a logit for each pixel '
                f'and class, got a {type(head).__name__}'
            )
        # Any: the forward passes of mmseg have no types.
        self.model: Any = model
        self.head: Any = head
        self.pipeline = Compose(
            [step for step in pipeline if not _loads_labels(step)]
        )

    @property
    def has_scribble_branch(self) -> bool:
        """Whether the head has an annotation probability."""
        head = self.head
        return (
            isinstance(head, HeadWithScribbleBranch)
            and head.scribble_loss is not None
        )

    @torch.no_grad()
    def __call__(self, image: str) -> Probabilities:
        """Return the probabilities of an image.

        Args:
            image: Its path.

        Raises:
            ValueError: If they are not finite.
        """
        sample = self.pipeline(dict(img_path=image))
        batch = self.model.data_preprocessor(
            dict(inputs=[sample['inputs']],
                 data_samples=[sample['data_samples']]),
            False,
        )  # fmt: skip
        inputs, samples = batch['inputs'], batch['data_samples']
        annotation = None
        if self.has_scribble_branch:
            annotation = _probability(self._annotation(inputs, samples))
        (result,) = self.model.predict(inputs, samples)
        segmentation = _probability(result)
        for name, prob in (('segmentation', segmentation),
                           ('annotation', annotation)):  # fmt: skip
            if prob is not None and not np.isfinite(prob).all():
                raise ValueError(f'the {name} probability is not finite')
        predicted = result.pred_sem_seg.data[0].cpu().numpy()
        return Probabilities(
            segmentation, predicted.astype(np.uint8), annotation
        )

    def _annotation(
        self, inputs: Tensor, samples: list[SegDataSample]
    ) -> SegDataSample:
        """Return the scribble branch's prediction for an image."""
        metas = [sample.metainfo for sample in samples]
        with _scribble_branch_only(self.model, self.head):
            logits = EncoderDecoder.inference(self.model, inputs, metas)
        (result,) = self.model.postprocess_result(logits, samples)
        return result


@contextmanager
def _scribble_branch_only(
    model: Any, head: HeadWithScribbleBranch
) -> Iterator[None]:
    """Let a model's inference give what the scribble branch gives."""

    def encode_decode(inputs: Tensor, metas: list[dict[str, Any]]) -> Tensor:
        logits = head.annotation_logits(model.extract_feat(inputs))
        return resize(
            logits, size=inputs.shape[2:], mode='bilinear',
            align_corners=head.align_corners,
        )  # fmt: skip

    classes = model.out_channels
    model.encode_decode = encode_decode  # in the instance, before the class's
    model.out_channels = head.num_classes + 1
    try:
        yield
    finally:
        del model.encode_decode
        model.out_channels = classes


def _probability(result: SegDataSample) -> NDArray[np.float32]:
    logits = result.seg_logits.data.float()
    if logits.shape[0] == 1:  # mmseg has taken the sigmoid
        prob = torch.cat([1 - logits, logits])
    else:
        prob = logits.softmax(0)
    return prob.cpu().numpy()


def _loads_labels(step: dict[str, Any]) -> bool:
    kind = step['type']
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, LoadAnnotations)
