"""Measure how many masks a second each label simulator does on one core.

MASKS are resized (nearest) to --size first. Each simulator then processes all
masks --repeats times in one thread; the smallest processor time is reported.
The strokes that shrink and drop reduce are simulated. Processor time excludes
other programs, but these can still slow down caches and clock.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'masks', type=Path, help='folder of dense index PNGs, 255 = void'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        default=(512, 512),
        help='size of the masks (default: 512 512)',
    )
    parser.add_argument(
        '--step', type=int, default=1, help='use every STEPth mask'
    )
    parser.add_argument(
        '--repeats', type=int, default=3, help='passes (default: 3)'
    )
    parser.add_argument('--out', help='write the figures to this JSON file')
    args = parser.parse_args(argv)
    if min(*args.size, args.step, args.repeats) < 1:
        parser.error('--size, --step and --repeats must be at least 1')
    return args


def simulators(num_classes: int) -> dict[str, Callable[..., Any]]:
    """Return what is measured, by name; strokes come first."""
    from functools import partial

    from mmseg_sparse.labels import simulate

    scribbles = partial(simulate.simulate_scribbles, seed=0)
    points = partial(simulate.simulate_points, seed=0)
    blocks = partial(simulate.simulate_blocks, seed=0)
    shrink = partial(simulate.shrink_scribbles, seed=0)
    drop = partial(simulate.drop_scribbles, seed=0)

    def tags(labels: Any, image_id: str) -> Any:
        return simulate.simulate_tags(
            labels, num_classes=num_classes, background=None
        )

    return {
        'scribbles': scribbles,
        'points, central': points,
        'points, 3 central': partial(points, per_region=3),
        'points, uniform': partial(points, placement='uniform'),
        'blocks, 10 %': partial(blocks, share=0.1),
        'blocks, 20 %': partial(blocks, share=0.2),
        'blocks, 50 %': partial(blocks, share=0.5),
        'tags': tags,
        'shrink to 0': partial(shrink, ratio=0.0),
        'shrink to 50 %': partial(shrink, ratio=0.5),
        'drop 50 %': partial(drop, ratio=0.5),
    }


def load(args: argparse.Namespace) -> tuple[list[str], list[Any]]:
    """Return names and masks."""
    import cv2

    from mmseg_sparse.labels.label_map import load_png_index

    paths = sorted(args.masks.rglob('*.png'))[:: args.step]
    if not paths:
        raise FileNotFoundError(f'{args.masks}: no PNG in it')
    masks = [
        cv2.resize(
            load_png_index(path),
            args.size[::-1],
            interpolation=cv2.INTER_NEAREST,
        )
        for path in paths
    ]
    return [path.stem for path in paths], masks


def measure(
    simulate: Callable[..., Any],
    names: Sequence[str],
    masks: Sequence[Any],
    repeats: int,
) -> tuple[list[Any], float]:
    """Return the results and the least processor seconds of a pass."""
    results: list[Any] = []
    best = float('inf')
    simulate(masks[0], image_id='warm-up')
    for _ in range(repeats):
        start = time.process_time()
        results = [
            simulate(mask, image_id=name)
            for name, mask in zip(names, masks, strict=True)
        ]
        best = min(best, time.process_time() - start)
    return results, best


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = parse_args(argv)
    import cv2
    import numpy as np

    import mmseg_sparse

    cv2.setNumThreads(1)
    try:
        names, masks = load(args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'benchmark_simulators: error: {error}') from None
    classes = max(int(m[m != 255].max(initial=0)) for m in masks) + 1
    height, width = args.size
    print(
        f'{len(masks)} masks of {height}x{width}, numpy {np.__version__}, '
        f'OpenCV {cv2.__version__}, mmseg_sparse {mmseg_sparse.__version__}'
    )
    print(f'{"simulator":20} {"images/s":>9} {"ms":>7} {"labelled":>9}')
    figures: dict[str, Any] = {}
    strokes = masks
    for name, simulate in simulators(classes).items():
        reduces = name.startswith(('shrink', 'drop'))
        results, seconds = measure(
            simulate, names, strokes if reduces else masks, args.repeats
        )
        if name == 'scribbles':
            strokes = results
        share = None
        if name != 'tags':
            share = float(np.mean([(r != 255).mean() for r in results]))
        rate = len(masks) / seconds
        figures[name] = dict(images_per_second=rate, labelled=share)
        shown = '' if share is None else f'{share:9.4%}'
        print(f'{name:20} {rate:9.1f} {1000 / rate:7.2f} {shown}', flush=True)
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1) + '\n')


if __name__ == '__main__':
    main()
