r"""List which images have masks and which have only weak labels.

Writes a list for the ann_file of SparseSegDataset, with a line "NAME dense" or
"NAME tag" for each image, in the order of IMAGES. The choice depends only on
the seed and the names. The images of --share 1/16 are among those of 1/8.
TRL's splits of PASCAL VOC 2012:

  python -m mmseg_sparse make_hybrid_split \
      data/VOCdevkit/VOC2012/ImageSets/Segmentation/trainaug.txt \
      data/VOCdevkit/VOC2012/ImageSets/Segmentation/hybrid_1464.txt \
      --strong-from data/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt

--share 1/2, 1/4, 1/8, 1/16 gives the splits of its figure 6.

With --group, images that belong together are all strong or all weak, such as
the tiles of one frame, whose names end in _TOP_LEFT:

  python -m mmseg_sparse make_hybrid_split data/camvid_tiles/train/images \
      data/camvid_tiles/train/hybrid.txt --share 1/8 --img-suffix .png \
      --group '(.+)_[0-9]+_[0-9]+$'
"""

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import fail, make_parser, run_tool


def share(text: str) -> float:
    """Read 1/16 or 0.0625."""
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(
            f'expected a share such as 1/16 or 0.0625, got {text!r}'
        ) from error


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'images',
        type=Path,
        help='all images: a folder, a list, or a labels.json',
    )
    parser.add_argument('out', type=Path, help='the list to write')
    parser.add_argument(
        '--strong-from',
        type=Path,
        metavar='LIST',
        help='images to choose the strong ones from (default: all)',
    )
    parser.add_argument(
        '--share',
        type=share,
        default=1.0,
        help='share of them to choose, such as 1/16 (default: all)',
    )
    parser.add_argument(
        '--group',
        metavar='REGEX',
        help='choose groups of images in place of images: the group of an '
        'image is what the regular expression finds in its name, or what its '
        'first parentheses find; --share is then a share of the groups',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the choice (default: %(default)s)',
    )
    parser.add_argument(
        '--weak',
        choices=['tag', 'pseudo', 'scribble', 'point', 'block'],
        default='tag',
        help='how the other images are labelled (default: %(default)s)',
    )
    parser.add_argument(
        '--img-suffix',
        type=lambda text: text.split(','),
        default=['.jpg'],
        metavar='SUFFIX',
        help='suffix of the image files in a folder or a list; several '
        'with commas between them (default: .jpg)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace OUT')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the list."""
    args = parse_args(argv)
    if args.out.exists() and not args.overwrite:
        fail(f'{args.out} is there already: name another, or --overwrite')
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.labels.hybrid_split import (
        choose_strong,
        hybrid_list,
        read_entries,
        read_names,
    )
    from mmseg_sparse.labels.image_list import listed_name
    from mmseg_sparse.utils.atomic import write_whole

    try:
        entries = read_entries(args.images, img_suffix=args.img_suffix)
        names = [entry.name for entry in entries]
        candidates = names
        if args.strong_from is not None:
            candidates = read_names(
                args.strong_from, img_suffix=args.img_suffix
            )
        strong = choose_strong(
            candidates, share=args.share, seed=args.seed, group=args.group
        )
        listed = {e.name: listed_name(e, args.img_suffix) for e in entries}
        text = hybrid_list(names, strong, weak=args.weak, listed=listed)
        write_whole(args.out, text.encode())
    except (OSError, ValueError) as error:
        fail(error)
    print(
        f'{args.out}: {len(strong)} strong images, '
        f'{len(names) - len(strong)} with {args.weak} labels',
        flush=True,
    )


if __name__ == '__main__':
    run_tool(main)
