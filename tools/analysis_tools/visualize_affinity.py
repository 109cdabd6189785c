r"""Draw what AFA learns about pairs of pixels, and the labels made of tags.

One row for each image and query point (figures 4 and 11 of the paper). First
the image with the point; then its attention in the stage that the affinity is
computed from, its learned affinity with all pixels, and the activation map of
the class. Then labels: of the activation maps; refined by PAR; propagated by
the random walk; the pseudo labels, which the segmentation branch learns from
(white: no label); the prediction; and the ground truth, if there is one.

  python -m mmseg_sparse visualize_affinity CONFIG CHECKPOINT affinity.png \
      --images 3 0042

By default there is one point for each tag, where the class is activated most.
Attention and affinity are taken at the largest scale of the activation maps,
as in the random walk; attention is the mean over heads and layers. Affinity is
drawn from 0 (blue) to 1 (red); the white box is the window of the random walk.
Needs an AFASegmentor, and images with tags.

With --head-weights, the weights that the affinity gives to each attention head
are drawn instead (figure 14 of the paper), which needs no images:

  python -m mmseg_sparse visualize_affinity CONFIG CHECKPOINT heads.png \
      --head-weights
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _affinity_queries import LABELS, Found, Pair, choose, look
from _arguments import (
    add_cfg_options,
    add_config_argument,
    add_device_argument,
    at_least,
    fail,
    load_generator_config,
    make_parser,
    run_tool,
)
from visualize_attention import draw_point


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument('checkpoint', help='file of its checkpoint')
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument(
        '--split',
        choices=('train', 'val', 'test'),
        default='val',
        help='data loader whose images are drawn (default: %(default)s)',
    )
    parser.add_argument(
        '--images',
        nargs='+',
        metavar='IMAGE',
        help='numbers in the data set, counted from 0, or names without '
        'suffix (default: 4, spread evenly)',
    )
    parser.add_argument(
        '--point',
        type=float,
        nargs=2,
        action='append',
        metavar=('X', 'Y'),
        help='query point in pixels of the image, instead of the points of '
        'the tags; may be given several times, each for all images',
    )
    parser.add_argument(
        '--head-weights',
        action='store_true',
        help='draw the weights of the attention heads',
    )
    parser.add_argument(
        '--width', type=at_least(32), default=160, metavar='PX',
        help='longer side of a picture (default: %(default)s)',
    )  # fmt: skip
    add_device_argument(parser)
    parser.add_argument('--overwrite', action='store_true', help='replace OUT')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != '.png':
        parser.error(f'OUT must end in .png, got {str(args.out)!r}')
    if args.out.exists() and not args.overwrite:
        parser.error(f'{args.out} exists: name another file, or --overwrite')
    return args


def spread(tokens: Any, pair: Pair, size: tuple[int, int]) -> Any:
    """Resize values of tokens to the image's size ``(H, W)``."""
    import cv2

    rows, columns = tokens.shape
    height = round(size[0] * rows / pair.inside[0])
    width = round(size[1] * columns / pair.inside[1])
    large = cv2.resize(tokens, (width, height))
    return large[: size[0], : size[1]]


def draw_window(picture: Any, pair: Pair) -> Any:
    """Return the picture with the window of the walk around the query."""
    import cv2

    height, width = picture.shape[:2]
    top, bottom, left, right = pair.window
    y = [round(v * height / pair.inside[0]) for v in (top, bottom + 1)]
    x = [round(v * width / pair.inside[1]) for v in (left, right + 1)]
    out = picture.copy()
    cv2.rectangle(out, (x[0], y[0]), (x[1] - 1, y[1] - 1), (255,) * 3, 1)
    return out


def draw_row(
    found: Found,
    pair: Pair,
    *,
    width: int,
    palette: Any,
    columns: Sequence[str],
    names: tuple[str, str],
) -> tuple[list[Any], list[str]]:
    """Return the pictures of a query and the captions below.

    Args:
        found: What the model makes of the image.
        pair: The query.
        width: Of the longer side of a picture, in pixels.
        palette: Colours of the classes.
        columns: Those after the image, keys of ``LABELS`` among them.
        names: Of the image and of the query's class.
    """
    from mmseg_sparse.visualization import fit_into, to_grey

    scale = width / max(found.image.shape[:2])
    small = fit_into(found.image, (width, width))
    # The colours of an image and of what is laid over it would mix.
    grey = to_grey(small)
    at = ((pair.point[0] + 0.5) * scale, (pair.point[1] + 0.5) * scale)
    pictures = [draw_point(small, at)]
    captions = [f'{names[0]}: {names[1]}']
    for column in columns:
        if column in LABELS:
            picture, caption = _labels(found, column, grey, palette)
        else:
            picture, caption = _values(found, pair, column, grey)
            picture = draw_point(picture, at)
        pictures.append(picture)
        captions.append(caption)
    return pictures, captions


def _values(
    found: Found, pair: Pair, column: str, grey: Any
) -> tuple[Any, str]:
    """Return the picture of attention, affinity or activation."""
    import cv2

    from mmseg_sparse.visualization import heat_map

    size = grey.shape[:2]
    if column == 'activation':
        level = cv2.resize(found.activation[pair.tag], size[::-1])
        return heat_map(grey, level), ''
    if column == 'affinity':
        picture = heat_map(grey, spread(pair.affinity, pair, size))
        low, high = pair.affinity.min(), pair.affinity.max()
        return draw_window(picture, pair), f'{low:.2f} to {high:.2f}'
    times = pair.attention * pair.attention.size
    level = spread(times / max(times.max(), 4), pair, size)
    return heat_map(grey, level), f'up to {times.max():.1f} x uniform'


def _labels(
    found: Found, column: str, grey: Any, palette: Any
) -> tuple[Any, str]:
    """Return the picture of a label map, white where there is no label."""
    from mmseg_sparse.visualization import on_paper

    labels = found.labels.get(column)
    if labels is None:
        return on_paper(grey[:0], grey.shape[:2]), 'none'
    truth = None if column == 'truth' else found.labels.get('truth')
    return labels_on(grey, labels, palette), right(labels, truth)


def labels_on(
    grey: Any, labels: Any, palette: Any, *, opacity: float = 0.6,
    background: int | None = None,
) -> Any:  # fmt: skip
    """Return a grey picture under labels, white where there is none.

    Args:
        grey: ``(H, W, 3)``.
        labels: Class indices and 255, of any size.
        palette: Colours of the classes.
        opacity: Opacity of the colours.
        background: The class that is not coloured.
    """
    import cv2

    from mmseg_sparse.visualization import overlay

    large = cv2.resize(
        labels, grey.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    shown = large.copy()
    if background is not None:
        shown[large == background] = 255
    picture = overlay(grey, shown, palette, opacity=opacity)
    picture[large == 255] = 255
    return picture


def right(labels: Any, truth: Any) -> str:
    """Say which share of the labels is right, where the truth is known."""
    if truth is None or labels.shape != truth.shape:
        return ''
    known = (truth != 255) & (labels != 255)
    if not known.any():
        return 'no label'
    return f'{100 * (labels == truth)[known].mean():.0f} % right'


def tag_names(model: Any, classes: Sequence[str]) -> list[str]:
    """Return the class names of the head's tags."""
    background = model.decode_head.background
    return [name for i, name in enumerate(classes) if i != background]


def sheet_of(model: Any, images: Any, chosen: Sequence[Any], args: Any) -> Any:
    """Return the sheet, RGB."""
    from mmseg_sparse.labels.label_map import distinct_palette
    from mmseg_sparse.visualization import on_paper, picture_sheet

    palette = images.palette or distinct_palette(len(images.classes))
    tags = tag_names(model, images.classes)
    looks = [look(model, item, args.point) for item in chosen]
    columns = ['attention', 'affinity', 'activation']
    if model.decode_head.affinity is None:
        columns.remove('affinity')
    columns += [k for k in LABELS if any(k in f.labels for f in looks)]
    rows, captions = [], []
    for item, found in zip(chosen, looks, strict=True):
        for pair in found.pairs:
            pictures, texts = draw_row(
                found, pair, width=args.width, palette=palette,
                columns=columns, names=(item.name, tags[pair.tag]),
            )  # fmt: skip
            rows.append(pictures)
            captions.append(texts)
    if not rows:
        raise ValueError('the images have no tag: give --point X Y')
    height = max(row[0].shape[0] for row in rows)
    box = (height, max(row[0].shape[1] for row in rows))
    rows = [[on_paper(p, box, centred=True) for p in row] for row in rows]
    return picture_sheet(
        rows,
        ['image, query', *(LABELS.get(c, c) for c in columns)],
        captions=captions,
        classes=images.classes,
        palette=palette,
    )


def head_weights(model: Any) -> Any:
    """Return the plot of the weights of the attention heads, RGB."""
    from mmseg_sparse.visualization import plot_head_weights

    affinity = model.decode_head.affinity
    if affinity is None:
        raise ValueError(
            'the config learns no affinity (attention_heads=None), so that '
            'heads have no weights'
        )
    layers = len(model.backbone.layers[affinity.stage][1])
    weights = affinity.conv.weight.detach().reshape(layers, -1)
    return plot_head_weights(
        weights.cpu().numpy(),
        f'weights of the attention heads in the affinity, stage '
        f'{affinity.stage + 1}',
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the sheet."""
    args = parse_args(argv)
    cfg = load_generator_config(args)
    from mmseg_sparse.models.segmentors import AFASegmentor
    from mmseg_sparse.pseudo_labels.whole_images import (
        best_device,
        load_segmentor,
        make_pseudo_labels,
        whole_images,
    )
    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.visualization import encode_png

    try:
        if not args.head_weights:
            images = whole_images(cfg, args.split)
            chosen = choose(images, args.images)
        model = load_segmentor(
            cfg, args.checkpoint, args.device or best_device()
        )
        if not isinstance(model, AFASegmentor):
            fail(f'{args.config}: {type(model).__name__} makes no labels of '
                 'tags; expected an AFASegmentor')  # fmt: skip
        if args.head_weights:
            sheet = head_weights(model)
        else:
            make_pseudo_labels(model, True)
            sheet = sheet_of(model, images, chosen, args)
        write_whole(args.out, encode_png(sheet))
    except Exception as error:  # a config is code
        fail(error)
    print(args.out)


if __name__ == '__main__':
    run_tool(main)
