"""Maps of classes that a model predicts, filtered by the image's tags."""

from typing import TypeGuard

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_sparse.functional import filter_class_logits, filter_classes

from ..models.contracts import TagClassifier
from ..models.refiners import ClassLabelFilter
from ..models.segmentors import SparseEncoderDecoder
from .whole_images import WholeImage

#: Tags ``(1, K)``, and the class that has none.
Tags = tuple[Tensor, int | None]


def class_logits(
    result: SegDataSample, image: WholeImage, classes: int
) -> Tensor:
    """Return the logits of a prediction, float32 ``(C, H, W)``.

    They have the image's size. Where the model has one output channel, they
    are those of both classes.

    Raises:
        ValueError: If the model predicts another number of classes.
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

    Args:
        classes: Number of classes.
        of_head: The class without tag, as the model's head says; None: it
            does not.
        wanted: True: every image must have tags; False: nothing is filtered;
            None: images that have tags are.

    Attributes:
        unfiltered: How many images there were without tags.
    """

    def __init__(
        self, classes: int, of_head: int | None, wanted: bool | None
    ) -> None:
        """Begin with no image."""
        self.classes = classes
        self.of_head = of_head
        self.wanted = wanted
        self.unfiltered = 0

    def filtered(
        self, result: SegDataSample, image: WholeImage
    ) -> tuple[Tensor, Tensor, Tags | None]:
        """Return what a model predicts of the classes that the tags allow.

        Returns:
            Logits ``(C, H, W)``, those of absent classes lowest;
            probabilities ``(C, H, W)``, those of absent classes 0 and the
            others as they were; and the tags, None if nothing is filtered.

        Raises:
            ValueError: If the prediction is not finite, or as :meth:`tags`.
        """
        logits = class_logits(result, image, self.classes)
        if not logits.softmax(0).isfinite().all():
            raise ValueError(f'{image.path}: the prediction is not finite')
        tags = self.tags(result, image)
        return (*self.apply(logits, tags), tags)

    def tags(self, sample: SegDataSample, image: WholeImage) -> Tags | None:
        """Return the tags to filter by, if any.

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
        return tags[None], self.background_of(image, len(tags))

    def background_of(self, image: WholeImage, tags: int) -> int | None:
        """Return the class without tag, None if every class has one.

        The data set says which it is, or else the step that packs samples,
        or the model's head; otherwise it is the first class.

        Raises:
            ValueError: If there are neither as many tags as classes nor one
                less.
        """
        classes = self.classes
        if tags == classes:
            return None
        if tags != classes - 1:
            raise ValueError(
                f'{image.path}: has {tags} tags (gt_label), the data set '
                f'{classes} classes: expected {classes} tags, or '
                f'{classes - 1} without the background'
            )
        steps = getattr(image.dataset.pipeline, 'transforms', ())
        for found in (
            image.info.get('background'),
            *(getattr(step, 'background', None) for step in reversed(steps)),
            self.of_head,
        ):
            if isinstance(found, int):
                return found
        return 0

    def apply(
        self, logits: Tensor, tags: Tags | None
    ) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities without absent classes."""
        prob = logits.softmax(0)
        if tags is None:
            return logits, prob
        present, background = tags[0].to(logits.device), tags[1]
        where = dict(background=background)
        (logits,) = filter_class_logits(logits[None], present, **where)
        (prob,) = filter_classes(prob[None], present, **where)
        return logits, prob


def filter_of(
    model: nn.Module, classes: int, wanted: bool | None
) -> TagFilter:
    """Return a filter for a model, in place of its ``ClassLabelFilter``."""
    of_head: int | None = None
    if isinstance(model, SparseEncoderDecoder):
        if isinstance(model.decode_head, TagClassifier):
            of_head = model.decode_head.background
        if isinstance(model.test_refiner, ClassLabelFilter):
            model.test_refiner = None
    return TagFilter(classes, of_head, wanted)


def has_activations(model: nn.Module) -> TypeGuard[SparseEncoderDecoder]:
    """Tell whether a model has class activation maps of the tags."""
    return isinstance(model, SparseEncoderDecoder) and isinstance(
        model.decode_head, TagClassifier
    )


def tag_indices(image: WholeImage) -> list[int] | None:
    """Return the tags that the data set has of an image, if any.

    Tags that the pipeline makes of label maps are not among them.
    """
    multi_hot = image.info.get('gt_label')
    if multi_hot is None:
        return None
    return [index for index, value in enumerate(multi_hot) if value]


def no_tags(image: WholeImage) -> str:
    """Return an error message for an image without tags."""
    packs = image.dataset.pipeline.transforms[-1:]
    last = f' (it ends with {type(packs[0]).__name__})' if packs else ''
    return (
        f'{image.path}: has no tags (gt_label): give the data set tags, or '
        'let its pipeline make them from label maps by LoadSparseAnnotations('
        f'with_tags=True) and pack them by PackSparseInputs{last}'
    )
