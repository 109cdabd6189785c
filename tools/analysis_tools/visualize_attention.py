"""Draw the attention of one point of an image, stage by stage.

One row for each image and checkpoint: the image with the reference point, then
the attention of that point in each stage of the backbone, averaged over heads
and layers (figure 3 of the paper). With --before and --after, two rows show
what training with the affinity loss changed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import find_config, make_parser, run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'config',
        help='config of the model: a path, or the name of one of mmseg_sparse',
    )
    parser.add_argument('images', nargs='+', help='paths of images')
    parser.add_argument('--before', help='checkpoint trained without the loss')
    parser.add_argument('--after', help='checkpoint trained with the loss')
    parser.add_argument(
        '--point',
        type=float,
        nargs=2,
        action='append',
        metavar=('X', 'Y'),
        help='reference point in pixels of the image, given once or once per '
        'image (default: the middle)',
    )
    parser.add_argument(
        '--width',
        type=int,
        default=320,
        help='width of a picture in pixels (default: %(default)s)',
    )
    parser.add_argument(
        '--device',
        default='cpu',
        help='device of the model (default: %(default)s)',
    )
    parser.add_argument('--out', required=True, help='PNG to write')
    args = parser.parse_args(argv)
    if args.before is None and args.after is None:
        parser.error('give --before, --after or both')
    points = args.point or []
    if len(points) not in (0, 1, len(args.images)):
        parser.error(
            f'--point is given {len(points)} times for {len(args.images)} '
            'images: give it once, or once an image'
        )
    args.config = find_config(args.config)
    named = [*args.images, args.before, args.after]
    for path in named:
        if path is not None and not Path(path).is_file():
            parser.error(f'file not found: {path!r}')
    if not args.out.lower().endswith('.png'):
        parser.error(f'--out must end in .png, got {args.out!r}')
    return args


def load_model(config: str, checkpoint: str, device: str) -> Any:
    """Build the config's model; mmseg_sparse is imported by now."""
    from mmseg.apis import init_model

    return init_model(config, checkpoint, device=device)


def attention_of_point(
    model: Any, image: Any, point: tuple[float, float]
) -> list[Any]:
    """Return one map a stage of what a point of an image attends to.

    Args:
        model: A segmentor with a backbone whose attention can be recorded.
        image: BGR picture, ``(H, W, 3)``.
        point: x and y in pixels of the image.

    Returns:
        Arrays of the stages' key grids, each summing to 1.
    """
    import torch

    from mmseg_sparse.functional import Attention
    from mmseg_sparse.models.backbones import AttentionRecorder

    height, width = image.shape[:2]
    x, y = point
    if not (0 <= x < width and 0 <= y < height):
        raise SystemExit(
            f'--point {x:g} {y:g} lies outside the image of {width} x '
            f'{height} pixels'
        )
    batch = torch.from_numpy(image).permute(2, 0, 1)
    data = model.data_preprocessor(dict(inputs=[batch]), False)
    with torch.no_grad(), AttentionRecorder(model.backbone) as stages:
        model.backbone(data['inputs'])
    maps = []
    for layers in stages:
        rows, columns = layers[0].query_hw
        token = int(y * rows / height) * columns + int(x * columns / width)
        weights = [
            Attention(
                layer.query[:, :, token : token + 1],
                layer.key,
                layer.scale,
                (1, 1),
                layer.key_hw,
            ).dense()
            for layer in layers
        ]
        mean = torch.stack(weights).mean((0, 1, 2))[0]
        maps.append(mean.reshape(layers[0].key_hw).cpu().numpy())
    return maps


def draw_point(picture: Any, point: tuple[float, float]) -> Any:
    """Return the picture with a red star at the point."""
    import cv2

    at = (round(point[0]), round(point[1]))
    out = picture.copy()
    for color, thickness in (((255, 255, 255), 5), ((220, 0, 0), 2)):
        for mark in (cv2.MARKER_CROSS, cv2.MARKER_TILTED_CROSS):
            cv2.drawMarker(out, at, color, mark, 16, thickness, cv2.LINE_AA)
    return out


def heat(picture: Any, weights: Any) -> Any:
    """Return the picture under a heat map, red where the weight is most.

    Uniform attention is blue: full red is at least four times as much.
    """
    import cv2

    from mmseg_sparse.visualization import heat_map

    top = max(weights.max(), 4 / weights.size)
    large = cv2.resize(weights, picture.shape[1::-1])
    return heat_map(picture, large, top=top)


def draw_rows(
    model: Any,
    name: str,
    images: Sequence[str],
    points: Sequence[tuple[float, float] | None],
    width: int,
) -> list[tuple[list[Any], list[str]]]:
    """Return the pictures and captions of each image for one checkpoint."""
    import cv2

    rows = []
    for path, given in zip(images, points, strict=True):
        image = cv2.imread(path)
        if image is None:
            raise SystemExit(f'cannot read the image {path!r}')
        middle = (image.shape[1] / 2, image.shape[0] / 2)
        point = given or middle
        maps = attention_of_point(model, image, point)
        scale = width / image.shape[1]
        small = cv2.resize(
            image[..., ::-1], None, fx=scale, fy=scale,
            interpolation=cv2.INTER_AREA,
        )  # fmt: skip
        at = (point[0] * scale, point[1] * scale)
        pictures = [draw_point(small, at)]
        pictures += [draw_point(heat(small, one), at) for one in maps]
        captions = [name] + [
            f'highest {one.max():.3f}, uniform {1 / one.size:.3f}'
            for one in maps
        ]
        rows.append((pictures, captions))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the sheet."""
    args = parse_args(argv)
    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.visualization import encode_png, picture_sheet

    points = [tuple(point) for point in args.point or [()]]
    if len(points) == 1:
        points *= len(args.images)
    rows = []
    for name, checkpoint in (('before', args.before), ('after', args.after)):
        if checkpoint is None:
            continue
        print(f'{name}: {checkpoint}', flush=True)
        model = load_model(args.config, checkpoint, args.device)
        rows.append(draw_rows(model, name, args.images, points, args.width))
    ordered = [row for group in zip(*rows, strict=True) for row in group]
    stages = len(ordered[0][0]) - 1
    sheet = picture_sheet(
        [pictures for pictures, _ in ordered],
        ['image and point', *(f'stage {i + 1}' for i in range(stages))],
        captions=[captions for _, captions in ordered],
    )
    try:
        write_whole(args.out, encode_png(sheet))
    except OSError as error:
        raise SystemExit(f'cannot write {args.out!r}: {error}') from error
    print(args.out)


if __name__ == '__main__':
    run_tool(main)
