"""The tree energy loss: a prediction against its means along two trees."""

import torch
from torch import Tensor

from .checks import check_mask, check_same_size, wide_dtype
from .tree_filter import tree_filter


def tree_energy(
    prob: Tensor,
    image: Tensor,
    feature: Tensor | None = None,
    *,
    sigma: float,
    sigma_feature: float = 1.0,
    counted: Tensor | None = None,
    detach: bool = True,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Compare a prediction with its means over similar pixels.

    With :math:`\mathcal F_{g,\sigma}` the filter of
    :func:`~mmseg_sparse.functional.tree_filter` along the tree of a guide g,
    I the colours, F the feature and :math:`\Omega_U` the counted pixels that
    are valid,

    .. math::
        \tilde Y &= \mathcal F_{F,\sigma_F}(\mathcal F_{I,\sigma}(P)), \\
        L &= \frac{1}{|\Omega_U|} \sum_{i\in\Omega_U}
             \|P_i - \tilde Y_i\|_1,

    the norm over the classes. Source: Liang et al., Tree energy loss: towards
    sparsely annotated semantic segmentation, CVPR 2022, eq. 3 to 8, with
    :math:`\sigma_F = 1`. Labelled pixels take part in the means.

    Args:
        prob: P, ``(N, C, H, W)``.
        image: I, ``(N, 3, H, W)``.
        feature: F, ``(N, D, H, W)``. None: filter by the colours alone.
        sigma: Squared colour distance at which the weight is 1 / e.
        sigma_feature: The same of the feature.
        counted: :math:`\Omega_U`, bool ``(N, H, W)``. None: all.
        detach: Take :math:`\tilde Y` for a constant. False, the release:
            ``prob`` and ``feature`` get a gradient through it.
        valid: Bool ``(N, H, W)``, false in padding. None: no padding.

    Returns:
        A scalar, in float32 or the wider dtype of ``prob``; a connected 0
        where no counted pixel is valid.

    Raises:
        ValueError: If shapes disagree or a sigma is not positive.
    """
    check_same_size('prob (N, C, H, W) and image (N, 3, H, W)', prob, image)
    check_mask('valid', valid, prob[:, 0].shape)
    check_mask('counted', counted, prob[:, 0].shape)
    if valid is None:
        valid = torch.ones_like(prob[:, 0], dtype=torch.bool)
    counted = valid if counted is None else counted & valid
    prob = prob.to(wide_dtype(prob))
    with torch.set_grad_enabled(torch.is_grad_enabled() and not detach):
        pseudo = tree_filter(prob, image.detach(), sigma=sigma, valid=valid)
        if feature is not None:
            pseudo = tree_filter(
                pseudo, feature, sigma=sigma_feature, valid=valid
            )
    apart = (prob - pseudo).abs().masked_fill(~counted.unsqueeze(1), 0)
    return apart.sum() / counted.sum().clamp(min=1)
