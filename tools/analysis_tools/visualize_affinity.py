r"""Draw what AFA learns about pairs of pixels, and what becomes of a tag.

One row an image and query point (figures 4 and 11 of the paper): the image
with the point, where the point attends to in the stage that the affinity is
made of, the affinity learned from it, the activation map of the class; then
labels, of the activation maps, these refined (PAR), propagated by the random
walk, both (the pseudo labels that the segmentation learns from, white where
there is none), the prediction, and the ground truth where there is one.

  python -m mmseg_sparse visualize_affinity CONFIG CHECKPOINT affinity.png \
      --images 3 0042

A point is by default where the class of a tag is activated most, one row for
each tag. Attention and affinity are those of the largest scale of the
activation maps, as in the random walk, attention being the mean of heads and
layers. Affinity is drawn from 0 (blue) to 1 (red); the white box is the
window of the random walk. Needs an AFASegmentor, and images with tags.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _affinity_queries import LABELS, Found, Pair, choose, look
from _arguments import KeyValue, fail, load_generator_config
from visualize_attention import draw_point


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config', help='path of a config, or the name of a shipped one'
    )
    parser.add_argument('checkpoint', help='file of its checkpoint')
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument(
        '--split',
        choices=('train', 'val', 'test'),
        default='val',
        help='the images of which data loader (default: %(default)s)',
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
        help='query in pixels of the image, in place of those of the tags; '
        'may be given several times, for all images',
    )
    parser.add_argument(
        '--width', type=int, default=160, metavar='PX',
        help='of the longer side of a picture (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--device', help='default: cuda:0 where there is one, or cpu'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace OUT')
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValue, metavar='KEY=VALUE',
        help='override settings of the config',
    )  # fmt: skip
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != '.png':
        parser.error(f'OUT must end in .png, got {str(args.out)!r}')
    if args.width < 32:
        parser.error(f'--width must be at least 32, got {args.width}')
    if args.out.exists() and not args.overwrite:
        parser.error(f'{args.out} exists: name another file, or --overwrite')
    return args


def paint(picture: Any, level: Any) -> Any:
    """Return the picture under colours, blue for a level of 0, red for 1."""
    import cv2
    import numpy as np

    level = np.rint(255 * level.clip(0, 1)).astype(np.uint8)
    colors = cv2.applyColorMap(level, cv2.COLORMAP_JET)[..., ::-1]
    return cv2.addWeighted(picture, 0.45, colors, 0.55, 0)


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


def fitted(picture: Any, size: tuple[int, int]) -> Any:
    """Put a picture into the middle of white paper of a size ``(H, W)``."""
    import numpy as np

    paper = np.full((*size, 3), 255, np.uint8)
    height, width = picture.shape[:2]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    paper[top : top + height, left : left + width] = picture
    return paper


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
    import cv2

    scale = width / max(found.image.shape[:2])
    size = tuple(max(round(s * scale), 1) for s in found.image.shape[:2])
    small = cv2.resize(
        found.image, size[::-1],
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )  # fmt: skip
    # Colours of an image and of what is laid over it would mix.
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    grey = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
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

    size = grey.shape[:2]
    if column == 'activation':
        level = cv2.resize(found.activation[pair.tag], size[::-1])
        return paint(grey, level), ''
    if column == 'affinity':
        picture = paint(grey, spread(pair.affinity, pair, size))
        low, high = pair.affinity.min(), pair.affinity.max()
        return draw_window(picture, pair), f'{low:.2f} to {high:.2f}'
    times = pair.attention * pair.attention.size
    level = spread(times / max(times.max(), 4), pair, size)
    return paint(grey, level), f'up to {times.max():.1f} x uniform'


def _labels(
    found: Found, column: str, grey: Any, palette: Any
) -> tuple[Any, str]:
    """Return the picture of a label map, white where there is no label."""
    import cv2

    from mmseg_sparse.visualization import overlay

    labels = found.labels.get(column)
    if labels is None:
        return fitted(grey[:0], grey.shape[:2]), 'none'
    large = cv2.resize(
        labels, grey.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    picture = overlay(grey, large, palette)
    picture[large == 255] = 255
    return picture, _right(labels, found.labels.get('truth'), column)


def _right(labels: Any, truth: Any, column: str) -> str:
    """Say which share of the labels is right, where that is known."""
    if truth is None or column == 'truth':
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
    from mmseg_sparse.visualization import picture_sheet

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
    rows = [[fitted(picture, box) for picture in row] for row in rows]
    return picture_sheet(
        rows,
        ['image, query', *(LABELS.get(c, c) for c in columns)],
        captions=captions,
        classes=images.classes,
        palette=palette,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the sheet."""
    args = parse_args(argv)
    cfg = load_generator_config(args)
    import cv2

    from mmseg_sparse.models.segmentors import AFASegmentor
    from mmseg_sparse.pseudo_labels.whole_images import (
        best_device,
        load_segmentor,
        make_pseudo_labels,
        whole_images,
    )
    from mmseg_sparse.utils.atomic import write_whole

    try:
        images = whole_images(cfg, args.split)
        chosen = choose(images, args.images)
        model = load_segmentor(
            cfg, args.checkpoint, args.device or best_device()
        )
        if not isinstance(model, AFASegmentor):
            fail(f'{args.config}: {type(model).__name__} makes no labels of '
                 'tags; wanted an AFASegmentor')  # fmt: skip
        make_pseudo_labels(model, True)
        sheet = sheet_of(model, images, chosen, args)
        data = cv2.imencode('.png', sheet[..., ::-1])[1]
        write_whole(args.out, data.tobytes())
    except Exception as error:  # a config is code
        fail(' '.join(str(error).split()) or type(error).__name__)
    print(args.out)


if __name__ == '__main__':
    main()
