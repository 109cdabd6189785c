r"""Cut NIfTI volumes into grey PNGs of 8 bits, an image for each slice.

SOURCE/a.nii.gz becomes OUT/a_slice_0.png, OUT/a_slice_1.png, ... The axes lie
in the directions of the patient, whatever their order in the file: axial
slices are counted from the feet to the head, with the front above and the
patient's right on the left. Labels are imported with the same --axis:

  python -m mmseg_sparse slice_volumes ct images/train --window -160 240
  python -m mmseg_sparse import_labels nifti labels masks/train \
      --images images/train --classes background,liver

For a data set of nnU-Net:

  python -m mmseg_sparse slice_volumes Dataset001_A/imagesTr images/train \
      --suffix _0000
  python -m mmseg_sparse import_labels nnunet Dataset001_A masks/train \
      --images images/train

Needs nibabel. OUT is written whole or not at all.
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
        'source', type=Path, help='.nii or .nii.gz file, or a folder of them'
    )
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--axis',
        choices=['axial', 'coronal', 'sagittal'],
        default='axial',
        help='direction of the slices (default: %(default)s)',
    )
    grey = parser.add_mutually_exclusive_group()
    grey.add_argument(
        '--window',
        nargs=2,
        type=float,
        metavar=('LOW', 'HIGH'),
        help='intensities that become 0 and 255, such as -160 240 Hounsfield '
        'units',
    )
    grey.add_argument(
        '--percentiles',
        nargs=2,
        type=float,
        default=[0.5, 99.5],
        metavar=('LOW', 'HIGH'),
        help="percentiles of a volume's intensities that become 0 and 255 "
        '(default: 0.5 99.5)',
    )
    parser.add_argument(
        '--channel',
        type=int,
        metavar='N',
        help='channel to use of volumes with four dimensions, from 0',
    )
    parser.add_argument(
        '--suffix',
        default='',
        help='read only files whose names end with it, before .nii; the names '
        'of the slices are without it (_0000: first channel of nnU-Net)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Cut the volumes."""
    args = parse_args(argv)
    from mmseg_sparse.labels.slice_volumes import slice_volumes

    try:
        count = slice_volumes(
            args.source,
            args.out,
            axis=args.axis,
            window=args.window and tuple(args.window),
            percentiles=tuple(args.percentiles),
            channel=args.channel,
            suffix=args.suffix,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt('nothing was written') from None
    except ModuleNotFoundError as error:
        fail(f'reading these files needs {error.name}: pip install '
             f'{error.name}')  # fmt: skip
    except (OSError, ValueError, MemoryError) as error:
        fail(error)
    print(f'{args.out}: {count} slices', flush=True)


if __name__ == '__main__':
    run_tool(main)
