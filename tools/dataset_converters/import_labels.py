"""Turn strokes, points, areas and tags of annotation tools into label maps.

Writes a PNG of class indices for each annotated image (255 = no label), at
the image's path below OUT, and OUT/labels.json, which says what they were
made from. Images are not decoded. OUT is written whole or not at all.

FORMAT is one of
  labelme          LabelMe or X-AnyLabeling: a JSON file, or a folder of them
  cvat             "CVAT for images 1.1" or "for video": annotations.xml or
                   the ZIP file
  label-studio     Label Studio: JSON export
  coco             COCO: JSON of instances or keypoints
  coco-panoptic    COCO panoptic: JSON, and its folder of PNGs
  supervisely      Supervisely: JSON files, or a project's folder
  via              VGG Image Annotator 1 and 2: project or export, JSON or
                   CSV
  isat             ISAT: a JSON file, or a folder of them
  qupath           QuPath: GeoJSON, a file or a folder
  csv              points in a table, CoralNet's among them
  label-images     napari and similar tools: PNG, TIFF or .npy, 0 =
                   unlabelled
  nifti            label volumes: .nii or .nii.gz, a file or a folder; the
                   slices that slice_volumes makes
  nnunet           nnU-Net: the folder of dataset.json and labelsTr
  scribblesup-xml  ScribbleSup: a folder of XML files
  whats-the-point  What's the Point: JSON of clicks
  index-png        PNGs of class indices, 255 = unlabelled (ScribbleSup,
                   Scribbles4All): a folder, or one; with --colours, masks
                   in colour
  onehot-tags      image tags: cls_labels_onehot.npy
"""

import argparse
import ast
import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import ProgressBar, at_least, command, fail, run_tool


class Parser(argparse.ArgumentParser):
    """Also lists the options of the readers."""

    def format_help(self) -> str:
        """Look them up in the readers' files: importing takes seconds."""
        self.epilog = 'options of the readers, for --option:\n' + '\n'.join(
            describe_reader_options()
        )
        return super().format_help()


def describe_reader_options() -> Iterator[str]:
    """Yield lines with format, option and what it is for."""
    package = importlib.util.find_spec('mmseg_sparse')
    if package is None or not package.submodule_search_locations:
        return
    folder = Path(package.submodule_search_locations[0], 'labels/importers')
    for item in _parsed(folder / 'formats.py').body:
        if isinstance(item, ast.Assign) and _is(item.targets[0], 'MODULES'):
            modules = ast.literal_eval(item.value)
    for name, module in modules.items():
        for item in _parsed(folder / 'readers' / f'{module}.py').body:
            if isinstance(item, ast.FunctionDef) and item.name == 'read':
                yield from _describe(name, item)


def _is(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


def _describe(name: str, read: ast.FunctionDef) -> Iterator[str]:
    """Yield the options in a reader's signature, with their docstring."""
    values = {'int': 'N', 'bool': 'true', 'Path': 'FILE'}
    documented = (ast.get_docstring(read) or '') + '\n\n'
    for argument in read.args.kwonlyargs:
        key = argument.arg
        if key == 'on_error':
            continue
        kind = ast.unparse(argument.annotation or ast.Constant(None))
        value = values.get(kind.partition(' | ')[0], 'TEXT')
        part = '.PART' if 'Mapping' in kind else ''
        yield f'  {name:16} {key.rstrip("_")}{part}={value}'
        found = re.search(
            rf'^    {key}: (.*?)$(?=\n    \w|\n\n)', documented, re.M | re.S
        )
        text = ' '.join(found[1].replace('`', '').split()) if found else ''
        indent = ' ' * 21
        yield from textwrap.wrap(
            text, 79, initial_indent=indent, subsequent_indent=indent
        )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog=command(__file__),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('format', metavar='FORMAT', help='see above')
    parser.add_argument('source', type=Path, help='file or folder to read')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--images',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder of the images; they are found by the names in SOURCE, '
        'with or without folders and suffix',
    )
    _add_class_arguments(parser)
    _add_drawing_arguments(parser)
    _add_slide_arguments(parser)
    parser.add_argument(
        '--option',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help="option of the format's reader, see below",
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace OUT if it is a label folder',
    )
    parser.add_argument(
        '--workers',
        type=at_least(1),
        default=1,
        metavar='N',
        help='number of processes that draw (default: %(default)s)',
    )
    return parser.parse_args(argv)


def _add_class_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='CLASSES',
        help='class names in order of their indices: a text file with one a '
        'line, or a dataset type (CamVidDataset, PascalVOCDataset), or names '
        'with spaces or commas between them. Default: those that SOURCE '
        'lists (nnunet), else its labels, sorted',
    )
    parser.add_argument(
        '--class-map',
        nargs='+',
        default=[],
        metavar='LABEL=CLASS',
        help='for labels whose names in SOURCE are not those of --classes: '
        'the name or index of the class; or 255 for void (drawn like a class, '
        'as "no label"); or nothing, to leave the label out. Or a JSON file '
        '{label: class}',
    )
    parser.add_argument(
        '--colours',
        metavar='FILE',
        help='index-png: read masks in colour, in PNG, JPEG or another '
        'format. FILE has a line for each class: "name r,g,b", '
        '"name:r,g,b::" (labelmap.txt of CVAT), or "r g b" alone, in order '
        'of the classes (palette of VOC); or it is a dataset type '
        '(PascalVOCDataset). Default of --classes: the names in FILE',
    )
    parser.add_argument(
        '--skip-unknown',
        action='store_true',
        help='leave out and count what is an error otherwise: unknown '
        'classes, missing images, images of another size, malformed entries '
        'and files',
    )


def _add_drawing_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--stroke-width',
        type=float,
        default=3.0,
        metavar='PIXELS',
        help='width of strokes that have none in SOURCE '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--point-radius',
        type=float,
        default=0.0,
        metavar='PIXELS',
        help='radius of points; 0 = the one pixel (default: %(default)s)',
    )
    parser.add_argument(
        '--supervision',
        choices=[
            'auto',
            'dense',
            'scribble',
            'point',
            'block',
            'pseudo',
            'tag',
        ],
        default='auto',
        help='what labels.json calls the labels; auto = by the shapes of '
        'each image; tag = classes of the images, nothing is drawn '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--keep-empty',
        action='store_true',
        help='keep images without any label: write a PNG of 255, or with '
        '--supervision tag an empty list of tags',
    )
    parser.add_argument(
        '--fill',
        metavar='CLASS',
        help='class of all pixels without a label, such as background, which '
        'COCO does not outline: the labels become dense masks; void stays '
        'void',
    )
    _add_overlap_arguments(parser)


def _add_overlap_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--overlap',
        choices=['smaller-on-top', 'later-on-top', 'error'],
        default='auto',
        help='which of several shapes a pixel belongs to: the one of smaller '
        'area, or the later one in SOURCE; error = shapes of different '
        'classes must not overlap. Default: the smaller area in formats '
        'without an order (coco, via, qupath); in the others the one in the '
        'upper layer, then the later one',
    )
    parser.add_argument(
        '--annotator',
        metavar='NAME',
        help='whose labels to use if SOURCE names annotators and several of '
        "them labelled an image: a name, 'first' = the first in SOURCE, or "
        "'merge' = all, also those of several entries of the same image "
        '(default: all within an entry)',
    )


def _add_slide_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--downsample',
        type=float,
        default=1.0,
        metavar='N',
        help='divide the coordinates by N: they are those of a whole slide at '
        'full resolution (default: %(default)s)',
    )
    parser.add_argument(
        '--offset',
        nargs=2,
        type=float,
        default=(0.0, 0.0),
        metavar=('X', 'Y'),
        help="where the image's top left corner lies on the slide, in pixels "
        'of the full resolution (default: 0 0)',
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Import the labels."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.labels.classes import parse_class_map, parse_classes
    from mmseg_sparse.labels.importers import reader_options
    from mmseg_sparse.labels.importers.draw import ImportOptions
    from mmseg_sparse.labels.importers.import_labels import import_labels

    progress = ProgressBar()
    try:
        summary = import_labels(
            args.format,
            args.source,
            args.out,
            images=args.images,
            classes=parse_classes(args.classes) if args.classes else None,
            class_map=parse_class_map(args.class_map),
            options=ImportOptions(
                stroke_width=args.stroke_width,
                point_radius=args.point_radius,
                supervision=args.supervision,
                skip_unknown=args.skip_unknown,
                keep_empty=args.keep_empty,
                fill=args.fill,
                downsample=args.downsample,
                offset=tuple(args.offset),
                overlap=args.overlap,
                annotator=args.annotator,
            ),
            reader_options=reader_options(
                args.format,
                [
                    *args.option,
                    *([f'colours={args.colours}'] if args.colours else []),
                ],
            ),
            overwrite=args.overwrite,
            workers=args.workers,
            progress=lambda what, done, total: progress(done, total, what),
        )
    except KeyboardInterrupt:
        progress.finish()
        raise KeyboardInterrupt('nothing was written') from None
    except ModuleNotFoundError as error:
        progress.finish()
        fail(f'reading these files needs {error.name}: pip install '
             f'{error.name}')  # fmt: skip
    except (OSError, ValueError, MemoryError) as error:
        progress.finish()
        fail(error)
    progress.finish()
    print(f'{args.out}:\n{summary.text()}', flush=True)


if __name__ == '__main__':
    run_tool(main)
