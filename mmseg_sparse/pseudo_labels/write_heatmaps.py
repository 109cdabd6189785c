"""Heat maps of a data set's images, written to files."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from torch import Tensor

from mmseg_sparse.labels.heatmap_file import (
    SUFFIX,
    read_heatmaps,
    write_heatmaps,
)

from ..models.contracts import TagClassifier
from ..models.segmentors import SparseEncoderDecoder
from .output_folder import Generated, GeneratedFolder, Progress, generate
from .provenance import HEATMAPS_SIDECAR, origin_of
from .tag_filter import (
    TagFilter,
    background_of,
    class_logits,
    no_tags,
    shown_maps,
)
from .whole_images import (
    WholeImage,
    best_device,
    load_segmentor,
    make_pseudo_labels,
    to_batch,
    whole_images,
)

TOOL = 'generate_heatmaps'
SOURCES = ('auto', 'cam', 'prediction')


def generate_heatmaps(
    cfg: Config,
    checkpoint: str,
    out: str | Path,
    *,
    split: str = 'train',
    ann_file: str | None = None,
    source: str = 'auto',
    background: float | None = None,
    filter_tags: bool | None = None,
    device: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Write the heat maps of images, for ``LoadHeatmaps`` to read.

    The file of an image is ``OUT/NAME.npz``, NAME its path below the data
    set's folder of images, as
    :func:`~mmseg_sparse.labels.write_heatmaps` writes it: maps of the
    image's own size, of the classes that are there alone. A run that was
    stopped goes on: files that are whole are left alone, unless the tags of
    their image, in the data set's list or file of tags, have changed. The
    same images, config, checkpoint and options give the same files, byte by
    byte; ``OUT/heatmaps.json`` says which these were, and files of others
    are never mixed with them.

    Args:
        cfg: Config of the model and the data sets.
        checkpoint: File of its weights.
        out: Folder to make, or to go on with.
        split: Whose images: ``'train'``, ``'val'`` or ``'test'``.
        ann_file: As in :func:`~.whole_images.whole_images`.
        source: ``'cam'``: class activation maps of the tags, of a decode
            head such as ``AFAHead``; ``'prediction'``: the softmax of what
            the model predicts, filtered by the tags (TRL, eq. 2); ``'auto'``:
            the first where the head can, else the second.
        background: A constant map of the background beside activation maps;
            the best map of a pixel is then its label by that score. None: no
            map, which reads as 0, as activation says nothing of it.
        filter_tags: Of predictions. True: every image must have tags; False:
            they are not filtered; None: those of images with tags are.
        device: By default the GPU, where there is one.
        overwrite: Remove files that are there, and begin again.
        progress: Called with (images done, images in all).

    Raises:
        FileExistsError: If ``out`` has files of another origin, or another
            process is writing to it.
        ValueError: If config, checkpoint, options and images do not fit each
            other.
    """
    if source not in SOURCES:
        raise ValueError(
            f'source must be one of {", ".join(SOURCES)}, got {source!r}'
        )
    if background is not None and not 0 < background < 1:
        raise ValueError(
            f'background must be a score between 0 and 1, got {background}'
        )
    images = whole_images(cfg, split, ann_file)
    model = load_segmentor(cfg, checkpoint, device or best_device())
    maker, options = _maker(
        model, len(images.classes), source, background, filter_tags
    )
    folder = GeneratedFolder(
        Path(out),
        HEATMAPS_SIDECAR,
        (SUFFIX,),
        origin_of(TOOL, cfg, checkpoint, images, split=split, **options),
        dict(classes=list(images.classes)),
    )

    def path(image: WholeImage) -> Path:
        return Path(out) / f'{image.name}{SUFFIX}'

    def write(image: WholeImage) -> None:
        write_heatmaps(
            path(image), *maker(image), num_classes=len(images.classes)
        )

    with folder.alone():
        folder.prepare(overwrite)
        if options.get('filter_tags') is not False:
            folder.forget_retagged(images.items)
        written = generate(
            images.items,
            lambda image: _is_whole(path(image), len(images.classes)),
            write,
            progress,
        )
    root = images.roots[0] if len(images.roots) == 1 else None
    return Generated(
        written,
        len(images.items) - written,
        maker.unfiltered,
        f"dict(type='LoadHeatmaps', root={str(out)!r}, img_root={root!r})",
    )


def _maker(
    model: Any,
    classes: int,
    source: str,
    background: float | None,
    filter_tags: bool | None,
) -> 'tuple[_Activations | _Predictions, dict[str, Any]]':
    """Return what makes the maps, and the options that they depend on."""
    if source == 'auto':
        source = 'cam' if _has_activation(model) else 'prediction'
    if source == 'cam':
        if filter_tags is False:
            raise ValueError(
                'filter_tags=False is for predictions; activation maps are '
                'those of the tags'
            )
        return (
            _Activations(model, classes, background),
            dict(source=source, background=background),
        )
    if background is not None:
        raise ValueError(
            f'background={background} is for activation maps; predictions '
            'have a map of the background'
        )
    return (
        _Predictions(model, classes, filter_tags),
        dict(source=source, filter_tags=filter_tags),
    )


class _Activations:
    """Class activation maps of an image's tags."""

    unfiltered = 0

    def __init__(
        self, model: Any, classes: int, background: float | None
    ) -> None:
        if not _has_activation(model):
            raise ValueError(
                f'{type(model).__name__} with '
                f'{type(getattr(model, "decode_head", None)).__name__} has '
                'no class activation maps: wanted a SparseEncoderDecoder or '
                'AFASegmentor with an AFAHead'
            )
        self.model = model
        self.classes = classes
        self.background = background

    @torch.no_grad()
    def __call__(self, image: WholeImage) -> tuple[NDArray[Any], NDArray[Any]]:
        inputs, samples = to_batch(self.model, image.load())
        tags = samples[0].get('gt_label')
        if tags is None:
            raise ValueError(no_tags(image))
        (cam,) = self.model.class_activations(inputs, samples)
        background = background_of(
            image, len(tags), self.classes, self.model.decode_head.background
        )
        indices = [i for i in range(self.classes) if i != background]
        maps = cam.new_zeros(self.classes, *cam.shape[1:])
        maps[indices] = cam
        shown = torch.zeros(self.classes, dtype=torch.bool)
        shown[indices] = tags.cpu() > 0
        if self.background is not None:
            if background is None:
                raise ValueError(
                    f'background={self.background}: every class of the data '
                    'set is a tag, none the background'
                )
            maps[background] = self.background
            shown[background] = True
        return shown_maps(maps, shown)


class _Predictions:
    """Probabilities of what the model predicts, filtered by the tags."""

    def __init__(
        self, model: Any, classes: int, filter_tags: bool | None
    ) -> None:
        self.model = model
        make_pseudo_labels(model, False)
        self.classes = classes
        self.filter = TagFilter(classes, model, filter_tags)

    @property
    def unfiltered(self) -> int:
        """How many images had no tags to filter by."""
        return self.filter.unfiltered

    @torch.no_grad()
    def __call__(self, image: WholeImage) -> tuple[NDArray[Any], NDArray[Any]]:
        inputs, samples = to_batch(self.model, image.load())
        result: SegDataSample
        (result,) = self.model.predict(inputs, samples)
        logits = class_logits(result, image, self.classes)
        prob: Tensor = self.filter.prob(
            logits, self.filter.tags(result, image)
        )
        if not prob.isfinite().all():
            raise ValueError(f'{image.path}: the prediction is not finite')
        return shown_maps(prob, prob.flatten(1).any(1))


def _has_activation(model: Any) -> bool:
    return isinstance(model, SparseEncoderDecoder) and isinstance(
        model.decode_head, TagClassifier
    )


def _is_whole(path: Path, classes: int) -> bool:
    """Tell whether a file of heat maps is there and can be read."""
    try:
        return read_heatmaps(path).num_classes == classes
    except (OSError, ValueError):
        return False
