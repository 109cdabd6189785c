"""What an AFASegmentor makes of an image, and of single points of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

#: Label maps on the way from tags to masks, and their titles.
LABELS = {
    'cam': 'CAM',
    'refined': 'CAM + PAR',
    'propagated': 'CAM + walk',
    'labels': 'pseudo label',
    'prediction': 'prediction',
    'truth': 'ground truth',
}


@dataclass
class Pair:
    """A query point and what goes with it.

    Attributes:
        point: x and y in pixels of the image.
        tag: Index of the tag among those of the head.
        attention: Of the query to each token, ``(h, w)``, summing to 1.
        affinity: With each token, ``(h, w)`` in (0, 1); None: there is none.
        inside: Rows and columns of tokens that are image.
        window: First and last row and column of the walk's window.
    """

    point: tuple[float, float]
    tag: int
    attention: Any
    affinity: Any
    inside: tuple[float, float]
    window: tuple[int, int, int, int]


@dataclass
class Found:
    """What the model makes of an image.

    Attributes:
        image: RGB, as in the file.
        activation: Maps of the tags, ``(tags, H, W)``.
        pairs: Of each query.
        labels: Label maps by the keys of ``LABELS``, ``(H, W)``.
    """

    image: Any
    activation: Any
    pairs: list[Pair] = field(default_factory=list)
    labels: dict[str, Any] = field(default_factory=dict)


def choose(images: Any, wanted: Sequence[str] | None) -> list[Any]:
    """Return the images that are asked for, by number or name.

    Raises:
        ValueError: If there is no such image.
    """
    items = list(images.items)
    if wanted is None:
        step = max(len(items) / 4, 1)
        return [items[int(k * step)] for k in range(min(4, len(items)))]
    names = {item.name: item for item in items}
    names |= {str(n): item for n, item in enumerate(items)
              if str(n) not in names}  # fmt: skip
    for name in wanted:
        if name not in names:
            raise ValueError(
                f'--images: {name!r} is neither the name of an image nor a '
                f'number below {len(items)}'
            )
    return [names[name] for name in wanted]


def look(model: Any, item: Any, points: Sequence[Any] | None) -> Found:
    """Run the model on an image.

    Args:
        model: An ``AFASegmentor``, whose predictions hold pseudo labels.
        item: A ``WholeImage``.
        points: Queries ``(x, y)`` in pixels of the image; None: where each
            tag is activated most.

    Raises:
        ValueError: If there are no tags, or a point lies outside.
    """
    import cv2
    import torch

    from mmseg_sparse.pseudo_labels.tag_filter import no_tags
    from mmseg_sparse.pseudo_labels.whole_images import to_batch

    inputs, (sample,) = to_batch(model, item.load())
    if 'gt_label' not in sample:
        raise ValueError(no_tags(item))
    picture = cv2.imread(item.path)
    if picture is None or picture.shape[:2] != tuple(sample.ori_shape[:2]):
        raise ValueError(f'{item.path}: OpenCV cannot read this image')
    with torch.no_grad():
        (activation,) = model.class_activations(inputs, [sample])
        found = Found(picture[..., ::-1].copy(), activation.cpu().numpy())
        if points is None:
            tags = sample.gt_label.nonzero()[:, 0].tolist()
            queries = [(_peak(found.activation[tag]), tag) for tag in tags]
        else:
            queries = [(p, _best_tag(found, p, item.path)) for p in points]
        found.pairs = [
            pair_of(model, inputs, sample, point, tag)
            for point, tag in queries
        ]
        (result,) = model.predict(inputs, [sample])
    found.labels = label_maps(result)
    return found


def _peak(activation: Any) -> tuple[float, float]:
    """Return x and y of the highest value."""
    y, x = divmod(int(activation.argmax()), activation.shape[1])
    return float(x), float(y)


def _best_tag(found: Found, point: tuple[float, float], path: str) -> int:
    """Return the tag that a point is activated most for."""
    x, y = point
    height, width = found.activation.shape[1:]
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f'--point {x:g} {y:g} lies outside {path} of {width} x {height} '
            'pixels'
        )
    return int(found.activation[:, int(y), int(x)].argmax())


def label_maps(result: Any) -> dict[str, Any]:
    """Return the label maps of a result by the keys of ``LABELS``.

    A ground truth without labels, as of images with tags alone, is left out.
    """
    import numpy as np

    names = dict(prediction='pred_sem_seg', truth='gt_sem_seg')
    size = tuple(result.ori_shape[:2])
    labels = {}
    for key in LABELS:
        data = result.get(names.get(key, f'pseudo_{key}'))
        if data is not None and data.data.shape[1:] == size:
            labels[key] = data.data[0].cpu().numpy().astype(np.uint8)
    if 'truth' in labels and (labels['truth'] == 255).all():
        labels.pop('truth')
    return labels


def pair_of(
    model: Any, inputs: Any, sample: Any, point: tuple[float, float], tag: int
) -> Pair:
    """Return attention and affinity of a point of the image."""
    from mmseg_sparse.functional import mean_attention
    from mmseg_sparse.models.padding import inside_image
    from mmseg_sparse.models.segmentors.multi_scale_cam import multi_scale_cam

    layers = multi_scale_cam(
        model,
        inputs,
        inside_image([sample], inputs[:, 0]),
        scales=[max(model.cam_scales)],
        flip=False,
        stage=model.decode_head.attention_stage,
    ).layers
    rows, columns = layers[0].query_hw
    # Of the tokens, padding at the right and below is left out.
    inside = (
        rows * sample.img_shape[0] / inputs.shape[2],
        columns * sample.img_shape[1] / inputs.shape[3],
    )
    height, width = sample.ori_shape[:2]
    row = min(int((point[1] + 0.5) / height * inside[0]), rows - 1)
    column = min(int((point[0] + 0.5) / width * inside[1]), columns - 1)
    token = row * columns + column
    attention = mean_attention(layers)[0, token]
    affinity = None
    if model.decode_head.affinity is not None:
        affinity = model.decode_head.affinity(layers)[0, token]
        affinity = affinity.reshape(rows, columns).cpu().numpy()
    radius = model.label_propagation.radius
    return Pair(
        point,
        tag,
        attention.reshape(rows, columns).cpu().numpy(),
        affinity,
        inside,
        (row - radius, row + radius, column - radius, column + radius),
    )
