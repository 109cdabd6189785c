"""Refinement and propagation of activation maps, padding left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from mmseg_sparse.functional import (
    random_walk,
    resize_inside,
    valid_on_grid,
    with_background,
)
from mmseg_sparse.functional.resize import fully_valid_on_grid, shrink_image
from mmseg_sparse.functional.token_centers import (
    Centers,
    sample_linear,
    sample_nearest,
)

from ..contracts import MapRefiner, RefinesOneSet

PROPAGATIONS = ('affinity', 'attention', None)


@dataclass(frozen=True)
class LabelSteps:
    """The maps that labels are made from, step by step.

    Each step has a set of maps for each background score, ``(N, K + 1, H,
    W)``, the background first.

    Attributes:
        shown: Bool ``(N, K + 1)``, the classes of the images.
        maps: Activation maps beside the background score.
        refined: ``maps``, refined.
        propagated: Activation maps and score after the random walk; None
            without propagation.
        final: ``propagated``, refined; without propagation ``refined``.
    """

    shown: Tensor
    maps: Sequence[Tensor]
    refined: Sequence[Tensor]
    propagated: Sequence[Tensor] | None
    final: Sequence[Tensor]


@dataclass(frozen=True)
class Transition:
    """What maps are propagated by, and where its tokens are in an image.

    Attributes:
        matrix: ``(N, M, M)``.
        grid: Its height and width, M their product.
        centers: Where rows and columns of tokens are centred, in pixels; None:
            they are taken to be spread over the image.
    """

    matrix: Tensor
    grid: tuple[int, int]
    centers: tuple[Centers, Centers] | None = None

    def shrunk(self, maps: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return which tokens are inside, and maps at the tokens.

        Args:
            maps: ``(N, K, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
        """
        if self.centers is None:
            inside = valid_on_grid(valid, self.grid)
            return inside, resize_inside(maps, self.grid, valid=valid)
        rows, columns = (
            c.positions(count, maps.device)
            for c, count in zip(self.centers, self.grid, strict=True)
        )
        inside = sample_nearest(valid, rows, columns)
        return inside, sample_linear(maps, rows, columns, valid=valid)

    def enlarged(
        self, maps: Tensor, size: tuple[int, int], inside: Tensor
    ) -> Tensor:
        """Bring maps of the tokens to the size of the image.

        Args:
            maps: ``(N, K, *grid)``.
            size: Height and width of the image.
            inside: Bool ``(N, *grid)``, which tokens count.
        """
        if self.centers is None:
            return resize_inside(maps, size, valid=inside)
        rows, columns = (
            c.coordinates(count, maps.device)
            for c, count in zip(self.centers, size, strict=True)
        )
        return sample_linear(maps, rows, columns, valid=inside)


class LabelPropagation(nn.Module):
    """What AFA does to activation maps before they become labels.

    Args:
        refiner: A module with ``refine(prob, image, valid=, present=)``;
            None: maps stay as they are.
        refine_scale: Factor on the images' size for the refiner.
        softmax: Whether maps that are not propagated become probabilities.
        radius: Reach of the random walk, in tokens.
        alpha: Exponent of eq. 6.
        by: ``'affinity'``, ``'attention'`` or None, see ``AFASegmentor``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        refiner: MapRefiner | None,
        *,
        refine_scale: float,
        softmax: bool,
        radius: int,
        alpha: float,
        by: str | None,
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__()
        if by not in PROPAGATIONS:
            raise ValueError(
                f'propagation must be in {PROPAGATIONS}, got {by!r}'
            )
        if not 0 < refine_scale <= 1:
            raise ValueError(
                f'refine_scale must lie in (0, 1], got {refine_scale}'
            )
        if radius < 0 or not alpha > 0:
            raise ValueError(
                'radius must be at least 0 and alpha positive, got '
                f'{radius} and {alpha}'
            )
        self.refiner = refiner
        self.refine_scale = refine_scale
        self.softmax = softmax
        self.radius = radius
        self.alpha = alpha
        self.by = by

    def forward(
        self,
        cam: Tensor,
        tags: Tensor,
        scores: Sequence[float | None],
        images: Tensor,
        valid: Tensor,
        transition: Transition | None,
        walk_scores: Sequence[float | None] | None = None,
    ) -> LabelSteps:
        """Put the background beside the maps, refine, propagate, refine.

        Args:
            cam: Activation maps, ``(N, K, H, W)``.
            tags: ``(N, K)``, above 0 for classes of the image.
            scores: The background scores; None: no background. Of the last
                is what ``shown`` says about the background.
            images: ``(N, 3, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
            transition: What propagates; None: no propagation.
            walk_scores: As ``scores``, for the maps that are propagated;
                None: the same.
        """
        pairs = [
            with_background(cam, tags, score, softmax=self.softmax)
            for score in scores
        ]
        maps, shown = [pair[0] for pair in pairs], pairs[-1][1]
        refined = final = self.refine(maps, images, valid, shown)
        walked = None
        if transition is not None:
            walk_scores = scores if walk_scores is None else walk_scores
            walked = self.walk(cam, tags, walk_scores, valid, transition)
            final = self.refine(walked, images, valid, shown)
        return LabelSteps(shown, maps, refined, walked, final)

    @record_function('mmseg_sparse/label_refiner')
    def refine(
        self,
        maps: Sequence[Tensor],
        images: Tensor,
        valid: Tensor,
        shown: Tensor,
    ) -> list[Tensor]:
        """Refine several sets of maps of one batch, together if possible.

        Args:
            maps: Each ``(N, C, H, W)``.
            images: ``(N, 3, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
            shown: Bool ``(N, C)``, the classes to refine.

        Returns:
            The refined maps, each ``(N, C, H, W)``.
        """
        if self.refiner is None:
            return [*maps]
        full = (images.shape[2], images.shape[3])
        size = tuple(max(int(side * self.refine_scale), 1) for side in full)
        inside = fully_valid_on_grid(valid, size)
        small = resize_inside(torch.cat([*maps], 1), size, valid=valid)
        image = shrink_image(images.to(small.dtype), size)
        apart = (
            isinstance(self.refiner, RefinesOneSet)
            and self.refiner.classes_compete
        )
        classes = maps[0].shape[1]
        together = [
            self.refiner.refine(
                part,
                image,
                valid=inside,
                present=shown.repeat(1, part.shape[1] // classes),
            )
            for part in (small.split(classes, 1) if apart else [small])
        ]
        large = resize_inside(torch.cat(together, 1), full, valid=inside)
        return [*large.split(classes, 1)]

    @record_function('mmseg_sparse/random_walk')
    def walk(
        self,
        cam: Tensor,
        tags: Tensor,
        scores: Sequence[float | None],
        valid: Tensor,
        transition: Transition,
    ) -> list[Tensor]:
        """Propagate maps by one random walk for each background score.

        Args:
            cam: Activation maps, ``(N, K, H, W)``.
            tags: ``(N, K)``, above 0 for classes of the image.
            scores: The background scores; None: no background.
            valid: Bool ``(N, H, W)``, false in padding.
            transition: What propagates.

        Returns:
            For each score maps ``(N, K + 1, H, W)``, the background first.
        """
        inside, small = transition.shrunk(cam, valid)
        maps = [with_background(small, tags, score)[0] for score in scores]
        walked = random_walk(
            torch.cat(maps, 1),
            transition.matrix,
            alpha=self.alpha,
            radius=self.radius,
            valid=inside,
        )
        size = (cam.shape[2], cam.shape[3])
        large = transition.enlarged(walked, size, inside)
        return [*large.split(cam.shape[1] + 1, 1)]
