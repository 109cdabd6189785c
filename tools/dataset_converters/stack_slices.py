r"""Put label maps of slices together into NIfTI volumes.

LABELS/a_slice_0.png, LABELS/a_slice_1.png, ... become OUT/a.nii.gz, with the
affine matrix and the spacing of SOURCE/a.nii.gz. The names, --axis and
--suffix are those of slice_volumes, which cut the volume. Predictions of a
model become volumes so:

  python -m mmseg_sparse slice_volumes ct images --window -160 240
  python -m mmseg_sparse predict CONFIG CHECKPOINT images predicted
  python -m mmseg_sparse stack_slices predicted/labels ct volumes

convert_acdc cuts volumes as their files store them:

  python -m mmseg_sparse stack_slices predicted/labels ACDC/training volumes \
      --axis stored

Every slice of a volume must have a label map. Needs nibabel. OUT is written
whole or not at all.
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
        'labels', type=Path, help='folder of index PNGs, one a slice'
    )
    parser.add_argument(
        'source',
        type=Path,
        help='the .nii or .nii.gz file that was cut, or a folder of them',
    )
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--axis',
        choices=['axial', 'coronal', 'sagittal', 'stored'],
        default='axial',
        help='direction of the slices; stored: along the last index of the '
        'file (default: %(default)s)',
    )
    parser.add_argument(
        '--suffix',
        default='',
        help="end of the source files' names, before .nii, which the slices "
        'do not have (_0000: first channel of nnU-Net)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Stack the slices."""
    args = parse_args(argv)
    from mmseg_sparse.labels.stack_slices import stack_slices

    try:
        count = stack_slices(
            args.labels,
            args.source,
            args.out,
            axis=args.axis,
            suffix=args.suffix,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt('nothing was written') from None
    except ModuleNotFoundError as error:
        fail(f'writing these files needs {error.name}: pip install '
             f'{error.name}')  # fmt: skip
    except (OSError, ValueError, MemoryError) as error:
        fail(error)
    print(f'{args.out}: {count} volumes', flush=True)


if __name__ == '__main__':
    run_tool(main)
