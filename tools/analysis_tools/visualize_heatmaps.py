r"""Draw how heat maps become labels: a row per image, a column per folder.

Like TRL's figure 1. Each --maps is a folder of heat maps (of generate heatmaps
or of a stage of trl_pipeline); each pixel has the colour of the class with the
highest value, stronger for a higher value. Each --labels is a folder of index
PNGs. --truth is a folder of dense masks; they are drawn last, and the share of
correct pixels is written below each picture of labels.

  cd work_dirs/toy_hybrid
  python -m mmseg_sparse visualize_heatmaps heatmaps.png images/train \
      --classes ToyShapesDataset --background background \
      --maps CAM=../trl_toy/cam/heatmaps DCTN1=../trl_toy/refined/heatmaps \
      --labels pseudo=../trl_toy/pseudo_labels/labels --truth masks/train
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import at_least, fail, make_parser, run_tool
from visualize_affinity import labels_on, right


def titled(text: str) -> tuple[str, Path]:
    """Read TITLE=FOLDER."""
    title, sign, folder = text.partition('=')
    if not sign or not title or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(
            f'expected TITLE=FOLDER with an existing folder, got {text!r}'
        )
    return title, Path(folder)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument('image_dir', type=Path, help='folder of images')
    parser.add_argument(
        '--classes', required=True, metavar='CLASSES',
        help='class names in order of their indices: a text file with one a '
        'line, or a dataset type (ToyShapesDataset), or a,b,c',
    )  # fmt: skip
    parser.add_argument(
        '--background', metavar='CLASS',
        help='the class whose maps and labels are not coloured',
    )  # fmt: skip
    for name, kind in (('maps', 'heat maps'), ('labels', 'index PNGs')):
        parser.add_argument(
            f'--{name}', type=titled, nargs='+', default=[],
            metavar='TITLE=FOLDER', help=f'columns: folders of {kind}',
        )  # fmt: skip
    parser.add_argument('--truth', type=Path, help='folder of dense masks')
    parser.add_argument(
        '--images', nargs='+', metavar='NAME',
        help='names below IMAGE_DIR, without suffix (default: 5 of those '
        'that all folders have, spread evenly)',
    )  # fmt: skip
    parser.add_argument(
        '--width', type=at_least(32), default=160, metavar='PX',
        help='longer side of a picture (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument('--overwrite', action='store_true', help='replace OUT')
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != '.png':
        parser.error(f'OUT must end in .png, got {str(args.out)!r}')
    if args.out.exists() and not args.overwrite:
        parser.error(f'{args.out} exists: name another file, or --overwrite')
    if not args.maps and not args.labels:
        parser.error('nothing to draw: give --maps or --labels')
    return args


def choose(args: argparse.Namespace) -> dict[str, Path]:
    """Return the images to draw by name.

    Raises:
        ValueError: If one is not there, or none is in all folders.
    """
    from mmseg_sparse.labels.heatmap_file import SUFFIX

    there = {
        path.relative_to(args.image_dir).with_suffix('').as_posix(): path
        for path in sorted(args.image_dir.rglob('*'))
        if path.suffix.lower() in ('.jpg', '.jpeg', '.png')
    }
    files = [(folder, SUFFIX) for _, folder in args.maps]
    files += [(folder, '.png') for _, folder in args.labels]
    if args.truth is not None:
        files.append((args.truth, '.png'))
    if args.images is None:
        common = [
            name for name in there
            if all((f / f'{name}{end}').is_file() for f, end in files)
        ]  # fmt: skip
        if not common:
            raise ValueError(
                f'no image of {args.image_dir} has a file in each of '
                f'{", ".join(str(folder) for folder, _ in files)}'
            )
        count = min(5, len(common))
        chosen = [common[i * len(common) // count] for i in range(count)]
        return {name: there[name] for name in chosen}
    for name in args.images:
        if name not in there:
            raise ValueError(f'--images: no {name} in {args.image_dir}')
    return {name: there[name] for name in args.images}


class Painter:
    """Draws the pictures of one image, at one size."""

    def __init__(
        self, path: Path, palette: Any, background: int | None, width: int
    ) -> None:
        import mmcv

        from mmseg_sparse.visualization import fit_into, to_grey

        image = mmcv.imread(str(path), channel_order='rgb')
        self.image = fit_into(image, (width, width))
        # The colours of an image and of what is laid over it would mix.
        self.grey = to_grey(self.image)
        self.palette = palette
        self.background = background

    def heatmaps(self, path: Path) -> Any:
        """Return the grey image under the winning maps."""
        import cv2
        import numpy as np

        from mmseg_sparse.labels.heatmap_file import read_heatmaps

        found = read_heatmaps(path)
        if found.num_classes != len(self.palette):
            raise ValueError(
                f'{path}: has maps of {found.num_classes} classes, --classes '
                f'names {len(self.palette)}'
            )
        maps = found.dense()
        large = np.stack(
            [cv2.resize(one, self.grey.shape[1::-1]) for one in maps]
        )
        best = large.argmax(0)
        level = large.max(0).clip(0, 1)[..., None] * 0.8
        if self.background is not None:
            level[best == self.background] = 0
        colors = np.asarray(self.palette, np.float32)[best]
        mixed = (1 - level) * self.grey + level * colors
        return np.rint(mixed).astype(np.uint8)

    def labels(self, path: Path) -> tuple[Any, Any]:
        """Return the grey image under labels, and these."""
        from mmseg_sparse.labels.label_map import decode_labels

        labels = decode_labels(path.read_bytes(), str(path))
        known = labels[labels != 255]
        if known.size and known.max() >= len(self.palette):
            raise ValueError(
                f'{path}: has class {known.max()}, --classes names '
                f'{len(self.palette)}'
            )
        picture = labels_on(
            self.grey, labels, self.palette, opacity=0.8,
            background=self.background,
        )  # fmt: skip
        return picture, labels


def draw_row(
    name: str, painter: Painter, args: argparse.Namespace
) -> tuple[list[Any], list[str]]:
    """Return the pictures of an image, and the captions below them."""
    from mmseg_sparse.labels.heatmap_file import SUFFIX

    pictures, captions = [painter.image], [name]
    for _, folder in args.maps:
        pictures.append(painter.heatmaps(folder / f'{name}{SUFFIX}'))
        captions.append('')
    truth = None
    if args.truth is not None:
        last, truth = painter.labels(args.truth / f'{name}.png')
    for _, folder in args.labels:
        picture, labels = painter.labels(folder / f'{name}.png')
        pictures.append(picture)
        captions.append(right(labels, truth))
    if truth is not None:
        pictures.append(last)
        captions.append('')
    return pictures, captions


def sheet_of(args: argparse.Namespace) -> Any:
    """Return the sheet, RGB."""
    from mmseg_sparse.labels.classes import parse_classes
    from mmseg_sparse.visualization import on_paper, picture_sheet

    classes = parse_classes(args.classes)
    background = None
    if args.background is not None:
        if args.background not in classes.names:
            raise ValueError(
                f'--background: {args.background!r} is none of the classes '
                f'{", ".join(classes.names)}'
            )
        background = classes.names.index(args.background)
    rows, captions = [], []
    for name, path in choose(args).items():
        painter = Painter(path, classes.palette, background, args.width)
        pictures, texts = draw_row(name, painter, args)
        rows.append(pictures)
        captions.append(texts)
    box = tuple(max(row[0].shape[i] for row in rows) for i in (0, 1))
    titles = ['image', *(title for title, _ in args.maps + args.labels)]
    return picture_sheet(
        [[on_paper(p, box, centred=True) for p in row] for row in rows],
        titles + ['ground truth'] * (args.truth is not None),
        captions=captions,
        classes=classes.names,
        palette=classes.palette,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the sheet."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.visualization import encode_png

    try:
        sheet = sheet_of(args)
    except (OSError, ValueError) as error:
        fail(error)
    write_whole(args.out, encode_png(sheet))
    print(args.out)


if __name__ == '__main__':
    run_tool(main)
