"""Maps of classes that a model makes of an image, filtered by its tags."""

from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_sparse.functional import filter_class_logits, filter_classes
from mmseg_sparse.models.contracts import TagClassifier
from mmseg_sparse.models.refiners import ClassLabelFilter
from mmseg_sparse.models.segmentors import SparseEncoderDecoder

from .whole_images import WholeImage


def class_logits(
    result: SegDataSample, image: WholeImage, classes: int
) -> Tensor:
    """Return logits of a prediction, float32 ``(C, H, W)``.

    They are of the image's size; of a model with one output channel those of
    both classes.

    Raises:
        ValueError: If they are of another number of classes.
    """
    logits = result.seg_logits.data.float()
    if len(logits) == 1:  # mmseg has taken the sigmoid
        prob = logits.double()
        tiny = torch.finfo(prob.dtype).tiny
        prob = torch.cat([1 - prob, prob]).clamp(min=tiny)
        logits = prob.log().float()
    if len(logits) != classes:
        raise ValueError(
            f'{image.path}: the model predicts {len(logits)} classes, the '
            f'data set has {classes}'
        )
    return logits


class TagFilter:
    """Class label filtering (TRL, CLF) of single images.

    It takes the place of a ``ClassLabelFilter`` in the model's ``test_cfg``.

    Args:
        classes: Number of classes.
        model: Whose decode head may say by ``background`` which class has no
            tag.
        wanted: True: every image must have tags; False: nothing is filtered;
            None: images that have tags are.

    Attributes:
        unfiltered: How many images there were without tags.
    """

    def __init__(
        self, classes: int, model: nn.Module, wanted: bool | None
    ) -> None:
        """Begin with no image."""
        self.classes = classes
        self.of_head: int | None = None
        self.wanted = wanted
        self.unfiltered = 0
        if isinstance(model, SparseEncoderDecoder):
            if isinstance(model.decode_head, TagClassifier):
                self.of_head = model.decode_head.background
            if isinstance(model.test_refiner, ClassLabelFilter):
                model.test_refiner = None

    def tags(
        self, sample: SegDataSample, image: WholeImage
    ) -> tuple[Tensor, int | None] | None:
        """Return tags ``(1, K)`` and the background's index, if to filter.

        Raises:
            ValueError: If there must be tags and are none, or of another
                number.
        """
        if self.wanted is False:
            return None
        tags = sample.get('gt_label')
        if tags is None:
            if self.wanted:
                raise ValueError(no_tags(image))
            self.unfiltered += 1
            return None
        background = background_of(
            image, len(tags), self.classes, self.of_head
        )
        return tags[None], background

    def prob(
        self, logits: Tensor, tags: tuple[Tensor, int | None] | None
    ) -> Tensor:
        """Return probabilities ``(C, H, W)``, 0 for absent classes."""
        prob = logits.softmax(0)
        if tags is None:
            return prob
        hot, background = tags
        return filter_classes(
            prob[None], hot.to(prob.device), background=background
        )[0]

    def logits(
        self, logits: Tensor, tags: tuple[Tensor, int | None] | None
    ) -> Tensor:
        """Return logits ``(C, H, W)``, those of absent classes lowest."""
        if tags is None:
            return logits
        hot, background = tags
        return filter_class_logits(
            logits[None], hot.to(logits.device), background=background
        )[0]


def background_of(
    image: WholeImage, tags: int, classes: int, of_head: int | None = None
) -> int | None:
    """Return the class that an image's tags leave out, None if there is none.

    It is what the data set says, or the step that packs samples, or the
    model's head, or the first class.

    Raises:
        ValueError: If there are neither as many tags as classes nor one less.
    """
    if tags == classes:
        return None
    if tags != classes - 1:
        raise ValueError(
            f'{image.path}: has {tags} tags (gt_label), the data set '
            f'{classes} classes: wanted {classes}, or {classes - 1} without '
            'the background'
        )
    steps = getattr(image.dataset.pipeline, 'transforms', ())
    for found in (
        image.info.get('background'),
        *(getattr(step, 'background', None) for step in reversed(steps)),
        of_head,
    ):
        if isinstance(found, int):
            return found
    return 0


def no_tags(image: WholeImage) -> str:
    """Return a message on an image without tags."""
    packs = image.dataset.pipeline.transforms[-1:]
    last = f' (it ends with {type(packs[0]).__name__})' if packs else ''
    return (
        f'{image.path}: has no tags (gt_label): give the data set some, or '
        'let its pipeline make them of label maps, by LoadSparseAnnotations('
        f'with_tags=True), and pack them by PackSparseInputs{last}'
    )


def shown_maps(maps: Tensor, shown: Tensor) -> tuple[Any, Any]:
    """Return the maps that are shown, and their class indices, as arrays."""
    classes = shown.nonzero()[:, 0].cpu()
    return maps[classes.to(maps.device)].cpu().numpy(), classes.numpy()
