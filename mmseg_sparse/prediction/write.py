"""Predict images without labels, and write what tools and people read."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..engine.export import classes_and_palette
from ..labels.exporters import EXPORTS, outline, write_annotations
from ..labels.image_finder import SUFFIXES, ImageFinder
from ..labels.label_map import Labels, encode_index_png, load_png_index
from ..pseudo_labels.output_folder import GeneratedFolder, Progress
from ..pseudo_labels.provenance import origin_of
from ..pseudo_labels.whole_images import (
    WholeImages,
    best_device,
    load_segmentor,
    test_pipeline,
    to_batch,
    whole_image_pipeline,
)
from ..utils.atomic import write_whole
from ..visualization import encode_png, fit_into, overlay, picture_sheet
from .windows import blend_windows

#: Folder of each kind of file, and its suffix. The first two are always made.
FOLDERS = {
    'png': ('labels', '.png'),
    'confidence': ('confidence', '.png'),
    'overlay': ('overlay', '.png'),
    'npy': ('probabilities', '.npy'),
}
FORMATS = ('png', 'overlay', 'npy', *EXPORTS)
SIDECAR = 'predictions.json'
#: Inputs of the network with more pixels are predicted in windows.
LARGE = 2**22
#: Longer side of an overlay, in pixels: at least and at most.
SMALLEST, LARGEST = 256, 1000


@dataclass(frozen=True)
class Picture:
    """An image to predict.

    Attributes:
        name: Path below its folder, without the suffix.
        path: The file.
    """

    name: str
    path: Path


def find_pictures(sources: Iterable[Path]) -> list[Picture]:
    """Return the images that files and folders name.

    Raises:
        FileNotFoundError: If a source is missing or has no image.
        ValueError: If two images have the same name.
    """
    found: dict[str, Picture] = {}
    for source in sources:
        for picture in _pictures(source):
            other = found.setdefault(picture.name, picture)
            if other.path != picture.path:
                raise ValueError(
                    f'{other.path} and {picture.path} would be written to '
                    f'one file, {picture.name}: predict them one by one'
                )
    return list(found.values())


def _pictures(source: Path) -> Iterator[Picture]:
    if source.is_file():
        yield Picture(source.stem, source)
        return
    if not source.is_dir():
        raise FileNotFoundError(
            f'expected an image or a folder of images ({", ".join(SUFFIXES)})'
            f', got {str(source)!r}'
        )
    finder = ImageFinder(source)
    for path in sorted(p for paths in finder.images.values() for p in paths):
        yield Picture(path.with_suffix('').as_posix(), source / path)


class Predictor:
    """A segmentor that gives the class probabilities of image files.

    Args:
        cfg: Config of the model; its test pipeline says how images are
            prepared. Steps that load labels are left out.
        checkpoint: File of the weights.
        device: By default the GPU, where there is one.
        tta: Whether to average over the variants of ``tta_pipeline``.
        tile: Side of windows in pixels of the network's input; 0: the size
            of the training crops; None: windows only if the input has more
            than 4 million pixels, or ``test_cfg`` says so.

    Raises:
        ValueError: If config and checkpoint do not fit each other, or the
            config lacks what an argument needs.
    """

    def __init__(
        self,
        cfg: Config,
        checkpoint: str,
        *,
        device: str | None = None,
        tta: bool = False,
        tile: int | None = None,
    ) -> None:
        init_default_scope(cfg.get('default_scope') or 'mmseg')
        steps = cfg.get('tta_pipeline') if tta else test_pipeline(cfg)
        if not steps:
            raise ValueError('--tta needs tta_pipeline in the config')
        self.model: Any = load_segmentor(
            cfg, checkpoint, device or best_device()
        )
        meta = torch.load(
            checkpoint, map_location='cpu', weights_only=True
        ).get('meta', {})
        found = classes_and_palette(meta, cfg)
        self.classes = tuple(found['classes'])
        self.palette = tuple(tuple(c) for c in found['palette'])
        self.pipeline = Compose([_without_labels(step) for step in
                                 whole_image_pipeline([], steps)])  # fmt: skip
        size = (cfg.model.get('data_preprocessor') or {}).get('size')
        self.window = max(size) if size else 512
        self.blended = False
        if tile is not None:
            self._blend(tile or self.window)
        elif (cfg.model.get('test_cfg') or {}).get('mode') == 'slide':
            self._blend(None)

    def _blend(self, window: int | None) -> None:
        blend_windows(self.model, window)
        self.blended = True

    def __call__(self, path: Path) -> Tensor:
        """Return probabilities at the image's own size, ``(C, H, W)``."""
        variants = self.variants(path)
        total, count = next(variants), 1
        for prob in variants:
            total, count = total + prob, count + 1
        return total / count

    @torch.no_grad()
    def variants(self, path: Path) -> Iterator[Tensor]:
        """Yield the probabilities of each variant of ``tta_pipeline``.

        They are of the image's own size, ``(C, H, W)``; without ``tta``
        there is one.
        """
        sample = self.pipeline(dict(img_path=str(path)))
        inputs, samples = sample['inputs'], sample['data_samples']
        if not isinstance(inputs, list):
            inputs, samples = [inputs], [samples]
        for one, data in zip(inputs, samples, strict=True):
            if not self.blended and one[0].numel() > LARGE:
                self._blend(self.window)
            yield self._predict(dict(inputs=one, data_samples=data))

    def _predict(self, sample: Mapping[str, Any]) -> Tensor:
        inputs, samples = to_batch(self.model, sample)
        (result,) = self.model.predict(inputs, samples)
        logits = result.seg_logits.data.float()
        if len(logits) == 1:  # mmseg has taken the sigmoid
            return torch.cat([1 - logits, logits])
        return logits.softmax(0)


def _without_labels(step: dict[str, Any]) -> dict[str, Any]:
    """Take label loading out of the variants of ``TestTimeAug``."""
    if not step.get('transforms'):
        return step
    groups = [
        [kept for one in group for kept in whole_image_pipeline([], [one])]
        for group in step['transforms']
    ]
    return {**step, 'transforms': [group for group in groups if group]}


@dataclass
class Predictions:
    """Writes the files of single images; see ``output_folder.Writer``.

    Attributes:
        predictor: The model.
        out: The folder.
        formats: Kinds of files, some of :data:`FORMATS`.
    """

    predictor: Predictor
    out: Path
    formats: Sequence[str] = ()
    entry: str | None = None
    listed: dict[str, Any] = field(default_factory=dict)

    def file(self, kind: str, item: Picture) -> Path:
        """Return a file of an image."""
        folder, suffix = FOLDERS[kind]
        return self.out / folder / f'{item.name}{suffix}'

    def path(self, item: Picture) -> Path:
        """Return the label map, which is written last."""
        return self.file('png', item)

    def made_of(self, item: Picture) -> Any:
        """Return nothing: files are never outdated."""

    def is_whole(self, item: Picture) -> bool:
        """Tell whether all files of an image are there."""
        kinds = {'png', 'confidence', *self.formats} & set(FOLDERS)
        return all(self.file(kind, item).is_file() for kind in kinds)

    def write(self, item: Picture) -> None:
        """Predict an image and write its files."""
        prob = self.predictor(item.path)
        best = prob.max(0)
        labels = best.indices.cpu().numpy().astype(np.uint8)
        confidence = np.rint(255 * best.values.cpu().numpy()).astype(np.uint8)
        if 'npy' in self.formats:
            buffer = io.BytesIO()
            np.save(buffer, prob.cpu().numpy().astype(np.float16))
            write_whole(self.file('npy', item), buffer.getvalue())
        if 'overlay' in self.formats:
            picture = self._overlay(item, labels)
            write_whole(self.file('overlay', item), encode_png(picture))
        write_whole(self.file('confidence', item), _grey_png(confidence))
        palette = self.predictor.palette
        write_whole(self.path(item), encode_index_png(labels, palette))

    def _overlay(self, item: Picture, labels: Labels) -> NDArray[np.uint8]:
        image = mmcv.imread(str(item.path), channel_order='rgb')
        predictor = self.predictor
        drawn = overlay(image, labels, predictor.palette, opacity=0.5)
        side = max(image.shape[:2])
        size = (min(LARGEST, max(SMALLEST, side)),) * 2
        return picture_sheet(
            [[fit_into(image, size), fit_into(drawn, size)]],
            ['image', 'prediction'],
            heading=item.name,
            classes=predictor.classes,
            palette=predictor.palette,
        )

    def read(self, item: Picture) -> Labels:
        """Return the label map that was written."""
        return load_png_index(self.path(item)).astype(np.uint8)


def _grey_png(values: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, 'PNG')
    return buffer.getvalue()


def predict_images(
    cfg: Config,
    predictor: Predictor,
    checkpoint: str,
    pictures: Sequence[Picture],
    out: Path,
    formats: Sequence[str],
    *,
    tolerance: float = 1.0,
    options: Mapping[str, Any],
    overwrite: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write the predictions of images to a folder.

    ``out/labels`` and ``out/confidence`` are always written. A run that was
    stopped goes on; files of another model or other options are refused.

    Args:
        cfg: Config of the model.
        predictor: The model.
        checkpoint: File of its weights.
        pictures: The images.
        out: Folder to make, or to go on with.
        formats: Some of :data:`FORMATS`.
        tolerance: Distance in pixels by which outlines may be simplified.
        options: What the predictions depend on besides config and
            checkpoint.
        overwrite: Remove what is there, and begin again.
        progress: Called with (images done, images in all).

    Returns:
        The number of images predicted; the others were there already.

    Raises:
        FileExistsError: If ``out`` has files of another origin.
        ValueError: If a format is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise ValueError(
                f'expected formats among {", ".join(FORMATS)}, got {name!r}'
            )
    none = WholeImages([], predictor.classes, predictor.palette, (), ())
    origin = origin_of('predict', cfg, checkpoint, none, **options)
    writer = Predictions(predictor, out, formats)
    folder = GeneratedFolder(
        out, SIDECAR, ('.png', '.npy', '.json', '.xml'),
        origin, dict(classes=list(predictor.classes), images={}),
    )  # fmt: skip
    written = folder.fill(
        pictures, writer, overwrite=overwrite, progress=progress
    )
    for name in formats:
        if name in EXPORTS:
            _export(name, writer, pictures, tolerance)
    return written


def _export(
    name: str,
    writer: Predictions,
    pictures: Sequence[Picture],
    tolerance: float,
) -> None:
    """Write the annotation files of a format, from the label maps."""
    classes = writer.predictor.classes
    annotations = [
        outline(
            writer.read(picture),
            classes,
            picture.name + picture.path.suffix,
            tolerance=tolerance,
        )
        for picture in pictures
    ]
    files = write_annotations(name, annotations, classes)
    for file, content in files.items():
        write_whole(writer.out / name / file, content)
