"""Label maps as what a model's predictions are written to."""

import io
import os
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mmseg_sparse.labels.classes import find_background
from mmseg_sparse.labels.label_folder import (
    SIDECAR,
    LabelFile,
    label_file,
    make_sidecar,
)
from mmseg_sparse.labels.label_map import (
    NO_LABEL,
    distinct_palette,
    load_png_index,
)

from ..models.segmentors import AFASegmentor, HeatmapRefiner
from ..utils.atomic import write_whole
from .whole_images import WholeImage, make_pseudo_labels, predict
from .write import Sink

CONFIDENCE = 'confidence'
#: The prediction, or what AFASegmentor makes of the tags, step by step.
SOURCES = ('prediction', 'cam', 'refined', 'propagated', 'final', 'labels')
#: Those of them that have a confidence.
CONFIDENT = ('prediction', 'final')


class Labels(Sink):
    """Label maps that a model predicts, in ``OUT/NAME.png``, to train on.

    They are index PNGs with the data set's colours, 255 where there is no
    label. ``OUT/labels.json`` lists them for ``SparseSegDataset`` as soon as
    all are there.

    The confidence of a pixel is the probability of its label;
    ``OUT/confidence/NAME.png`` is 255 times that, rounded. Filtering by tags
    does not raise it: the probability of absent classes is lost.

    Args:
        source: ``'prediction'``, or a field of
            :class:`~mmseg_sparse.models.segmentors.PseudoLabels` that an
            ``AFASegmentor`` makes of the tags. Only ``'final'`` of these has
            a confidence, the score of the label; it is a probability if the
            model's ``cam_softmax`` is set.
        min_confidence: Pixels below it get no label.
        confidence: Whether to write confidences, where there are any.
        filter_tags: Of predictions. True: only classes that the image's tags
            name, and the background, are labels, and every image must have
            tags; False: any class; None: predictions of a ``HeatmapRefiner``
            are filtered where an image has tags, those of other models not.

    Raises:
        ValueError: If arguments are out of range, or exclude each other.
    """

    tool = 'generate_pseudo_labels'
    sidecar = SIDECAR
    suffix = '.png'

    def __init__(
        self,
        source: str = 'prediction',
        min_confidence: float = 0.0,
        confidence: bool = True,
        filter_tags: bool | None = None,
    ) -> None:
        """Check the arguments and keep them."""
        if source not in SOURCES:
            raise ValueError(
                f'source must be one of {", ".join(SOURCES)}, got {source!r}'
            )
        if not 0 <= min_confidence <= 1:
            raise ValueError(
                f'min_confidence must lie in [0, 1], got {min_confidence}'
            )
        if min_confidence and source not in CONFIDENT:
            raise ValueError(
                f'min_confidence={min_confidence}: source={source!r} has no '
                f'confidence; {" and ".join(map(repr, CONFIDENT))} have'
            )
        if filter_tags and source != 'prediction':
            raise ValueError(
                f'source={source!r} is made of the tags: filter_tags is for '
                "source='prediction'"
            )
        self.source = source
        self.min_confidence = min_confidence
        self.confidence = confidence and source in CONFIDENT
        self.filter_tags = filter_tags

    def prepare(self) -> None:
        """Set options and contents, and prepare the model."""
        if self.classes > NO_LABEL:
            raise ValueError(
                f'expected at most {NO_LABEL} classes, got {self.classes}: '
                'they do not fit 8 bits'
            )
        model = self.model
        of_tags = self.source != 'prediction'
        if of_tags and not isinstance(model, AFASegmentor):
            raise ValueError(
                f'source={self.source!r}: {type(model).__name__} makes no '
                'labels of tags; AFASegmentor does'
            )
        make_pseudo_labels(model, of_tags)
        filter_tags = self.filter_tags
        if filter_tags is None and not isinstance(model, HeatmapRefiner):
            filter_tags = False
        self.options = dict(
            source=self.source,
            min_confidence=self.min_confidence,
            confidence=self.confidence,
            filter_tags=filter_tags,
        )
        meta = dict(
            format='pseudo labels',
            classes=list(self.images.classes),
            confidence=CONFIDENCE if self.confidence else None,
        )
        self.contents = make_sidecar(meta, {})
        self.palette = self.images.palette or distinct_palette(self.classes)
        for image in self.images.items if self.confidence else ():
            if PurePath(image.name).parts[0] == CONFIDENCE:
                raise ValueError(
                    f'{image.path}: its label would lie in '
                    f'{self.out / CONFIDENCE} among the confidences: set '
                    'confidence=False'
                )

    def is_whole(self, image: WholeImage) -> bool:
        """Tell whether an image's files are there; list what is in them."""
        try:
            labels = load_png_index(self.path(image))
            if self.confidence and (
                load_png_index(self._confidence_path(image)).shape
                != labels.shape
            ):
                return False
        except (OSError, ValueError):
            return False
        self._list(image, labels.astype(np.uint8))
        return True

    @torch.no_grad()
    def write(self, image: WholeImage) -> None:
        """Write an image's files, its labels last."""
        result = predict(self.model, image)
        labels, prob = (
            self._predicted(result, image)
            if self.source == 'prediction'
            else self._made_of_tags(result)
        )
        if prob is not None:
            unsure = prob < self.min_confidence
            labels = labels.masked_fill(unsure, NO_LABEL)
            if self.confidence:
                values = np.rint(255 * prob.cpu().numpy().clip(0, 1))
                buffer = io.BytesIO()
                Image.fromarray(values.astype(np.uint8)).save(buffer, 'PNG')
                write_whole(self._confidence_path(image), buffer.getvalue())
        png = self._list(image, labels.cpu().numpy().astype(np.uint8)).png
        assert png is not None
        write_whole(self.path(image), png)

    def _predicted(
        self, result: SegDataSample, image: WholeImage
    ) -> tuple[Tensor, Tensor]:
        """Return labels ``(H, W)`` and how probable they are."""
        logits, prob, tags = self.filter.filtered(result, image)
        if tags is None:  # where mmseg's threshold may decide
            labels = result.pred_sem_seg.data[0].long()
        else:
            labels = logits.argmax(0)
        prob = prob.gather(0, labels[None])[0]
        if tags is not None and tags[1] is None and not tags[0].any():
            labels = torch.full_like(labels, NO_LABEL)  # no class is allowed
        return labels, prob

    def _made_of_tags(
        self, result: SegDataSample
    ) -> tuple[Tensor, Tensor | None]:
        """Return labels that an ``AFASegmentor`` made, and their scores."""
        source = self.source
        found = result.get(f'pseudo_{source}')
        if found is None:
            raise ValueError(
                f'source={source!r}: the model has no propagation'
            )
        prob = None
        if source in CONFIDENT:
            prob = result.pseudo_confidence.data[0]
        return found.data[0], prob

    def _confidence_path(self, image: WholeImage) -> Path:
        return self.out / CONFIDENCE / f'{image.name}.png'

    def _list(self, image: WholeImage, labels: NDArray[np.uint8]) -> LabelFile:
        """Return the file of an image, and list it for the sidecar."""
        multi_hot = image.info.get('gt_label')
        tags: list[str] = []
        if multi_hot is not None:
            background = self.filter.background_of(image, len(multi_hot))
            classes = self.images.classes
            names = [c for i, c in enumerate(classes) if i != background]
            tags = [c for c, t in zip(names, multi_hot, strict=True) if t]
        file = label_file(
            image.name,
            labels,
            self.palette,
            supervision='pseudo',
            size=(labels.shape[1], labels.shape[0]),
            tags=tags,
            image=f'{image.name}{Path(image.path).suffix}',
        )
        self.listed[image.name] = file.info
        return file

    def config_text(self) -> str:
        """Return lines of a config that train on the labels."""
        images = self.images
        if len(images.roots) > 1:
            return (
                f'# no config: the data set is joined of {len(images.roots)}, '
                'whose images lie in as many folders'
            )
        paths = [Path(item.path) for item in images.items]
        root = images.roots[0]
        root = root or os.path.commonpath([path.parent for path in paths])
        dataset = dict(
            _delete_=True,
            type='SparseSegDataset',
            classes=images.classes,
            **(dict(palette=images.palette) if images.palette else {}),
            **self._background(),
            data_prefix=dict(img_path=str(root), seg_map_path=str(self.out)),
            ann_file=str(self.out / SIDECAR),
            img_suffix=paths[0].suffix,
        )
        lines = [f'        {key}={value!r},' for key, value in dataset.items()]
        return '\n'.join(
            ['train_dataloader = dict(', '    dataset=dict(', *lines]
            + ['    )', ')']
        )

    def _background(self) -> dict[str, Any]:
        """Return the background's index unless the class names say it."""
        for image in self.images.items:
            multi_hot = image.info.get('gt_label')
            if multi_hot is not None:
                found = self.filter.background_of(image, len(multi_hot))
                if found == find_background('auto', self.images.classes):
                    return {}
                return dict(background=found)
        return {}
