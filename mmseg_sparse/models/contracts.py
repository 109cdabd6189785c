"""What the parts of a model promise each other.

A config may name any registered class as a head, a regularizer or a refiner.
The segmentors therefore do not ask for a class, but whether a module has what
a protocol names: ``isinstance(module, NeedsAttention)``.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from mmseg.structures import SegDataSample
from torch import Tensor, nn

from .features import Features


class Regularizer(Protocol):
    """A loss of ``SparseEncoderDecoder`` that supervises unlabelled pixels.

    It may also be :class:`NeedsAttention` and :class:`NeedsModuleInput`.
    """

    def __call__(
        self, logits: Tensor, feats: Features, labels: Tensor, valid: Tensor
    ) -> dict[str, Tensor]:
        """Return named losses; those whose name holds ``loss`` are summed."""


class DecodeLoss(Protocol):
    """A loss of a decode head, of ours or of mmseg."""

    loss_name: str

    def __call__(
        self, logits: Tensor, labels: Tensor, **kwargs: Any
    ) -> Tensor:
        """Return the weighted loss."""


class Refiner(Protocol):
    """What ``SparseEncoderDecoder`` turns logits into better ones with.

    It may also be :class:`NeedsAttention` and :class:`NeedsModuleInput`.
    """

    def __call__(
        self,
        logits: Tensor,
        feats: Features,
        labels: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Return logits of the same shape."""


@runtime_checkable
class MapRefiner(Protocol):
    """What ``AFASegmentor`` refines probability maps with."""

    def refine(
        self,
        prob: Tensor,
        image: Tensor,
        valid: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Tensor:
        """Return maps of the same shape; absent classes become 0."""


@runtime_checkable
class RefinesOneSet(Protocol):
    """A :class:`MapRefiner` whose maps of one image are one distribution."""

    @property
    def classes_compete(self) -> bool:
        """Whether several sets of maps must be refined apart."""


@runtime_checkable
class NeedsAttention(Protocol):
    """A module for which attention is recorded in ``Features.attention``."""

    @property
    def attention_stages(self) -> Sequence[int]:
        """The stages of the backbone whose attention is recorded."""


@runtime_checkable
class KeepsAttention(Protocol):
    """A backbone that hands out attention which it kept.

    Attributes:
        attention_tap: Module that passes through the list of the layers'
            ``Attention`` in each forward pass; None: nothing is kept.
    """

    attention_tap: nn.Module | None


@runtime_checkable
class NeedsModuleInput(Protocol):
    """A module that gets the input of another in ``module_inputs``."""

    @property
    def feature_from(self) -> str | None:
        """The path of the other module in the segmentor; None: no input."""


@runtime_checkable
class SelectsLogits(Protocol):
    """A decode head with more outputs in training than logits."""

    def logits_of(self, outputs: Any) -> Tensor:
        """Return the logits, ``(N, C, h, w)``, of what ``forward`` gives."""


@runtime_checkable
class TagClassifier(Protocol):
    """A decode head that classifies images, and has activation maps.

    Attributes:
        background: Index of the class without tag; None: all classes have
            one.
    """

    background: int | None

    def stack_tags(self, samples: Sequence[SegDataSample]) -> Tensor:
        """Return ``gt_label`` of the samples, ``(N, tags)``."""

    def activation(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return class activation maps, ``(N, tags, h, w)``."""


@runtime_checkable
class TakesHeatmaps(Protocol):
    """A backbone that reads heat maps behind the image's channels."""

    @property
    def heatmap_channels(self) -> int:
        """How many it reads; 0: the image alone."""


def attention_stages(module: nn.Module) -> Sequence[int]:
    """Return the stages whose attention a module needs."""
    if isinstance(module, NeedsAttention):
        return module.attention_stages
    return ()


def feature_from(module: nn.Module) -> str | None:
    """Return the path of the module whose input a module needs."""
    return (
        module.feature_from if isinstance(module, NeedsModuleInput) else None
    )
