"""Maps, masks, images and labels in another size, padding left out."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_maps


def resize_inside(
    maps: Tensor, size: tuple[int, ...], *, valid: Tensor | None = None
) -> Tensor:
    """Resize bilinearly, without what lies in padding.

    A pixel whose neighbours are partly padding is interpolated between the
    others, as at the border of an image; one that has none becomes 0.

    Args:
        maps: ``(N, K, h, w)``.
        size: Height and width wanted.
        valid: Bool ``(N, h, w)``, false in padding. None: no padding.

    Returns:
        ``(N, K, *size)``.
    """
    if valid is None:
        return F.interpolate(maps, size, mode='bilinear', align_corners=False)
    check_maps('maps', maps, valid)
    inside = valid.unsqueeze(1).to(maps.dtype)
    both = torch.cat([maps.masked_fill(inside == 0, 0), inside], 1)
    both = F.interpolate(both, size, mode='bilinear', align_corners=False)
    return both[:, :-1] / both[:, -1:].clamp(min=1e-6)


def valid_on_grid(valid: Tensor, size: tuple[int, ...]) -> Tensor:
    """Tell which positions of a feature map see any of an image.

    Args:
        valid: Bool ``(N, H, W)``, false in padding.
        size: Height and width of the feature map.

    Returns:
        Bool ``(N, *size)``.
    """
    inside = valid.unsqueeze(1).to(torch.float32)
    return F.adaptive_max_pool2d(inside, size).squeeze(1) > 0


def shrink_image(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """Average an image ``(N, 3, H, W)`` over the pixels of a smaller one.

    Every pixel takes part, unlike in bilinear resizing by 1/4.
    """
    return F.interpolate(image, size, mode='area')


def fully_valid_on_grid(valid: Tensor, size: tuple[int, ...]) -> Tensor:
    """Tell which positions of a smaller map see nothing but the image.

    The pixels that a position sees are those of :func:`shrink_image`, so
    that no colour of the padding comes in.

    Args:
        valid: Bool ``(N, H, W)``, false in padding.
        size: Height and width of the smaller map.

    Returns:
        Bool ``(N, *size)``.
    """
    return ~valid_on_grid(~valid, size)


def shrink_labels(labels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize a label map ``(N, H, W)`` by nearest neighbour."""
    maps = labels.unsqueeze(1).to(torch.float32)
    return F.interpolate(maps, size, mode='nearest').squeeze(1).long()


def agreed_labels(
    labels: Tensor, size: tuple[int, ...], ignore_index: int = 255
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


def labelled_pixels(
    labels: Tensor, ignore_index: int = 255
) -> tuple[Tensor, Tensor]:
    """Return the places of the labelled pixels and their labels.

    Both are int64 ``(N, M)``, M the number of labels of the image that has
    most of them, at least 1; for other images the last are the place 0 with
    ``ignore_index``. Places count along the rows of an image.

    Args:
        labels: Class ids ``(N, H, W)``, ``ignore_index`` where none is.
        ignore_index: Id of a pixel without label.
    """
    flat = labels.flatten(1)
    known = flat != ignore_index
    image, place = known.nonzero(as_tuple=True)
    slot = (known.cumsum(1) - 1)[image, place]
    most = max(int(known.sum(1).max()), 1)
    places = flat.new_zeros((len(flat), most))
    found = flat.new_full((len(flat), most), ignore_index)
    places[image, slot] = place
    found[image, slot] = flat[image, place]
    return places, found


def resized_at(
    maps: Tensor,
    places: Tensor,
    size: tuple[int, ...],
    *,
    align_corners: bool = False,
) -> Tensor:
    """Resize maps bilinearly, at some pixels of the result alone.

    Args:
        maps: ``(N, K, h, w)``.
        places: int64 ``(N, M)``, pixels of the result, counted along its
            rows.
        size: Height and width of the result.
        align_corners: As in torch's ``interpolate``.

    Returns:
        ``(N, K, 1, M)``, in float32 or the wider dtype of ``maps``.
    """
    height, width = size
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    found = []
    for place, length in ((places % width, width), (places // width, height)):
        place = place.to(wide.dtype)
        if align_corners:
            found.append(2 * place / max(length - 1, 1) - 1)
        else:
            found.append((2 * place + 1) / length - 1)
    return F.grid_sample(
        wide,
        torch.stack(found, -1).unsqueeze(1),
        mode='bilinear',
        padding_mode='border',
        align_corners=align_corners,
    )
