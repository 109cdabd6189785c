"""From the annotations of a source to a folder of label maps."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...utils.untrusted import FormatError, nfc, shown
from ..classes import LEFT_OUT, Classes, ClassMap, make_classes, meaning
from ..colours import misnumbered, read_colours
from ..image_finder import ImageFinder
from ..label_folder import LabelFile, check_label_folder, write_label_folder
from ..label_map import NO_LABEL
from . import load_reader
from .collect import Collector, ImageJob, checksums
from .draw import Drawing, ImportOptions, draw_all
from .formats import (
    NUMBERED,
    PIXEL_STROKES,
    UNORDERED,
    WORDS,
    listed_classes,
)
from .slide import on_image

#: So many palettes are compared with the classes.
LOOKED_AT = 20
#: Names, in small letters, of classes that are void in many data sets.
VOID_NAMES = {
    'ignore', 'ignored', 'neutral', 'unlabeled', 'unlabelled', 'void',
}  # fmt: skip
#: Called with what is being done, how many are done, and of how many.
Progress = Callable[[str, int, int | None], None]


@dataclass
class ImportSummary:
    """What was imported.

    Attributes:
        classes: Their names.
        overlap: Which of several shapes has a pixel, as it was drawn.
        supervisions: Number of images by supervision.
        pixels: Pixels of the images that have a label map.
        labeled_pixels: Those of them that are labelled.
        void: Pixels that the source says are of no class.
        contested: Number of pixels that shapes of different classes cover, by
            the class that has them and the one beneath; 255 = void.
        clipped: Shapes that reach beyond their image.
        vanished: Shapes that cover no pixel.
        outside: Shapes that lie outside their image as a whole.
        skipped_labels: Shapes and tags left out, by unknown class.
        skipped_images: Annotations left out, as their image is missing.
        skipped_sizes: Annotations left out, as their image has another size.
        skipped_entries: Other entries left out, as they are malformed.
        reasons: What is wrong with the first of those.
        empty: Images that have no label in the source.
        unannotated: Images that the source does not name.
        unused: Labels of the class map that the source does not have.
        merged: Images with labels of several annotators.
        skipped_annotations: Annotations of others than the one asked for.
    """

    classes: tuple[str, ...] = ()
    overlap: str = 'layers'
    supervisions: Counter[str] = field(default_factory=Counter)
    pixels: int = 0
    labeled_pixels: int = 0
    void: int = 0
    contested: Counter[tuple[str | int, str | int]] = field(
        default_factory=Counter
    )
    clipped: int = 0
    vanished: int = 0
    outside: int = 0
    skipped_labels: Counter[str] = field(default_factory=Counter)
    skipped_images: list[str] = field(default_factory=list)
    skipped_sizes: list[str] = field(default_factory=list)
    skipped_entries: int = 0
    reasons: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unannotated: int = 0
    unused: tuple[str, ...] = ()
    merged: int = 0
    skipped_annotations: int = 0

    @property
    def conflicts(self) -> int:
        """Number of pixels that shapes of different classes cover."""
        return self.contested.total()

    def add(self, file: LabelFile) -> None:
        """Count in an image that is written."""
        info = file.info
        self.supervisions[info['supervision']] += 1
        for above, below, pixels in info['contested']:
            self.contested[above, below] += pixels
        self.void += info['void']
        self.clipped += info['clipped']
        self.vanished += info['vanished']
        if file.png is not None:
            self.pixels += info['size'][0] * info['size'][1]
            self.labeled_pixels += info['labeled_pixels']

    def text(self) -> str:
        """Return the numbers for reading; what did not occur is left out."""
        kinds = ', '.join(f'{n} {k}' for k, n in self.supervisions.items())
        lines = [
            f'{self.supervisions.total()} images ({kinds}), '
            f'{len(self.classes)} classes'
        ]
        if self.pixels:
            share = 100 * self.labeled_pixels / self.pixels
            lines.append(
                f'{self.labeled_pixels} pixels labelled, {share:.3g} %'
            )
        skipped = ', '.join(
            f'{shown(label)} {number}'
            for label, number in self.skipped_labels.most_common(10)
        )
        void = [v for v in self.classes if v.strip('_ ').lower() in VOID_NAMES]
        notes = (
            (len(void), f'classes that may be void: {_some(void)}, '
             'drawn like any class (leave them out of --classes and map them '
             'to 255 by --class-map)'),
            (self.conflicts, 'pixels covered by shapes of several classes '
             f'({self.overlap}): {_pairs(self.contested)}'),
            (self.void, 'pixels that the source says are void (255)'),
            (self.clipped, 'shapes clipped at the edge of their image'),
            (self.vanished, 'shapes that cover no pixel'),
            (self.outside, 'shapes that lie outside their image (of a whole '
             'slide? --downsample and --offset)'),
            (self.skipped_labels.total(),
             f'shapes and tags left out, by class: {skipped}'),
            (len(self.skipped_images),
             f'missing images left out: {_some(self.skipped_images)}'),
            (self.merged, 'images with labels of several annotators, all '
             'drawn (--annotator chooses)'),
            (self.skipped_annotations, 'annotations of other annotators left '
             'out'),
            (len(self.skipped_sizes), 'annotations of images of another size '
             f'left out: {_some(self.skipped_sizes)}'),
            (self.skipped_entries, 'malformed entries or files left out, the '
             'first: ' + '; '.join(self.reasons)),
            (len(self.empty), f'images without labels: {_some(self.empty)}'),
            (self.unannotated, 'images that the source does not name'),
            (len(self.unused), 'labels of the class map that are not in the '
             f'source: {_some([shown(label) for label in self.unused])}'),
        )  # fmt: skip
        lines += [f'{number} {what}' for number, what in notes if number]
        return '\n'.join(f'  {line}' for line in lines)


def import_labels(
    format_name: str,
    source: str | Path,
    out: str | Path,
    *,
    images: str | Path,
    classes: Classes | None = None,
    class_map: Mapping[str, int | str] | None = None,
    options: ImportOptions | None = None,
    reader_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> ImportSummary:
    """Write the label map of every image that a source annotates.

    Several annotations of one image are drawn as one, in the order they are
    read. The result does not depend on ``workers``.

    Args:
        format_name: One of ``formats.FORMATS``.
        source: File or folder to read.
        out: Folder to make: a PNG for each image, at the image's path below
            ``images``, and ``labels.json``. It appears whole or not at all.
        images: Folder of the images. They are not decoded.
        classes: Names and colours; None: those of the reader's table of
            colours, that the source lists, or its labels, sorted.
        class_map: Class index or name, 255 (void) or '' (left out) by label.
        options: How labels are drawn.
        reader_options: Keyword arguments of the format's reader.
        overwrite: Replace a label folder that is there.
        workers: Number of processes that draw.
        progress: Called while it goes on.

    Raises:
        FormatError: If the source, an image or a class is not as it must be.
        FileExistsError: If ``out`` may not be written.
        OSError: If a file cannot be read.
        ValueError: If an argument is wrong, or nothing is labelled.
    """
    source, out, images = Path(source), Path(out), Path(images)
    options, reader_options = options or ImportOptions(), reader_options or {}
    report = progress or (lambda what, done, total: None)
    _check_out(source, out, overwrite)
    if classes is None:
        classes = _listed(format_name, source, class_map, reader_options)
    names = _class_map(format_name, classes, class_map)
    finder = ImageFinder(images, exclude=[out])
    collector = _collector(format_name, finder, names, options)
    _read(format_name, source, out, reader_options, collector, report)
    collector.check()
    if format_name == 'index-png' and not class_map:
        _check_palettes(collector, classes, reader_options)
    if classes is None or names is None:
        classes, names = _collected(format_name, source, collector)
    drawing = _drawing(format_name, classes, names.used, options)
    meta = _meta(format_name, source, collector, drawing, reader_options)
    summary = _write(collector, drawing, out, meta, overwrite, workers, report)
    summary.unused = names.unused
    return summary


def _drawing(
    format_name: str,
    classes: Classes,
    class_ids: Mapping[str, int],
    options: ImportOptions,
) -> Drawing:
    return Drawing(
        classes,
        class_ids,
        options,
        pixel_strokes=format_name in PIXEL_STROKES,
        unordered=format_name in UNORDERED,
    )


def _check_out(source: Path, out: Path, overwrite: bool) -> None:
    check_label_folder(out, overwrite)
    if out.exists() and source.resolve().is_relative_to(out.resolve()):
        raise ValueError(f'{source} would be overwritten by its own import')


def _listed(
    format_name: str,
    source: Path,
    class_map: Mapping[str, int | str] | None,
    reader_options: Mapping[str, Any],
) -> Classes | None:
    """Return the classes that the source or a table of colours lists."""
    classes = _coloured(format_name, class_map, reader_options)
    listed = listed_classes(format_name, source)
    return make_classes(listed) if listed else classes


def _collector(
    format_name: str,
    finder: ImageFinder,
    names: ClassMap | None,
    options: ImportOptions,
) -> Collector:
    return Collector(
        finder,
        names,
        options.skip_unknown,
        words=WORDS.get(format_name, ()),
        annotator=options.annotator,
        place=lambda item: on_image(item, options.downsample, options.offset),
    )


def _check_palettes(
    collector: Collector,
    classes: Classes | None,
    reader_options: Mapping[str, Any],
) -> None:
    """Raise FormatError if PNGs number the colours in another order.

    Some of the files are enough: all were converted in the same way.
    """
    if classes is None or 'colours' in reader_options:
        return
    paths = sorted(collector.sources)
    for path in paths[:: max(1, len(paths) // LOOKED_AT)]:
        with Image.open(path) as picture:
            if picture.mode != 'P':
                continue
            text = misnumbered(
                np.array(picture), picture.getpalette() or [], classes.palette
            )
        if text:
            raise FormatError(
                path, '',
                f'{text}: its values count the colours, not the classes. '
                '--colours FILE reads the colours, where FILE has a line such '
                "as 'cat 128,0,0' for each class or is a dataset type",
            )  # fmt: skip


def _meta(
    format_name: str,
    source: Path,
    collector: Collector,
    drawing: Drawing,
    reader_options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what ``labels.json`` says besides the images."""
    return {
        'tool': 'import_labels',
        'format': format_name,
        'classes': list(drawing.classes.names),
        'class_map': {
            label: None if index == LEFT_OUT else index
            for label, index in sorted(drawing.class_ids.items())
        },
        'options': {
            **asdict(drawing.options),
            'overlap': drawing.overlap,
            'reader': _plain(reader_options),
        },
        'sources': checksums(source, collector.sources, reader_options),
        'skipped': dict(sorted(collector.skipped_labels.items())),
        'skipped_images': len(collector.skipped_images),
        'skipped_sizes': len(collector.skipped_sizes),
        'skipped_entries': collector.skipped_entries,
        'outside': collector.outside,
    }


def _read(
    format_name: str,
    source: Path,
    out: Path,
    options: Mapping[str, Any],
    collector: Collector,
    report: Progress,
) -> None:
    """Collect what the source holds, except for the output of an import."""
    inside = out.resolve().is_relative_to(source.resolve())

    def own(name: str) -> bool:
        return inside and Path(name).resolve().is_relative_to(out.resolve())

    def on_error(error: FormatError) -> None:
        if not own(error.source):
            collector.leave_out(error)

    read = load_reader(format_name)
    items = read(source, on_error=on_error, **options)
    for done, item in enumerate(items, 1):
        if not own(item.source):
            collector.add(item)
        report('read', done, None)


def _write(
    collector: Collector,
    drawing: Drawing,
    out: Path,
    meta: Mapping[str, Any],
    overwrite: bool,
    workers: int,
    report: Progress,
) -> ImportSummary:
    """Draw what was collected into the folder."""
    summary = ImportSummary(
        classes=drawing.classes.names,
        overlap=drawing.overlap,
        skipped_labels=collector.skipped_labels,
        skipped_images=collector.skipped_images,
        skipped_sizes=collector.skipped_sizes,
        skipped_entries=collector.skipped_entries,
        reasons=collector.reasons,
        unannotated=collector.unannotated,
        outside=collector.outside,
        merged=sum(len(job.annotators) > 1 for job in collector.jobs.values()),
        skipped_annotations=collector.skipped_annotations,
    )
    jobs = list(collector.jobs.values())
    with closing(_drawn(jobs, drawing, workers, summary, report)) as files:
        write_label_folder(out, files, meta, overwrite=overwrite)
    return summary


def _coloured(
    format_name: str,
    class_map: Mapping[str, int | str] | None,
    reader_options: Mapping[str, Any],
) -> Classes | None:
    """Return the classes of a table of colours in its order, but for void."""
    path = reader_options.get('colours')
    table = None if path is None else read_colours(path)
    if table is None or not table.named:
        return None
    words = WORDS.get(format_name, ())
    colours: dict[str, tuple[int, ...]] = {}
    for label, colour in zip(table.labels, table.colours, strict=True):
        if meaning(label, words) is None and label not in (class_map or {}):
            colours.setdefault(label, colour)
    try:
        return make_classes(list(colours), list(colours.values()))
    except ValueError as error:
        raise FormatError(path, '', str(error)) from error


def _class_map(
    format_name: str,
    classes: Classes | None,
    given: Mapping[str, int | str] | None,
) -> ClassMap | None:
    """Return the class map; None if the classes are the source's labels."""
    if classes is not None:
        return ClassMap(
            classes.names,
            given,
            first=NUMBERED.get(format_name),
            words=WORDS.get(format_name, ()),
        )
    if given:
        raise ValueError('a class map needs class names to map to')
    if format_name in NUMBERED:
        raise ValueError(
            f'class names are needed: the labels of {format_name} are '
            'numbers; give --classes'
        )
    return None


def _collected(
    format_name: str, source: Path, collector: Collector
) -> tuple[Classes, ClassMap]:
    """Make classes of the labels that were read, but for void."""
    words = WORDS.get(format_name, ())
    labels = sorted(collector.labels)
    named = [nfc(v) for v in labels if meaning(v, words) is None]
    try:
        classes = make_classes(list(dict.fromkeys(named)))
    except ValueError as error:
        problem = str(error)
        if not named:
            problem += (
                f': no shape and no tag has a class, in {len(collector.jobs)} '
                f'images; {len(collector.skipped_images)} more are missing'
            )
        raise FormatError(source, '', problem) from error
    names = ClassMap(classes.names, words=words)
    for label in labels:
        names.index(label)
    return classes, names


def _drawn(
    jobs: list[ImageJob],
    drawing: Drawing,
    workers: int,
    summary: ImportSummary,
    report: Progress,
) -> Generator[LabelFile, None, None]:
    """Yield what is drawn and count it.

    Raises:
        ValueError: If nothing is.
    """
    with closing(draw_all(jobs, drawing, workers)) as drawn:
        for done, (job, file) in enumerate(zip(jobs, drawn, strict=True), 1):
            report('draw', done, len(jobs))
            if file is None or file.is_empty:
                summary.empty.append(job.name)
            if file is not None:
                summary.add(file)
                yield file
    if not summary.supervisions:
        raise ValueError(
            f'no image would have a label: {len(jobs)} images were read, '
            f'{len(summary.skipped_images)} are missing, '
            f'{len(summary.skipped_sizes)} have another size, '
            f'{summary.skipped_labels.total()} shapes and tags are of unknown '
            f'classes, {summary.outside} shapes lie outside their image (of a '
            'whole slide? --downsample and --offset), '
            f'{summary.skipped_entries} entries are malformed'
            + (f' ({summary.reasons[0]})' if summary.reasons else '')
        )


def _pairs(contested: Counter[tuple[str | int, str | int]]) -> str:
    """Return which class is how often above which one, most first."""
    shown_pairs = [
        ' above '.join('void' if name == NO_LABEL else shown(name)
                       for name in pair) + f' {pixels}'
        for pair, pixels in contested.most_common(6)
    ]  # fmt: skip
    return _some(shown_pairs)


def _some(names: list[str]) -> str:
    return ', '.join(names[:5]) + (', ...' if len(names) > 5 else '')


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON has them; of paths, the names."""
    return {
        key: value.name if isinstance(value, Path) else value
        for key, value in options.items()
    }
