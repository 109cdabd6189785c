"""Count the labelled points and pixels that reach the model in an epoch.

Runs the training pipeline of each CONFIG over its images. After each step, it
counts which points and strokes of the label maps are left. A point or stroke
is an 8-connected set of pixels of one class, as loaded or simulated; in a
dense mask it is a region. Each image has its own random numbers, the same for
all configs, so that configs which differ in one transform can be compared.
Nothing is trained.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import (
    ProgressBar,
    add_cfg_options,
    at_least,
    fail,
    find_config,
    make_parser,
    one_line,
    run_tool,
)

#: Steps whose names begin so make the labels that are counted.
MAKERS = ('Load', 'Simulate', 'Shrink', 'Drop')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG',
        help='path of a config, or the name of one of mmseg_sparse',
    )  # fmt: skip
    parser.add_argument(
        '--epochs',
        type=at_least(1),
        default=1,
        metavar='N',
        help='number of epochs to average over (default: %(default)s)',
    )
    parser.add_argument(
        '--images', type=at_least(1), metavar='N',
        help='use only N images, evenly spread (default: all)',
    )  # fmt: skip
    parser.add_argument(
        '--seed',
        type=at_least(0),
        default=0,
        help='seed of the random transforms (default: %(default)s)',
    )
    add_cfg_options(parser, 'override settings of every config')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an --out that exists'
    )
    args = parser.parse_args(argv)
    if args.out and args.out.exists() and not args.overwrite:
        parser.error(f'--out exists: {args.out} (--overwrite replaces it)')
    return args


def number_points(labels: Any, ignore_index: int) -> tuple[list[Any], int]:
    """Give each connected set of pixels of one class a number of its own.

    Returns:
        Planes like ``labels``, as many as numbers fit into them, and how many
        sets there are. Transforms treat a plane as they treat a label map.
    """
    import cv2
    import numpy as np

    codes = [code for code in range(256) if code != ignore_index]
    numbers = np.full(labels.shape, -1, np.int64)
    total = 0
    for value in np.unique(labels[labels != ignore_index]):
        count, found = cv2.connectedComponents(
            (labels == value).astype(np.uint8), connectivity=8
        )
        inside = found > 0
        numbers[inside] = found[inside] - 1 + total
        total += count - 1
    planes = []
    for start in range(0, total, len(codes)):
        plane = np.full(labels.shape, ignore_index, np.uint8)
        inside = (numbers >= start) & (numbers < start + len(codes))
        plane[inside] = np.array(codes, np.uint8)[numbers[inside] - start]
        planes.append(plane)
    return planes, total


def remaining(results: dict[str, Any], ignore_index: int) -> int:
    """Return how many of the numbered points a sample still has."""
    import numpy as np

    total = 0
    for key in results['seg_fields']:
        if key.startswith('points_'):
            count = np.bincount(results[key].ravel(), None, 256)
            count[ignore_index] = 0
            total += np.count_nonzero(count)
    return total


def datasets(
    dataset: Any, outer: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the data sets inside wrappers, and the steps of the wrappers.

    Raises:
        ValueError: If one of these steps mixes images.
    """
    inner = getattr(dataset, 'datasets', None)
    if inner is None and hasattr(dataset, 'dataset'):
        inner = [dataset.dataset]
    if inner is None:
        yield dataset, outer
        return
    # MultiImageMixDataset has one; it comes after those of what it wraps.
    own = getattr(dataset, 'pipeline', ())
    skipped = getattr(dataset, '_skip_type_keys', None) or ()
    names = getattr(dataset, 'pipeline_types', [type(s).__name__ for s in own])
    kept = []
    for name, step in zip(names, own, strict=True):
        if name in skipped:
            continue
        if hasattr(step, 'get_indices'):
            raise ValueError(
                f'{type(step).__name__} mixes several images: the points of '
                'one cannot be followed through it; leave it out by '
                '--cfg-options, or count without the wrapper'
            )
        kept.append(step)
    for one in inner:
        yield from datasets(one, (*kept, *outer))


def split(pipeline: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the steps that make the labels and those that change them."""
    names = [type(step).__name__ for step in pipeline]
    made = [i for i, name in enumerate(names) if name.startswith(MAKERS)]
    end = [i for i, name in enumerate(names) if name.startswith('Pack')]
    first = made[-1] + 1 if made else 0
    last = end[0] if end else len(names)
    if first > last:
        raise ValueError(
            'the training pipeline makes labels after packing: '
            f'{", ".join(names)}'
        )
    return pipeline[:first], pipeline[first:last]


def count_sample(
    results: dict[str, Any], steps: list[Any], ignore_index: int
) -> Counter[str]:
    """Count one sample: points before, after each step, pixels, classes."""
    import numpy as np

    if results.get('gt_seg_map') is None:
        raise ValueError(
            f'{results.get("img_path")}: no label map is loaded in training'
        )
    planes, total = number_points(results['gt_seg_map'], ignore_index)
    for number, plane in enumerate(planes):
        results[f'points_{number}'] = plane
        results['seg_fields'].append(f'points_{number}')
    counted: Counter[str] = Counter(samples=1, points=total)
    for number, step in enumerate(steps):
        results = step(results)
        if results is None:
            raise ValueError(f'{type(step).__name__} dropped the sample')
        counted[f'step {number}'] = remaining(results, ignore_index)
    labels = results['gt_seg_map']
    classes = np.unique(labels[labels != ignore_index])
    counted['reaching'] = remaining(results, ignore_index)
    counted['pixels'] = np.count_nonzero(labels != ignore_index)
    counted['all pixels'] = labels.size
    counted['without label'] = len(classes) == 0
    counted['several classes'] = len(classes) > 1
    counted['classes'] = len(classes)
    return counted


def count_config(path: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return the counts of a config, summed over all epochs."""
    import random

    import numpy as np
    from mmengine.config import Config
    from mmengine.registry import DATASETS, init_default_scope

    cfg = Config.fromfile(path)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if cfg.get('train_dataloader') is None:
        raise ValueError(f'{path} has no train_dataloader')
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    parts = list(datasets(DATASETS.build(cfg.train_dataloader.dataset)))
    places = [(d, outer, i) for d, outer in parts for i in range(len(d))]
    if args.images and args.images < len(places):
        chosen = np.linspace(0, len(places) - 1, args.images).round()
        places = [places[int(i)] for i in chosen]
    total: Counter[str] = Counter()
    names: list[str] = []
    print(Path(path).stem, flush=True)
    bar = ProgressBar()
    for epoch in range(args.epochs):
        for number, (dataset, outer, index) in enumerate(places):
            np.random.seed([args.seed, epoch, number])  # noqa: NPY002
            random.seed(f'{args.seed} {epoch} {number}')
            makers, steps = split([*dataset.pipeline.transforms, *outer])
            results = dataset.get_data_info(index)
            for step in makers:
                results = step(results)
            total += count_sample(results, steps, dataset.ignore_index)
            names = [type(step).__name__ for step in steps]
            done = epoch * len(places) + number + 1
            bar(done, args.epochs * len(places))
    return summarise(path, total, names, args)


def summarise(
    path: str, total: Counter[str], names: list[str], args: argparse.Namespace
) -> dict[str, Any]:
    """Turn sums into figures of an epoch and of a sample."""
    samples, points = total['samples'], max(total['points'], 1)
    return {
        'config': path,
        'seed': args.seed,
        'epochs': args.epochs,
        'images': samples // args.epochs,
        'points': total['points'] / args.epochs,
        'points reaching the model': total['reaching'] / args.epochs,
        'kept after': [
            {'step': name, 'share': total[f'step {number}'] / points}
            for number, name in enumerate(names)
        ],
        'labelled pixels of a sample': total['pixels'] / samples,
        'labelled share': total['pixels'] / total['all pixels'],
        'classes of a sample': total['classes'] / samples,
        'samples without label': total['without label'] / args.epochs,
        'samples of several classes': total['several classes'] / args.epochs,
    }


def print_tables(figures: list[dict[str, Any]]) -> None:
    """Print what an epoch has, a column a config."""
    from prettytable import PrettyTable

    table = PrettyTable(['an epoch'] + [chr(97 + i) for i, _ in
                                        enumerate(figures)])  # fmt: skip
    table.align = 'r'
    table.align['an epoch'] = 'l'

    def row(name: str, form: str) -> None:
        table.add_row([name] + [form.format(one[name]) for one in figures])

    row('images', '{}')
    row('points', '{:.1f}')
    row('points reaching the model', '{:.1f}')
    for number in range(max(len(one['kept after']) for one in figures)):
        cells = []
        for one in figures:
            step = one['kept after'][number : number + 1]
            cells += [f'{s["share"]:.1%} {s["step"]}' for s in step] or ['']
        table.add_row([f'  left after step {number + 1}', *cells])
    row('labelled pixels of a sample', '{:.1f}')
    row('labelled share', '{:.4%}')
    row('classes of a sample', '{:.2f}')
    row('samples without label', '{:.1f}')
    row('samples of several classes', '{:.1f}')
    for number, one in enumerate(figures):
        print(f'{chr(97 + number)}: {Path(one["config"]).stem}')
    print(table)


def main(argv: Sequence[str] | None = None) -> None:
    """Count, print the tables, write the figures."""
    args = parse_args(argv)
    paths = [find_config(name) for name in args.configs]
    import mmseg_sparse  # noqa: F401
    from mmseg_sparse.utils.atomic import write_whole

    try:
        figures = [count_config(path, args) for path in paths]
        print_tables(figures)
        if args.out:
            write_whole(args.out, json.dumps(figures, indent=1).encode())
    except (OSError, ValueError, KeyError, AssertionError) as error:
        # Errors of the registries are long; one line is enough.
        fail(f'{type(error).__name__}: {one_line(error)}')


if __name__ == '__main__':
    run_tool(main)
