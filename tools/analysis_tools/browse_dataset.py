"""Show samples of a data set after the pipeline, with their labels.

Draws each sample as the model gets it, but without normalisation: the image,
and the labels thick enough to see. The line below gives the size, the labelled
share, the number of pieces (points, strokes), the share of padding that the
model's data preprocessor adds (hatched), and the image-level labels, gt_label.
Writes OUT/sheet.png with all samples, and one PNG for each. Labels that a
transform simulates or loses look as they do in training; the same --seed draws
the same samples.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import (
    add_cfg_options,
    add_config_argument,
    at_least,
    fail,
    find_config,
    make_parser,
    one_line,
    run_tool,
)

SPLITS = ('train', 'val', 'test')
SHEET = 'sheet.png'
#: Samples of a sheet have about this longer side at least, in pixels.
SIDE = 200


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument(
        '--split',
        choices=SPLITS,
        default='train',
        help='which data set of the config (default: %(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder to make (default: work_dirs/browse_dataset/CONFIG-SPLIT)',
    )  # fmt: skip
    parser.add_argument(
        '--number', type=at_least(1), default=12, metavar='N',
        help='number of samples to draw (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--start', type=at_least(0), default=0, metavar='K',
        help='number of the first image, from 0 (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--shuffle', action='store_true',
        help='choose images at random instead of the first ones',
    )  # fmt: skip
    parser.add_argument(
        '--seed', type=at_least(0), default=0,
        help='seed of random transforms and --shuffle (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--widen', type=at_least(0), metavar='PX',
        help='pixels added to each side of strokes (default: depends on the '
        'size of the sample; more for points)',
    )  # fmt: skip
    parser.add_argument(
        '--overwrite', action='store_true',
        help='replace pictures of the same names in OUT',
    )  # fmt: skip
    add_cfg_options(parser)
    return parser.parse_args(argv)


def load_dataset(args: argparse.Namespace, path: str) -> tuple[Any, Any]:
    """Build the data set of a split, with its pipeline.

    Returns:
        The data set, and the ``(height, width)`` to which the model's data
        preprocessor pads its samples, or None.
    """
    from mmengine.config import Config
    from mmseg.registry import DATASETS
    from mmseg.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    cfg = Config.fromfile(path)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    loader = cfg.get(f'{args.split}_dataloader')
    if loader is None or loader.get('dataset') is None:
        fail(f'{path} has no {args.split}_dataloader.dataset')
    dataset = DATASETS.build(loader.dataset)
    if not len(dataset):
        fail(f'the {args.split} data set has no images')
    model = cfg.get('model') or {}
    preprocessor = model.get('data_preprocessor') or {}
    if args.split != 'train':
        preprocessor = preprocessor.get('test_cfg') or {}
    size = preprocessor.get('size')
    return dataset, None if size is None else tuple(size)


def choose(args: argparse.Namespace, total: int) -> list[int]:
    """Return the numbers of the images to draw."""
    import numpy as np

    if args.shuffle:
        order = np.random.default_rng(args.seed).permutation(total).tolist()
    else:
        order = list(range(total))
    chosen = order[args.start : args.start + args.number]
    if not chosen:
        fail(f'--start {args.start}: there are only {total} images')
    return chosen


def samples(dataset: Any, chosen: list[int], seed: int) -> Iterator[Any]:
    """Yield the samples, each with random numbers of its own."""
    import random

    import numpy as np
    import torch

    for index in chosen:
        # The same sample whichever others are drawn.
        own = np.random.SeedSequence([seed, index]).generate_state(1)[0]
        random.seed(int(own))
        np.random.seed(own)  # noqa: NPY002  (what mmcv's transforms use)
        torch.manual_seed(int(own))
        yield dataset[index]


def take_apart(sample: Any) -> tuple[Any, Any, Any]:
    """Return the RGB picture, the label map and the data sample.

    A pipeline of test-time augmentation gives several: the first is taken.
    """
    import numpy as np

    if not isinstance(sample, dict) or 'inputs' not in sample:
        kind = type(sample).__name__
        keys = ', '.join(sample) if isinstance(sample, dict) else ''
        fail(f'the pipeline gives a {kind} ({keys}) without inputs: it must '
             'end in PackSegInputs or PackSparseInputs')  # fmt: skip
    inputs, data = sample['inputs'], sample['data_samples']
    if isinstance(inputs, (list, tuple)):
        inputs, data = inputs[0], data[0]
    image = inputs.numpy()[::-1].transpose(1, 2, 0)  # from BGR
    if image.dtype != np.uint8:
        image = stretch(image)
    labels = None
    if 'gt_sem_seg' in data:
        labels = data.gt_sem_seg.data.squeeze(0).numpy()
        # The values beyond 8 bits are no label here.
        labels = np.where((labels < 0) | (labels > 255), 255, labels)
        labels = labels.astype(np.uint8)
    return np.ascontiguousarray(image), labels, data


def stretch(image: Any) -> Any:
    """Return an image that the pipeline normalised, for the eye."""
    import numpy as np

    low, high = float(image.min()), float(image.max())
    if 0 <= low and 1.5 < high <= 255:
        low, high = 0.0, 255.0  # floats, as PhotoMetricDistortion leaves them
    scaled = (image - low) / max(high - low, 1e-9)
    return np.rint(255 * scaled).astype(np.uint8)


def draw(
    image: Any, labels: Any, palette: Any, widen: int | None
) -> tuple[Any, Any]:
    """Return the image and its labels as pictures."""
    import numpy as np

    from mmseg_sparse.visualization import draw_labels

    if labels is None or labels.shape != image.shape[:2]:
        return image, np.full_like(image, 235)
    return image, draw_labels(image, labels, palette, widen=widen)


def hatch(picture: Any, size: tuple[int, int]) -> Any:
    """Return a picture whose padding, right and below, is hatched."""
    import numpy as np

    height, width = size
    if picture.shape[:2] == (height, width):
        return picture
    rows, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    padding = (rows >= height) | (columns >= width)
    stripes = (rows + columns) // 6 % 2 == 0
    result = picture.copy()
    result[padding & stripes] = 255
    result[padding & ~stripes] = 200
    return result


def describe(
    labels: Any, data: Any, classes: Any, background: int | None
) -> list[str]:
    """Return what is written below a sample: its labels, then its tags."""
    import cv2
    import numpy as np

    if labels is None:
        texts = ['no label map']
    else:
        known = labels != 255
        pieces = sum(
            cv2.connectedComponents((labels == v).astype(np.uint8))[0] - 1
            for v in np.unique(labels[known])
        )
        texts = [f'{100 * known.mean():.3g} % labelled']
        if known.mean() <= 0.5:
            texts.append(f'{pieces} {"piece" if pieces == 1 else "pieces"}')
    lines = [', '.join(texts)]
    if 'gt_label' in data:
        hot = np.asarray(data.gt_label).astype(bool)
        names = [c for k, c in enumerate(classes) if k != background]
        if len(names) != len(hot):
            names = [f'#{k}' for k in range(len(hot))]
        tags = [n for n, one in zip(names, hot, strict=True) if one]
        lines.append('tags: ' + (', '.join(tags) or 'none'))
    return lines


def padding_share(inside: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """Say how much of a batch's picture is padding."""
    share = 1 - inside[0] * inside[1] / (whole[0] * whole[1])
    return f'{100 * share:.3g} %'


def background_of(dataset: Any) -> int | None:
    """Return the class that is no tag, where the data set says so."""
    while hasattr(dataset, 'dataset') or hasattr(dataset, 'datasets'):
        inner = getattr(dataset, 'dataset', None)
        dataset = inner if inner is not None else dataset.datasets[0]
    space = getattr(dataset, 'tag_space', None)
    if space is not None:
        return space.background
    names = dataset.metainfo.get('classes') or ()
    return names.index('background') if 'background' in names else None


def make_sheet(
    drawn: list[tuple[str, str, Any, Any, list[str]]], title: str,
    classes: Any, palette: Any,
) -> Any:  # fmt: skip
    """Return all samples on one sheet, two a row.

    Small samples are enlarged, so that there is room for the captions.
    """
    import numpy as np

    from mmseg_sparse.visualization import on_paper, picture_sheet

    size = np.max([one[2].shape[:2] for one in drawn], axis=0)
    factor = max(1, round(SIDE / size.max()))
    size = tuple((factor * size).tolist())
    across = min(2, len(drawn))
    rows, captions = [], []
    for start in range(0, len(drawn), across):
        row, line = [], []
        for _, name, image, labelled, lines in drawn[start : start + across]:
            row += [
                on_paper(one.repeat(factor, 0).repeat(factor, 1), size)
                for one in (image, labelled)
            ]
            line += ['   '.join([name, *lines[1:]]), lines[0]]
        missing = 2 * across - len(row)
        rows.append(row + [on_paper(row[0][:0], size)] * missing)
        captions.append(line + [''] * missing)
    return picture_sheet(
        rows, ['image', 'labels'] * across, heading=title, captions=captions,
        classes=classes, palette=palette,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the samples."""
    args = parse_args(argv)
    path = find_config(args.config)
    name = f'{Path(path).stem}-{args.split}'
    out = args.out or Path('work_dirs', 'browse_dataset', name)
    if out.exists() and not out.is_dir():
        fail(f'--out is not a folder: {str(out)!r}')
    if (out / SHEET).exists() and not args.overwrite:
        fail(f'{out / SHEET} exists: name another folder, or --overwrite')
    import mmseg_sparse  # noqa: F401

    try:
        dataset, size = load_dataset(args, path)
        pictures = browse(args, dataset, Path(path).stem, size)
    except Exception as error:  # a config and its pipeline are code
        fail(f'{path}: {one_line(error)}')
    write(out, pictures, args.overwrite)


def browse(
    args: argparse.Namespace, dataset: Any, title: str, size: Any
) -> dict[str, Any]:
    """Return the pictures to write, by file name."""
    import numpy as np

    from mmseg_sparse.visualization import on_paper

    classes = tuple(dataset.metainfo.get('classes') or ())
    palette = dataset.metainfo.get('palette') or []
    background = background_of(dataset)
    chosen = choose(args, len(dataset))
    drawn = []
    for index, sample in zip(
        chosen, samples(dataset, chosen, args.seed), strict=True
    ):
        image, labels, data = take_apart(sample)
        inside = tuple(data.get('img_shape', image.shape)[:2])
        whole = tuple(np.maximum(image.shape[:2], size or 0).tolist())
        pair = [
            hatch(on_paper(picture, whole), inside)
            for picture in draw(image, labels, palette, args.widen)
        ]
        stem = Path(str(data.get('img_path', index))).stem
        lines = describe(labels, data, classes, background)
        if inside != whole:
            lines[0] += f', {padding_share(inside, whole)} padding'
        name = f'{stem}  {inside[1]}x{inside[0]}'
        drawn.append((stem, name, *pair, lines))
        print(f'{len(drawn)}/{len(chosen)} {name}: {"; ".join(lines)}',
              flush=True)  # fmt: skip
    heading = (
        f'{title}, {args.split}: {len(drawn)} of {len(dataset)} samples after '
        f'the pipeline, seed {args.seed}'
    )
    pictures = {SHEET: make_sheet(drawn, heading, classes, palette)}
    for index, one in zip(chosen, drawn, strict=True):
        pictures[f'{index:05d}_{one[0]}.png'] = make_sheet(
            [one], one[0], classes, palette
        )
    return pictures


def write(out: Path, pictures: dict[str, Any], overwrite: bool) -> None:
    """Write all pictures, or none."""
    from mmseg_sparse.utils.atomic import write_all_whole
    from mmseg_sparse.visualization import encode_png

    there = [out / name for name in pictures if (out / name).exists()]
    if there and not overwrite:
        fail(f'{there[0]} exists: name another folder, or --overwrite')
    try:
        write_all_whole(
            {out / name: encode_png(one) for name, one in pictures.items()}
        )
    except OSError as error:
        fail(f'cannot write to {out}: {error}')
    print(f'written: {out / SHEET} and {len(pictures) - 1} samples')


if __name__ == '__main__':
    run_tool(main)
