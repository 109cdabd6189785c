"""Pseudo labels of a data set's images, written as a folder of labels."""

import io
import os
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mmseg_sparse.labels.classes import find_background
from mmseg_sparse.labels.label_folder import (
    SIDECAR,
    VERSION,
    LabelFile,
    label_file,
)
from mmseg_sparse.labels.label_map import NO_LABEL, distinct_palette

from ..models.segmentors import AFASegmentor, HeatmapRefiner
from ..utils.atomic import write_whole
from .output_folder import Generated, GeneratedFolder, Progress, generate
from .provenance import origin_of
from .tag_filter import TagFilter, background_of, class_logits
from .whole_images import (
    WholeImage,
    WholeImages,
    best_device,
    load_segmentor,
    make_pseudo_labels,
    to_batch,
    whole_images,
)

TOOL = 'generate_pseudo_labels'
CONFIDENCE = 'confidence'
#: The prediction, or what AFASegmentor makes of the tags, step by step.
SOURCES = ('prediction', 'cam', 'refined', 'propagated', 'final', 'labels')
#: Without it a PNG is cut short, which Pillow may not notice.
_PNG_END = b'IEND\xaeB`\x82'
Labels = NDArray[np.uint8]


def generate_pseudo_labels(
    cfg: Config,
    checkpoint: str,
    out: str | Path,
    *,
    split: str = 'train',
    ann_file: str | None = None,
    source: str = 'prediction',
    min_confidence: float = 0.0,
    confidence: bool = True,
    filter_tags: bool | None = None,
    device: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Write the label maps that a model predicts, ready to train on.

    The file of an image is ``OUT/NAME.png``, NAME its path below the data
    set's folder of images: an index PNG of the image's own size with the
    data set's colours, 255 where there is no label. A run that was stopped
    goes on, as of :func:`~.heatmap_writer.generate_heatmaps`.
    ``OUT/labels.json`` says what the labels are of and, as soon as all are
    there, lists them, for ``SparseSegDataset``.

    The confidence of a pixel is the probability of its label, in
    ``OUT/confidence/NAME.png`` as 255 times that, rounded. Filtering by tags
    does not raise it: what absent classes had is lost.

    Args:
        cfg: Config of the model and the data sets.
        checkpoint: File of its weights.
        out: Folder to make, or to go on with.
        split: Whose images: ``'train'``, ``'val'`` or ``'test'``.
        ann_file: As in :func:`~.whole_images.whole_images`.
        source: ``'prediction'``, or a field of
            :class:`~mmseg_sparse.models.segmentors.PseudoLabels` that an
            ``AFASegmentor`` makes of the tags; of those ``'final'`` alone
            has a confidence, the score of the label, which is a probability
            if the model's ``cam_softmax`` is set.
        min_confidence: Pixels below it get no label.
        confidence: Whether to write confidences, where there are some.
        filter_tags: Of predictions. True: only classes that the image's tags
            name, and the background, are labels, and every image must have
            tags; False: any class; None: as in ``HeatmapRefiner`` those
            images that have tags are filtered, of other models none.
        device: By default the GPU, where there is one.
        overwrite: Remove files that are there, and begin again.
        progress: Called with (images done, images in all).

    Raises:
        FileExistsError: If ``out`` has files of another origin, or another
            process is writing to it.
        ValueError: If config, checkpoint, options and images do not fit each
            other.
    """
    _check_options(source, min_confidence, filter_tags)
    confidence = confidence and source in ('prediction', 'final')
    images = whole_images(cfg, split, ann_file)
    if len(images.classes) > NO_LABEL:
        raise ValueError(f'{len(images.classes)} classes do not fit 8 bits')
    model = load_segmentor(cfg, checkpoint, device or best_device())
    if filter_tags is None and not isinstance(model, HeatmapRefiner):
        filter_tags = False
    labeller = _Labeller(
        model, len(images.classes), source, min_confidence, filter_tags
    )
    options = dict(
        split=split, source=source, min_confidence=min_confidence,
        confidence=confidence, filter_tags=filter_tags,
    )  # fmt: skip
    folder = GeneratedFolder(
        Path(out),
        SIDECAR,
        ('.png',),
        origin_of(TOOL, cfg, checkpoint, images, **options),
        dict(
            version=VERSION,
            format='pseudo labels',
            classes=list(images.classes),
            confidence=CONFIDENCE if confidence else None,
            images={},
        ),
    )
    with folder.alone():
        sidecar = folder.prepare(overwrite)
        if source != 'prediction' or filter_tags is not False:
            sidecar = folder.forget_retagged(images.items)
        files = _Files(
            Path(out),
            images,
            confidence,
            dict(sidecar['images']),
            labeller.filter.of_head,
        )
        written = generate(
            images.items,
            files.are_whole,
            lambda image: files.write(image, *labeller(image)),
            progress,
        )
        folder.write_sidecar(
            {**sidecar, 'images': dict(sorted(files.listed.items()))}
        )
    return Generated(
        written,
        len(images.items) - written,
        labeller.filter.unfiltered,
        training_config(images, out, labeller.filter.of_head),
    )


def _check_options(
    source: str, min_confidence: float, filter_tags: bool | None
) -> None:
    if source not in SOURCES:
        raise ValueError(
            f'source must be one of {", ".join(SOURCES)}, got {source!r}'
        )
    if not 0 <= min_confidence <= 1:
        raise ValueError(
            f'min_confidence must lie in [0, 1], got {min_confidence}'
        )
    if min_confidence and source not in ('prediction', 'final'):
        raise ValueError(
            f'min_confidence={min_confidence}: source={source!r} has no '
            "confidence; 'prediction' and 'final' have"
        )
    if filter_tags and source != 'prediction':
        raise ValueError(
            f'source={source!r} is made of the tags: filter_tags is for '
            "source='prediction'"
        )


def training_config(
    images: WholeImages, out: str | Path, of_head: int | None = None
) -> str:
    """Return lines of a config that train on pseudo labels.

    Args:
        images: What they are of.
        out: Folder of the labels.
        of_head: The model's background.
    """
    if len(images.roots) > 1:
        return (
            f'# no config: the images of the data set, joined of '
            f'{len(images.roots)}, lie in as many folders'
        )
    paths = [Path(item.path) for item in images.items]
    root = images.roots[0]
    root = root or os.path.commonpath([path.parent for path in paths])
    dataset = dict(
        _delete_=True,
        type='SparseSegDataset',
        classes=images.classes,
        **(dict(palette=images.palette) if images.palette else {}),
        **_background(images, of_head),
        data_prefix=dict(img_path=str(root), seg_map_path=str(out)),
        ann_file=str(Path(out) / SIDECAR),
        img_suffix=paths[0].suffix,
    )
    lines = [f'        {key}={value!r},' for key, value in dataset.items()]
    return '\n'.join(
        ['train_dataloader = dict(', '    dataset=dict(', *lines, '    )', ')']
    )


def _background(images: WholeImages, of_head: int | None) -> dict[str, Any]:
    """Return the background's index where the classes do not tell it."""
    for image in images.items:
        hot = image.info.get('gt_label')
        if hot is not None:
            found = background_of(
                image, len(hot), len(images.classes), of_head
            )
            if found == find_background('auto', images.classes):
                return {}
            return dict(background=found)
    return {}


class _Labeller:
    """Labels of an image, and how sure they are."""

    def __init__(
        self,
        model: Any,
        classes: int,
        source: str,
        min_confidence: float,
        filter_tags: bool | None,
    ) -> None:
        own = source != 'prediction'
        if own and not isinstance(model, AFASegmentor):
            raise ValueError(
                f'source={source!r}: {type(model).__name__} makes no labels '
                'of tags; AFASegmentor does'
            )
        make_pseudo_labels(model, own)
        self.model = model
        self.classes = classes
        self.source = source
        self.min_confidence = min_confidence
        self.filter = TagFilter(classes, model, filter_tags)

    @torch.no_grad()
    def __call__(
        self, image: WholeImage
    ) -> tuple[Labels, NDArray[np.float32] | None]:
        inputs, samples = to_batch(self.model, image.load())
        (result,) = self.model.predict(inputs, samples)
        if self.source == 'prediction':
            labels, prob = self._predicted(result, image)
        else:
            found = result.get(f'pseudo_{self.source}')
            if found is None:
                raise ValueError(
                    f'source={self.source!r}: the model has no propagation'
                )
            labels, prob = found.data[0], None
            if self.source == 'final':
                prob = result.pseudo_confidence.data[0]
        if prob is None:
            return labels.cpu().numpy().astype(np.uint8), None
        labels = labels.masked_fill(prob < self.min_confidence, NO_LABEL)
        return labels.cpu().numpy().astype(np.uint8), prob.cpu().numpy()

    def _predicted(
        self, result: SegDataSample, image: WholeImage
    ) -> tuple[Tensor, Tensor]:
        logits = class_logits(result, image, self.classes)
        if not logits.isfinite().all():
            raise ValueError(f'{image.path}: the prediction is not finite')
        tags = self.filter.tags(result, image)
        prob = self.filter.prob(logits, tags)
        if tags is None:  # where mmseg's threshold may decide
            labels = result.pred_sem_seg.data[0].long()
        else:
            labels = self.filter.logits(logits, tags).argmax(0)
        prob = prob.gather(0, labels[None])[0]
        if tags is not None and tags[1] is None and not tags[0].any():
            labels = torch.full_like(labels, NO_LABEL)  # nothing is left
        return labels, prob


class _Files:
    """The files of images in a folder of pseudo labels.

    Attributes:
        listed: What ``labels.json`` is to say of the images.
    """

    def __init__(
        self,
        out: Path,
        images: WholeImages,
        confidence: bool,
        listed: dict[str, Any],
        of_head: int | None,
    ) -> None:
        self.of_head = of_head
        self.out = out
        self.classes = images.classes
        self.palette = images.palette or distinct_palette(len(images.classes))
        self.confidence = confidence
        self.listed = listed
        for image in images.items:
            if confidence and PurePath(image.name).parts[0] == CONFIDENCE:
                raise ValueError(
                    f'{image.path}: its label would lie in {out / CONFIDENCE},'
                    ' where confidences are: confidence must be False'
                )

    def are_whole(self, image: WholeImage) -> bool:
        """Tell whether an image's files are there; note what is in them."""
        labels = _read_png(self.out / f'{image.name}.png', 'P')
        if labels is None:
            return False
        if self.confidence:
            prob = _read_png(self._confidence_path(image), 'L')
            if prob is None or prob.shape != labels.shape:
                return False
        self._file(image, labels)
        return True

    def write(
        self,
        image: WholeImage,
        labels: Labels,
        prob: NDArray[np.float32] | None,
    ) -> None:
        """Write an image's files, its labels last."""
        if self.confidence and prob is not None:
            picture = np.rint(255 * prob.clip(0, 1)).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, 'PNG')
            write_whole(self._confidence_path(image), buffer.getvalue())
        png = self._file(image, labels).png
        assert png is not None
        write_whole(self.out / f'{image.name}.png', png)

    def _confidence_path(self, image: WholeImage) -> Path:
        return self.out / CONFIDENCE / f'{image.name}.png'

    def _file(self, image: WholeImage, labels: Labels) -> LabelFile:
        hot = image.info.get('gt_label')
        tags: list[str] = []
        if hot is not None:
            background = background_of(
                image, len(hot), len(self.classes), self.of_head
            )
            names = [c for i, c in enumerate(self.classes) if i != background]
            tags = [c for c, h in zip(names, hot, strict=True) if h]
        file = label_file(
            image.name,
            labels,
            self.palette,
            supervision='pseudo',
            size=(labels.shape[1], labels.shape[0]),
            tags=tags,
        )
        self.listed[image.name] = file.info
        return file


def _read_png(path: Path, mode: str) -> Labels | None:
    """Read a PNG of a mode; None if there is no whole one."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            if picture.mode != mode or not data.endswith(_PNG_END):
                return None
            return np.asarray(picture)
    except (OSError, SyntaxError, ValueError):
        return None
