"""Heat maps as what a model's predictions are written to."""

import torch
from torch import Tensor

from mmseg_sparse.labels.heatmap_file import (
    SUFFIX,
    read_heatmaps,
    write_heatmaps,
)

from .provenance import HEATMAPS_SIDECAR
from .tag_filter import has_activations, no_tags
from .whole_images import WholeImage, make_pseudo_labels, predict, to_batch
from .write import Sink

SOURCES = ('auto', 'cam', 'prediction')


class HeatMaps(Sink):
    """Heat maps for ``LoadHeatmaps``, in ``OUT/NAME.npz``.

    A file is one of :func:`~mmseg_sparse.labels.write_heatmaps`: maps of
    the classes that are present, and of no other.

    Args:
        source: ``'cam'``: class activation maps of the tags, from a decode
            head such as ``AFAHead``; ``'prediction'``: the softmax of what
            the model predicts, filtered by the tags (TRL, eq. 2); ``'auto'``:
            the first where the head has activation maps, else the second.
        background: Score of a constant map of the background beside
            activation maps; the best map of a pixel is then its label at that
            score. None: no such map, which reads as 0.
        filter_tags: Of predictions. True: every image must have tags; False:
            they are not filtered; None: those of images with tags are.

    Raises:
        ValueError: If an argument is out of range.
    """

    tool = 'generate_heatmaps'
    sidecar = HEATMAPS_SIDECAR
    suffix = SUFFIX

    def __init__(
        self,
        source: str = 'auto',
        background: float | None = None,
        filter_tags: bool | None = None,
    ) -> None:
        """Check the arguments and keep them."""
        if source not in SOURCES:
            raise ValueError(
                f'source must be one of {", ".join(SOURCES)}, got {source!r}'
            )
        if background is not None and not 0 < background < 1:
            raise ValueError(
                f'background must be a score between 0 and 1, got {background}'
            )
        self.source = source
        self.background = background
        self.filter_tags = filter_tags

    def prepare(self) -> None:
        """Set options and contents, and prepare the model."""
        model, can = self.model, has_activations(self.model)
        self.contents = dict(classes=list(self.images.classes))
        if self.source == 'prediction' or (self.source == 'auto' and not can):
            if self.background is not None:
                raise ValueError(
                    f'background={self.background} is for activation maps; '
                    'predictions have a map of the background'
                )
            make_pseudo_labels(model, False)
            self.options = dict(
                source='prediction', filter_tags=self.filter_tags
            )
            return
        if self.filter_tags is False:
            raise ValueError(
                'filter_tags=False is for predictions; activation maps are '
                'those of the tags'
            )
        if not can:
            raise ValueError(
                f'{type(model).__name__} with '
                f'{type(getattr(model, "decode_head", None)).__name__} has '
                'no class activation maps: expected a SparseEncoderDecoder '
                'or AFASegmentor with an AFAHead'
            )
        self.options = dict(source='cam', background=self.background)

    def is_whole(self, image: WholeImage) -> bool:
        """Tell whether an image's file is there and can be read."""
        try:
            return read_heatmaps(self.path(image)).num_classes == self.classes
        except (OSError, ValueError):
            return False

    @torch.no_grad()
    def write(self, image: WholeImage) -> None:
        """Write an image's file."""
        if self.options['source'] == 'cam':
            maps, present = self._activations(image)
        else:
            result = predict(self.model, image)
            _, maps, _ = self.filter.filtered(result, image)
            present = maps.flatten(1).any(1)
        classes = present.nonzero()[:, 0].cpu()
        write_heatmaps(
            self.path(image),
            maps[classes.to(maps.device)].cpu().numpy(),
            classes.numpy(),
            num_classes=self.classes,
        )

    def _activations(self, image: WholeImage) -> tuple[Tensor, Tensor]:
        """Return maps ``(C, H, W)``, and which classes are present."""
        inputs, samples = to_batch(self.model, image.load())
        tags = samples[0].get('gt_label')
        if tags is None:
            raise ValueError(no_tags(image))
        assert has_activations(self.model)
        (cam,) = self.model.class_activations(inputs, samples)
        background = self.filter.background_of(image, len(tags))
        indices = [i for i in range(self.classes) if i != background]
        maps = cam.new_zeros(self.classes, *cam.shape[1:])
        maps[indices] = cam
        present = torch.zeros(self.classes, dtype=torch.bool)
        present[indices] = tags.cpu() > 0
        if self.background is not None:
            if background is None:
                raise ValueError(
                    f'background={self.background}: every class of the '
                    'data set has a tag, none is the background'
                )
            maps[background] = self.background
            present[background] = True
        return maps, present

    def config_text(self) -> str:
        """Return the step of a pipeline that reads the files."""
        roots = self.images.roots
        root = roots[0] if len(roots) == 1 else None
        return (
            f"dict(type='LoadHeatmaps', root={str(self.out)!r}, "
            f'img_root={root!r})'
        )
