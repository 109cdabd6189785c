r"""Draw what DCTN's streams attend to, from points of an image.

One row for each image, query point and network (figure 4 of TRL's paper).
First the image with the point, and the heat map of the point's class that the
network reads. Then for the image stream and for the heat map stream
  q k   what the query attends to: the softmax of its scores with all keys
  a     the length of what the attention adds to each token, which comes from
        the values of the other stream (eq. 5)
and the prediction.

  python -m mmseg_sparse visualize_cross_attention \
      work_dirs/trl_toy/dctn1/config.py work_dirs/trl_toy/dctn1/iter_1000.pth \
      cross.png --images 3 train_0042 --beside \
      work_dirs/trl_toy_dtn/dctn1/config.py \
      work_dirs/trl_toy_dtn/dctn1/iter_1000.pth

The layer is the last one of a stage, in which the streams cross; q k is the
mean over its heads. --beside draws a second network below, such as the one
whose streams do not cross (DTN). By default there is one point for each heat
map of an image, where it is highest. Needs configs whose pipelines load the
heat maps, as trl_pipeline writes them.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _affinity_queries import choose
from _arguments import (
    add_config_argument,
    add_device_argument,
    at_least,
    check_checkpoint,
    fail,
    find_config,
    make_parser,
    run_tool,
)
from visualize_affinity import labels_on, right
from visualize_attention import draw_point

STREAMS = {'image': 'image stream', 'heatmap': 'heat map stream'}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument('checkpoint', help='file of its checkpoint')
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument(
        '--beside', nargs=2, metavar=('CONFIG', 'CHECKPOINT'),
        help='another network, drawn below for the same points',
    )  # fmt: skip
    parser.add_argument(
        '--split', choices=('train', 'val', 'test'), default='train',
        help='data loader whose images are drawn (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--images', nargs='+', metavar='IMAGE',
        help='numbers in the data set, counted from 0, or names without '
        'suffix (default: 4, spread evenly)',
    )  # fmt: skip
    parser.add_argument(
        '--point', type=float, nargs=2, action='append', metavar=('X', 'Y'),
        help='query point in pixels of the image, instead of the highest of '
        'each heat map; may be given several times',
    )  # fmt: skip
    parser.add_argument(
        '--stage', type=at_least(1), default=4, metavar='N',
        help='stage of the backbone, from 1 (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--width', type=at_least(32), default=160, metavar='PX',
        help='longer side of a picture (default: %(default)s)',
    )  # fmt: skip
    add_device_argument(parser)
    parser.add_argument('--overwrite', action='store_true', help='replace OUT')
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != '.png':
        parser.error(f'OUT must end in .png, got {str(args.out)!r}')
    if args.out.exists() and not args.overwrite:
        parser.error(f'{args.out} exists: name another file, or --overwrite')
    args.networks = [(args.config, args.checkpoint)]
    if args.beside is not None:
        args.networks.append(tuple(args.beside))
    args.networks = [
        (find_config(config), checkpoint)
        for config, checkpoint in args.networks
    ]
    for _, checkpoint in args.networks:
        check_checkpoint(checkpoint)
    return args


@dataclass
class Crossed:
    """The last attention of a stage of one stream.

    Attributes:
        weights: Of each token with each key, ``(M, M')``, mean over heads;
            rows sum to 1.
        output: Length of what is added to each token, ``(M,)``.
        query_hw: Rows and columns of the tokens.
        key_hw: Rows and columns of the keys.
    """

    weights: Any
    output: Any
    query_hw: tuple[int, int]
    key_hw: tuple[int, int]


@dataclass
class Seen:
    """What a network makes of an image.

    Attributes:
        heatmaps: That it reads, ``(C, H, W)``.
        streams: Attention by the names in ``STREAMS``.
        inside: Shares of rows and columns that are image, not padding.
        prediction: ``(H, W)``.
        truth: Likewise, or None.
    """

    heatmaps: Any
    streams: dict[str, Crossed]
    inside: tuple[float, float]
    prediction: Any
    truth: Any


def look(model: Any, item: Any, stage: int) -> Seen:
    """Run a network on an image and keep the attention of a stage.

    Args:
        model: A ``HeatmapRefiner`` on a ``DualCrossTransformer``.
        item: A ``WholeImage``.
        stage: From 1.

    Raises:
        ValueError: If there is no such stage or no second stream.
    """
    import torch

    from mmseg_sparse.pseudo_labels.whole_images import to_batch

    backbone = model.backbone
    _check(model, stage)
    calls: dict[str, tuple[Any, ...]] = {}
    layers = {
        name: backbone.transformers[name].layers[stage - 1][-1].attn
        for name in STREAMS
    }
    handles = [
        layer.attn.register_forward_pre_hook(
            lambda _, inputs, name=name: calls.update({name: inputs})
        )
        for name, layer in layers.items()
    ]
    inputs, (sample,) = to_batch(model, item.load())
    try:
        with torch.no_grad():
            (result,) = model.predict(inputs, [sample])
    finally:
        for handle in handles:
            handle.remove()
    # The backbone pads at the right and the bottom, to its stride.
    padded = [n + -n % backbone.stride for n in inputs.shape[2:]]
    embeddings = backbone.transformers['image'].patch_embeds[:stage]
    stride = math.prod(e.projection.stride[0] for e in embeddings)
    grid = padded[0] // stride, padded[1] // stride
    height, width = sample.img_shape[:2]
    labels = result.pred_sem_seg.data[0].cpu().numpy().astype('uint8')
    truth = sample.get('gt_sem_seg')
    return Seen(
        sample.heatmap.data.cpu().numpy(),
        {
            name: _crossed(layer, calls[name], grid)
            for name, layer in layers.items()
        },
        (height / padded[0], width / padded[1]),
        labels,
        None if truth is None else truth.data[0].cpu().numpy(),
    )


def _check(model: Any, stage: int) -> None:
    """Raise if a model has no such streams or stage."""
    from mmseg_sparse.models.backbones import DualCrossTransformer

    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, DualCrossTransformer) or set(
        backbone.streams
    ) != set(STREAMS):
        raise ValueError(
            'expected a HeatmapRefiner whose DualCrossTransformer has an '
            f'image and a heat map stream, got {type(backbone).__name__} '
            f'{getattr(backbone, "streams", "")}'
        )
    if not 1 <= stage <= backbone.num_stages:
        raise ValueError(
            f'--stage must be 1 to {backbone.num_stages}, got {stage}'
        )
    if model.test_cfg.get('mode', 'whole') != 'whole':
        raise ValueError(
            "expected test_cfg.mode='whole', got 'slide': windows have "
            'attention of their own'
        )


def _crossed(layer: Any, inputs: Any, query_hw: tuple[int, int]) -> Crossed:
    """Return the attention of a layer for the inputs that it had."""
    import torch

    with torch.no_grad():
        output, weights = layer.attn(*inputs, need_weights=True)
    rows, columns = (-(-n // layer.sr_ratio) for n in query_hw)
    return Crossed(
        weights[0].cpu().numpy(),
        output[:, 0].norm(dim=1).cpu().numpy(),
        query_hw,
        (rows, columns),
    )


def queries(seen: Seen, points: Any, where: str) -> list[Any]:
    """Return each query, ``(x, y)``, with the class of its heat map.

    Raises:
        ValueError: If a point lies outside the image.
    """
    maps = seen.heatmaps
    height, width = maps.shape[1:]
    if points is None:
        found = []
        for index in maps.any((1, 2)).nonzero()[0]:
            y, x = divmod(int(maps[index].argmax()), width)
            found.append(((float(x), float(y)), int(index)))
        return found
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f'--point {x:g} {y:g} lies outside {where} of {width} x '
                f'{height} pixels'
            )
    return [((x, y), int(maps[:, int(y), int(x)].argmax())) for x, y in points]


def token_at(seen: Seen, grid: tuple[int, int], point: Sequence[float]) -> int:
    """Return the number of the token at a point of the image."""
    height, width = seen.heatmaps.shape[1:]
    rows, columns = grid
    row = int((point[1] + 0.5) / height * seen.inside[0] * rows)
    column = int((point[0] + 0.5) / width * seen.inside[1] * columns)
    return min(row, rows - 1) * columns + min(column, columns - 1)


def spread(tokens: Any, seen: Seen, size: tuple[int, int]) -> Any:
    """Resize values of tokens to a picture ``(H, W)``, without padding."""
    import cv2

    height, width = (
        round(n / share) for n, share in zip(size, seen.inside, strict=True)
    )
    return cv2.resize(tokens, (width, height))[: size[0], : size[1]]


def draw_row(
    seen: Seen, image: Any, query: Any, names: Sequence[str], palette: Any
) -> tuple[list[Any], list[str]]:
    """Return the pictures of a query and the captions below.

    Args:
        seen: What the network makes of the image.
        image: RGB, of the size of the pictures.
        query: Of ``queries``.
        names: Below the first two pictures.
        palette: Colours of the classes.
    """
    import cv2

    from mmseg_sparse.visualization import heat_map, to_grey

    point, index = query
    grey, size = to_grey(image), image.shape[:2]
    scale = size[1] / seen.heatmaps.shape[2]
    at = ((point[0] + 0.5) * scale, (point[1] + 0.5) * scale)
    pictures = [
        image, heat_map(grey, cv2.resize(seen.heatmaps[index], size[::-1])),
    ]  # fmt: skip
    captions = [*names]
    for crossed in seen.streams.values():
        token = token_at(seen, crossed.query_hw, point)
        times = crossed.weights[token] * crossed.weights.shape[1]
        large = spread(times.reshape(crossed.key_hw), seen, size)
        pictures.append(heat_map(grey, large, top=max(times.max(), 4)))
        captions.append(f'up to {times.max():.1f} x uniform')
        length = spread(crossed.output.reshape(crossed.query_hw), seen, size)
        low, high = length.min(), length.max()
        # Nearly equal lengths stay nearly blue.
        level = (length - low) / max(high - low, high / 2, 1e-12)
        pictures.append(heat_map(grey, level))
        captions.append(f'{low:.2g} to {high:.2g}')
    pictures = [draw_point(picture, at) for picture in pictures]
    pictures.append(labels_on(grey, seen.prediction, palette))
    captions.append(right(seen.prediction, seen.truth))
    return pictures, captions


def networks(args: argparse.Namespace) -> list[Any]:
    """Return title, images and model of each network."""
    from mmengine.config import Config

    from mmseg_sparse.pseudo_labels.whole_images import (
        best_device,
        load_segmentor,
        whole_images,
    )

    device = args.device or best_device()
    found = []
    for config, checkpoint in args.networks:
        cfg = Config.fromfile(config)
        path = Path(config)
        title = path.parent.parent.name if path.stem == 'config' else path.stem
        images = whole_images(cfg, args.split)
        found.append((title, images, load_segmentor(cfg, checkpoint, device)))
    return found


def sheet_of(args: argparse.Namespace) -> Any:
    """Return the sheet, RGB."""
    import cv2

    from mmseg_sparse.labels.label_map import distinct_palette
    from mmseg_sparse.visualization import fit_into, on_paper, picture_sheet

    nets = networks(args)
    images = nets[0][1]
    palette = images.palette or distinct_palette(len(images.classes))
    rows, captions = [], []
    for item in choose(images, args.images):
        picture = cv2.imread(item.path)[..., ::-1]
        small = fit_into(picture, (args.width, args.width))
        looks = [
            (title, look(model, choose(own, [item.name])[0], args.stage))
            for title, own, model in nets
        ]
        for query in queries(looks[0][1], args.point, item.path):
            for title, seen in looks:
                names = f'{item.name}: {images.classes[query[1]]}', title
                row = draw_row(seen, small, query, names, palette)
                rows.append(row[0])
                captions.append(row[1])
    if not rows:
        raise ValueError('the images have no heat maps: give --point X Y')
    box = tuple(max(row[0].shape[i] for row in rows) for i in (0, 1))
    titles = ['image, query', 'heat map']
    for title in STREAMS.values():
        titles += [f'q k, {title}', f'a, {title}']
    return picture_sheet(
        [[on_paper(p, box, centred=True) for p in row] for row in rows],
        [*titles, 'prediction'],
        captions=captions,
        classes=images.classes,
        palette=palette,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the sheet."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.visualization import encode_png

    try:
        write_whole(args.out, encode_png(sheet_of(args)))
    except Exception as error:  # a config is code
        fail(error)
    print(args.out)


if __name__ == '__main__':
    run_tool(main)
