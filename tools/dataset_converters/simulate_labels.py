"""Simulate sparse labels for a folder of masks, or reduce sparse labels.

KIND selects what is made from each index PNG in MASKS and its subfolders:

  scribbles   human-like strokes along the regions of a dense mask
  points      clicks on the regions
  blocks      rectangles inside the regions, up to a share of the image
  tags        the classes that the image shows
  shrink      the strokes of a sparse label map, shortened
  drop        the strokes of a sparse label map, some left out

Writes OUT: index PNGs of the same names with a palette (255 = no label), and
labels.json, which records classes, options and the checksums of the masks.
If there is a MASKS/labels.json, shrink and drop copy from it the kind of the
labels, the tags, and the images that have only tags.
Labels depend only on --seed and the image's name, not on --workers. The
pipeline transforms (SimulateScribbles ...) give the same labels for the same
arguments. Images have the names of the masks, unless --img-suffix is given.
`python -m mmseg_sparse simulate_labels KIND --help` lists its options.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import ProgressBar, fail, make_parser, run_tool


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    kinds = parser.add_subparsers(dest='kind', metavar='KIND', required=True)
    for kind, (summary, add) in KINDS.items():
        one = kinds.add_parser(
            kind,
            help=summary,
            description=f'{summary[0].upper()}{summary[1:]}.',
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        add_common(one)
        add(one.add_argument_group(f'options of {kind}'))
    return parser.parse_args(argv)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every kind."""
    parser.add_argument('masks', type=Path, help='folder of index PNGs')
    parser.add_argument('out', type=Path, help='folder to make')
    names = parser.add_mutually_exclusive_group()
    names.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        default=argparse.SUPPRESS,
        help='class names, in order of the values in the masks: a b c, or '
        'a,b,c, or a text file with one a line (default: those of '
        'MASKS/labels.json)',
    )
    names.add_argument(
        '--dataset',
        metavar='TYPE',
        default=argparse.SUPPRESS,
        help='take class names and colours from this dataset type of mmseg '
        'or mmseg_sparse, such as CamVidDataset',
    )
    parser.add_argument(
        '--void', type=int, default=255, help='value of void in the masks'
    )
    parser.add_argument(
        '--reduce-zero-label',
        action='store_true',
        help='0 is void and classes count from 1 in the masks (ADE20K); they '
        'count from 0 in OUT',
    )
    parser.add_argument(
        '--suffix',
        default='.png',
        help='suffix of the mask files; other files are ignored',
    )
    parser.add_argument(
        '--img-suffix',
        default='',
        metavar='SUFFIX',
        help='suffix of the image files in place of --suffix, if more than '
        'the file type differs (Cityscapes: _leftImg8bit.png)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='number of processes; 0 = only this one',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace OUT if it is a folder of labels',
    )


def add_seed(group: Any) -> None:
    """Add what all kinds with random choices have."""
    group.add_argument(
        '--seed', type=int, default=0, help='seed of the labels'
    )


def add_regions(group: Any, min_area: int) -> None:
    """Add what scribbles and points share."""
    add_seed(group)
    group.add_argument(
        '--min-area',
        type=int,
        default=min_area,
        help='regions of fewer pixels are never labelled',
    )
    group.add_argument(
        '--drop',
        type=float,
        default=0.0,
        help='probability that a region is not labelled',
    )
    group.add_argument(
        '--noise',
        type=float,
        default=0.0,
        help='probability that a region is labelled with a wrong class, one '
        'of the others in the image',
    )


def add_scribbles(group: Any) -> None:
    """Add the options of simulated strokes."""
    add_regions(group, min_area=60)
    group.add_argument(
        '--thickness', type=int, default=3, help='width in pixels'
    )
    group.add_argument(
        '--length',
        type=float,
        nargs=2,
        metavar=('LEAST', 'GREATEST'),
        default=(0.4, 0.8),
        help='share of the longest path through the region',
    )
    group.add_argument(
        '--jitter',
        type=float,
        default=0.3,
        help='deviation of the stroke, relative to the distance to the border',
    )
    group.add_argument(
        '--small-area',
        type=int,
        default=400,
        help='regions of fewer pixels are small',
    )
    group.add_argument(
        '--small-drop',
        type=float,
        default=0.4,
        help='probability that a small region has no stroke',
    )


def add_points(group: Any) -> None:
    """Add the options of simulated clicks."""
    add_regions(group, min_area=20)
    group.add_argument(
        '--per-region', type=int, default=1, help='points in a region'
    )
    group.add_argument(
        '--placement',
        choices=('central', 'uniform'),
        default='central',
        help='near the middle of the region, or anywhere in it',
    )
    group.add_argument(
        '--spread',
        type=float,
        default=0.2,
        help='how far from the middle a central point may lie, in [0, 1]',
    )


def add_blocks(group: Any) -> None:
    """Add the options of simulated blocks."""
    add_seed(group)
    group.add_argument(
        '--share',
        type=float,
        default=0.1,
        help='share of the pixels with a class to label',
    )
    group.add_argument(
        '--min-size',
        type=int,
        default=4,
        help='smallest height and width, where there is room',
    )
    group.add_argument(
        '--max-size', type=int, default=64, help='largest height and width'
    )


def add_tags(group: Any) -> None:
    """Add the options of simulated tags."""
    group.add_argument(
        '--background',
        metavar='NAME',
        default=argparse.SUPPRESS,
        help='the class that is not a tag (default: every class is a tag)',
    )
    group.add_argument(
        '--min-share',
        type=float,
        default=0.0,
        help='classes with a smaller share of the image get no tag',
    )


def add_reduction(group: Any) -> None:
    """Add the options of shortened and dropped strokes."""
    add_seed(group)
    group.add_argument(
        '--ratio',
        type=float,
        required=True,
        default=argparse.SUPPRESS,
        help='shrink: the share of its length that each stroke keeps, 0 = a '
        'spot; drop: the share of strokes to leave out',
    )


KINDS = {
    'scribbles': ('human-like strokes along the regions', add_scribbles),
    'points': ('clicks on the regions', add_points),
    'blocks': ('rectangles inside the regions', add_blocks),
    'tags': ('the classes that an image shows', add_tags),
    'shrink': ('strokes, shortened', add_reduction),
    'drop': ('strokes, some left out', add_reduction),
}
COMMON = (
    'kind', 'masks', 'out', 'classes', 'dataset', 'void',
    'reduce_zero_label', 'workers', 'overwrite', 'background', 'suffix',
    'img_suffix',
)  # fmt: skip


def find_classes(
    args: argparse.Namespace,
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Return names and colours (maybe none) of the classes."""
    if 'classes' in args:
        from mmseg_sparse.labels.classes import parse_classes

        found = parse_classes(args.classes)
        return found.names, found.palette
    if 'dataset' in args:
        from mmseg.registry import DATASETS

        meta = getattr(DATASETS.get(args.dataset), 'METAINFO', {})
        if 'classes' not in meta:
            fail(f'--dataset: {args.dataset!r} is no dataset type with class '
                 'names of its own')  # fmt: skip
        colours = (tuple(colour) for colour in meta.get('palette', ()))
        return tuple(meta['classes']), tuple(colours)
    from mmseg_sparse.labels.label_folder import SIDECAR, read_sidecar

    if not os.path.lexists(args.masks / SIDECAR):
        fail(f'no class names: there is no {args.masks / SIDECAR}, so give '
             '--classes NAME ... or --dataset TYPE')  # fmt: skip
    names = read_sidecar(args.masks / SIDECAR)['classes']
    return tuple(names)[int(args.reduce_zero_label) :], ()


def main(argv: Sequence[str] | None = None) -> None:
    """Simulate labels for a folder."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401
    from mmseg_sparse.labels.simulate.folder import FolderJob, simulate_folder

    try:
        classes, palette = find_classes(args)
        options = {k: v for k, v in vars(args).items() if k not in COMMON}
        if args.kind == 'tags':
            name = getattr(args, 'background', None)
            if name is not None and name not in classes:
                fail(f'--background: {name!r} is none of the classes '
                     f'{", ".join(classes)}')  # fmt: skip
            options['background'] = name and classes.index(name)
        made = simulate_folder(
            FolderJob(args.kind, classes, palette, options, args.void,
                      args.reduce_zero_label, args.img_suffix),
            args.masks,
            args.out,
            workers=args.workers,
            overwrite=args.overwrite,
            suffix=args.suffix,
            progress=ProgressBar(),
        )  # fmt: skip
    except (OSError, TypeError, ValueError) as error:
        fail(error)
    print(f'{args.out}: {len(made["images"])} images, {summary(made)}')


def summary(made: dict[str, Any]) -> str:
    """Say how much is labelled."""
    images = made['images'].values()
    if all(image['supervision'] == 'tag' for image in images):
        number = sum(len(image['tags']) for image in images)
        return f'{number / len(images):.2f} tags an image'
    maps = [image for image in images if 'labeled_pixels' in image]
    labelled = sum(image['labeled_pixels'] for image in maps)
    pixels = sum(w * h for w, h in (image['size'] for image in maps))
    return f'{labelled / max(1, pixels):.3%} of the pixels labelled'


if __name__ == '__main__':
    run_tool(main)
