r"""Convert ACDC, cardiac MR with human scribbles, to slices that mmseg reads.

Writes OUT/images/{train,val}, OUT/masks/{train,val} and OUT/scribbles/train,
PNGs named patientNNN_frameMM_slice_K.png: grey images of 8 bits, index PNGs
of 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle, and in
scribbles 255 = no label. SOURCE or its subfolders hold one of:

* The HDF5 files of Luo et al. (MICCAI 2022; github.com/HiLab-git/WSL4MIS),
  patientNNN_frameMM_slice_K.h5 or patientNNN_frameMM.h5. Needs h5py.
* The challenge's patientNNN_frameMM.nii.gz and ..._gt.nii.gz (Bernard et
  al., TMI 2018), and the ..._scribble.nii.gz of Valvano et al. (TMI 2021;
  vios-s.github.io/multiscale-adversarial-attention-gates), there or in
  --scribbles. Needs nibabel. Also writes OUT/spacing.json, millimetres
  between slices, rows and columns of each volume, which
  dict(type='VolumeMetric', spacing='OUT/spacing.json') takes.

Grey values above the 99th percentile of a volume are set to that percentile
(in the HDF5 files this has been done). Each slice is then scaled so that its
smallest value becomes 0 and its largest 255.

  python -m mmseg_sparse convert_acdc ACDC_training_slices data/acdc

OUT is written whole or not at all.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import ProgressBar, fail, make_parser, run_tool


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument('source', type=Path, help='folder of the files')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--scribbles', type=Path, metavar='FOLDER',
        help='folder of patientNNN_frameMM_scribble.nii.gz '
        '(default: SOURCE)',
    )  # fmt: skip
    parser.add_argument(
        '--train', type=patients, default='37-100', metavar='PATIENTS',
        help='patients for training: numbers and ranges, such as 1-20,37 '
        '(default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--val', type=patients, default='21-36', metavar='PATIENTS',
        help='patients for validation; others are left out '
        '(default: %(default)s)',
    )  # fmt: skip
    return parser.parse_args(argv)


def patients(text: str) -> frozenset[int]:
    """Return the numbers that ``1-20,37`` stands for."""
    numbers: set[int] = set()
    for part in text.split(','):
        found = re.fullmatch(r'(\d+)(?:-(\d+))?', part.strip())
        if not found:
            raise argparse.ArgumentTypeError(
                f'expected numbers and ranges such as 1-20,37, got {text!r}'
            )
        first, last = int(found[1]), int(found[2] or found[1])
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert the data set."""
    args = parse_args(argv)
    from mmseg_sparse.labels.acdc import convert_acdc

    try:
        counts = convert_acdc(
            args.source,
            args.out,
            train=args.train,
            val=args.val,
            scribbles=args.scribbles,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt('nothing was written') from None
    except ModuleNotFoundError as error:
        fail(f'reading these files needs {error.name}: pip install '
             f'{error.name}')  # fmt: skip
    except (OSError, ValueError) as error:
        fail(error)
    print(
        f'{args.out}: {counts["train"]} slices for training, '
        f'{counts["val"]} for validation',
        flush=True,
    )


if __name__ == '__main__':
    run_tool(main)
