"""What regularizers are given, brought to the size of the logits."""

import torch
import torch.nn.functional as F
from torch import Tensor


def shrink_image(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Average an image ``(N, 3, H, W)`` over the pixels of a smaller one.

    Every pixel takes part, unlike in bilinear resizing by 1/4.
    """
    return F.interpolate(image, size, mode='area')


def shrink_valid(valid: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a mask ``(N, H, W)``: true where all pixels averaged are.

    The pixels are those of :func:`shrink_image`, so that no colour of the
    padding comes in.
    """
    padding = (~valid).unsqueeze(1).to(torch.float32)
    return F.adaptive_max_pool2d(padding, size).squeeze(1) < 0.5


def touch_valid(valid: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a mask ``(N, H, W)``: true where any pixel averaged is."""
    maps = valid.unsqueeze(1).to(torch.float32)
    return F.adaptive_max_pool2d(maps, size).squeeze(1) > 0.5


def resize_held(maps: Tensor, held: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps ``(N, C, H, W)`` bilinearly from pixels ``held`` alone.

    The weights of the others go to those ``(N, H, W)`` holds; 0 where all
    are others.
    """
    mask = held.unsqueeze(1).to(maps.dtype)
    both = torch.cat([maps * mask, mask], 1)
    both = F.interpolate(both, size, mode='bilinear', align_corners=False)
    share = both[:, -1:].clamp(min=torch.finfo(both.dtype).tiny)
    return both[:, :-1] / share


def shrink_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a label map ``(N, H, W)`` by nearest neighbour."""
    maps = labels.unsqueeze(1).to(torch.float32)
    return F.interpolate(maps, size, mode='nearest').squeeze(1).long()


def agreed_labels(
    labels: Tensor, size: tuple[int, int], ignore_index: int = 255
) -> Tensor:
    """Shrink a label map ``(N, H, W)`` without losing points and strokes.

    A pixel gets the class of the labels under it, ``ignore_index`` where
    there are none or they are of several classes.
    """
    known = labels != ignore_index
    ids = labels.unsqueeze(1).to(torch.float32)
    known = known.unsqueeze(1)
    most = F.adaptive_max_pool2d(torch.where(known, ids, -torch.inf), size)
    least = -F.adaptive_max_pool2d(torch.where(known, -ids, -torch.inf), size)
    agreed = torch.where(most == least, most, ignore_index)
    return agreed.squeeze(1).long()
