r"""Cut a dense data set into tiles, with the classes of each tile as tags.

Writes OUT/images/NAME_TOP_LEFT.png, OUT/masks/NAME_TOP_LEFT.png (index PNGs,
255 = void) and OUT/labels.json, which lists the tiles with their tags: the
classes that cover at least --min-share of a tile. SparseSegDataset reads it:

  dict(type='SparseSegDataset', data_root='OUT', classes=[...],
       ann_file='labels.json', data_prefix=dict(img_path='images'),
       img_suffix='.png', pipeline=[...])

Other data set types can read OUT/images and OUT/masks. CamVid in tiles of
120x160:

  python -m mmseg_sparse tile_dataset data/camvid/images/train \
      data/camvid/masks/train data/camvid_tiles/train \
      --size 120 160 --classes CamVidDataset

OUT is written whole or not at all.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import ProgressBar, fail, make_parser, run_tool


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'images',
        type=Path,
        help='folder of images, found by the names of the masks',
    )
    parser.add_argument('masks', type=Path, help='folder of index PNGs')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        required=True,
        help='size of a tile in pixels',
    )
    parser.add_argument(
        '--classes',
        metavar='CLASSES',
        required=True,
        help='class names in order of their indices: a text file with one a '
        'line, or a dataset type (CamVidDataset, PascalVOCDataset), or a,b,c',
    )
    parser.add_argument(
        '--background',
        metavar='CLASS',
        help='the class that is not a tag (default: every class is a tag)',
    )
    parser.add_argument(
        '--min-share',
        type=float,
        default=0.02,
        help='smallest share of the pixels of a tile, void included, that a '
        'class must cover to be a tag (default: %(default)s)',
    )
    parser.add_argument(
        '--edges',
        choices=['overlap', 'keep', 'drop'],
        default='overlap',
        help='how to treat the remainder at the right and at the bottom: move '
        'the last tile back over its neighbour (overlap), keep a smaller '
        'tile, or drop it (default: %(default)s)',
    )
    _add_mask_arguments(parser)
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace OUT if it is a folder of tiles',
    )
    return parser.parse_args(argv)


def _add_mask_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says how the masks are named and numbered."""
    parser.add_argument(
        '--void',
        type=int,
        default=255,
        help='value of void in the masks (default: %(default)s)',
    )
    parser.add_argument(
        '--reduce-zero-label',
        action='store_true',
        help='0 is void and classes count from 1 in MASKS; they count from 0 '
        'in OUT',
    )
    parser.add_argument(
        '--suffix',
        default='.png',
        help='suffix of the mask files; other files are ignored '
        '(default: %(default)s)',
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Cut the data set."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.labels.classes import parse_classes
    from mmseg_sparse.labels.simulate.folder import FolderJob
    from mmseg_sparse.labels.simulate.tiles import Tiling, tile_dataset

    try:
        classes = parse_classes(args.classes)
        background = None
        if args.background is not None:
            if args.background not in classes.names:
                fail(f'--background: {args.background!r} is none of the '
                     f'classes {", ".join(classes.names)}')  # fmt: skip
            background = classes.names.index(args.background)
        made = tile_dataset(
            FolderJob(
                'tags',
                classes.names,
                classes.palette,
                dict(background=background, min_share=args.min_share),
                args.void,
                args.reduce_zero_label,
            ),
            Tiling(*args.size, edges=args.edges),
            args.images,
            args.masks,
            args.out,
            suffix=args.suffix,
            overwrite=args.overwrite,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt('nothing was written') from None
    except (OSError, ValueError) as error:
        fail(error)
    tags = [len(info['tags']) for info in made['images'].values()]
    print(
        f'{args.out}: {len(tags)} tiles, {sum(tags) / len(tags):.1f} tags a '
        f'tile, {tags.count(0)} without',
        flush=True,
    )


if __name__ == '__main__':
    run_tool(main)
