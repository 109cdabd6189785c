"""Which pixels of AFA's maps become labels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmseg_sparse.functional import (
    labels_from_best,
    labels_from_margin,
    labels_from_two_scores,
)
from mmseg_sparse.functional.pseudo_labels import check_background_scores
from mmseg_sparse.labels.label_map import NO_LABEL


class LabelSelection:
    r"""Labels for training, and labels of every pixel to be measured.

    With a background, maps are made twice, beside the background score
    :math:`\beta_h` and beside :math:`\beta_l`, and
    :func:`~mmseg_sparse.functional.labels_from_two_scores` compares them.
    Without one there is nothing that a constant score could stand for: each
    pixel's best class competes with the next class of the image alone, and
    :func:`~mmseg_sparse.functional.labels_from_margin` keeps the same share
    of each class.

    Args:
        background: Index of the background; None: there is none.
        background_scores: :math:`\beta_h` and :math:`\beta_l`.
        measured_scores: The background scores at which activation maps and
            propagated maps are measured.
        keep: Share of each class that is labelled, without a background.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        background: int | None,
        *,
        background_scores: Sequence[float],
        measured_scores: Sequence[float],
        keep: float,
    ) -> None:
        """Check the arguments and keep them."""
        for name, scores in (
            ('background_scores', background_scores),
            ('measured_scores', measured_scores),
        ):
            if len(scores) != 2:
                raise ValueError(f'{name} must be two, got {tuple(scores)}')
            check_background_scores(max(scores), min(scores))
        check_background_scores(*background_scores)
        if not 0 < keep <= 1:
            raise ValueError(f'label_share must lie in (0, 1], got {keep}')
        self.background = background
        self.keep = keep
        none = background is None
        #: What the maps that become labels are made with.
        self.scores: tuple[float | None, ...] = (
            (None,) if none else tuple(background_scores)
        )
        #: What activation maps and propagated maps are measured with.
        self.measured: tuple[float | None, ...] = (
            (None, None) if none else tuple(measured_scores)
        )

    def labels(
        self, maps: Sequence[Tensor], shown: Tensor, valid: Tensor
    ) -> Tensor:
        """Label the pixels that are sure.

        Args:
            maps: Those of ``scores``, each ``(N, K + 1, H, W)``.
            shown: Bool ``(N, K + 1)``, the classes of the images.
            valid: Bool ``(N, H, W)``, false in padding.

        Returns:
            int64 ``(N, H, W)``, 255 where no label is.
        """
        if self.background is None:
            (only,) = maps
            return labels_from_margin(only, shown, keep=self.keep, valid=valid)
        high, low = maps
        return labels_from_two_scores(
            high, low, shown, background=self.background, valid=valid
        )

    def best(self, maps: Tensor, shown: Tensor, valid: Tensor) -> Tensor:
        """Label every pixel, ``(N, H, W)``, but for padding."""
        return labels_from_best(
            maps, shown, background=self.background, valid=valid
        )

    def class_shares(
        self,
        labels: Tensor,
        maps: Sequence[Tensor],
        shown: Tensor,
        valid: Tensor,
    ) -> dict[int, Tensor]:
        """Tell which share of each class's pixels has a label.

        A class's pixels are those where it is the best, with a background:
        beside the lower score. The background itself, which then has a
        label everywhere, is left out.

        Args:
            labels: What :meth:`labels` returned.
            maps: As in :meth:`labels`.
            shown: As in :meth:`labels`.
            valid: As in :meth:`labels`.

        Returns:
            A scalar for each class that is the best somewhere.
        """
        best = self.best(maps[-1], shown, valid)
        counts = torch.bincount(best[valid], minlength=NO_LABEL + 1)
        kept = best[valid & (labels == best)]
        kept = torch.bincount(kept, minlength=NO_LABEL + 1)
        found = counts[:NO_LABEL].nonzero().flatten().tolist()
        return {
            index: kept[index] / counts[index]
            for index in found
            if index != self.background
        }
