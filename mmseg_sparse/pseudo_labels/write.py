"""From a config and a checkpoint to a folder of files, one per image."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from .output_folder import GeneratedFolder, Progress
from .provenance import TAGS, origin_of
from .tag_filter import filter_of, tag_indices
from .whole_images import (
    WholeImage,
    WholeImages,
    best_device,
    load_segmentor,
    whole_images,
)


class Sink(ABC):
    """What predictions are written to: ``Labels`` or ``HeatMaps``.

    Attributes:
        tool: Name of the tool in the sidecar.
        sidecar: Name of the sidecar.
        suffix: Suffix of the files.
        options: What the files depend on besides config and checkpoint.
        contents: More entries of the sidecar.
        entry: ``'tags'`` if the files depend on the tags of the images.
        listed: What the sidecar is to say of each image.
    """

    tool: str
    sidecar: str
    suffix: str
    options: dict[str, Any]
    contents: dict[str, Any]
    entry: str | None
    listed: dict[str, Any]

    def open(self, model: nn.Module, images: WholeImages, out: Path) -> None:
        """Begin to write what a model predicts of images to a folder.

        Raises:
            ValueError: If the model cannot make such files.
        """
        self.model = model
        self.images = images
        self.classes = len(images.classes)
        self.out = out
        self.listed = {}
        self.prepare()
        filter_tags = self.options.get('filter_tags')
        by_tags = self.options['source'] != 'prediction' or (
            filter_tags is not False
        )
        self.entry = TAGS if by_tags else None
        self.filter = filter_of(model, self.classes, filter_tags)

    @abstractmethod
    def prepare(self) -> None:
        """Set options and contents, and prepare the model."""

    def path(self, image: WholeImage) -> Path:
        """Return the file of an image."""
        return self.out / f'{image.name}{self.suffix}'

    def made_of(self, image: WholeImage) -> list[int] | None:
        """Return the tags that an image has now."""
        return tag_indices(image)

    @abstractmethod
    def is_whole(self, image: WholeImage) -> bool:
        """Tell whether the files of an image are there, complete."""

    @abstractmethod
    def write(self, image: WholeImage) -> None:
        """Write the files of an image."""

    @abstractmethod
    def config_text(self) -> str:
        """Return lines of a config that read the files."""


@dataclass(frozen=True)
class Generated:
    """What a run made.

    Attributes:
        written: Number of images whose files were written.
        skipped: Number of images whose files were there already.
        unfiltered: Number of images written that have no tags to filter by.
        config_text: Lines of a config that read the files.
    """

    written: int
    skipped: int
    unfiltered: int
    config_text: str


def generate(
    cfg: Config,
    checkpoint: str,
    out: str | Path,
    sink: Sink,
    *,
    split: str = 'train',
    ann_file: str | None = None,
    device: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Run a model on the images of a data set and write what it predicts.

    The file of an image is ``OUT/NAME.SUFFIX``; NAME is the path of the image
    below the data set's folder of images. Everything has the image's own
    size. A run that was stopped goes on: complete files stay, unless the tags
    of their image have changed in the data set's list or file of tags. The
    same images, config, checkpoint and options give the same files, byte by
    byte. The sidecar names them, and refuses files of others.

    Args:
        cfg: Config of the model and the data sets.
        checkpoint: File of its weights.
        out: Folder to make, or to go on with.
        sink: What to write.
        split: Whose images: ``'train'``, ``'val'`` or ``'test'``.
        ann_file: As in :func:`~.whole_images.whole_images`.
        device: By default the GPU, where there is one.
        overwrite: Remove files that are there, and begin again.
        progress: Called with (images done, images in all).

    Raises:
        FileExistsError: If ``out`` has files of another origin, or another
            process is writing to it.
        ValueError: If config, checkpoint, options and images do not fit each
            other.
    """
    out = Path(out)
    images = whole_images(cfg, split, ann_file)
    model = load_segmentor(cfg, checkpoint, device or best_device())
    sink.open(model, images, out)
    origin = origin_of(
        sink.tool, cfg, checkpoint, images, split=split, **sink.options
    )
    folder = GeneratedFolder(
        out, sink.sidecar, (sink.suffix,), origin, sink.contents
    )
    written = folder.fill(
        images.items, sink, overwrite=overwrite, progress=progress
    )
    return Generated(
        written,
        len(images.items) - written,
        sink.filter.unfiltered,
        sink.config_text(),
    )
