"""What the label doctor examines: label files, and how they are read."""

from dataclasses import dataclass, field

import numpy as np

from ..labels.label_map import Labels, lookup_table


@dataclass(frozen=True)
class Reading:
    """How a data set reads its label files.

    Attributes:
        num_classes: Number of classes, None if unknown.
        palette: Their colours, empty if unknown.
        reduce_zero_label: Whether 0 means "no label" and classes count from
            1.
        label_map: Class index or 255 by value; None if values are classes.
        ignore_index: A value that means "no label", besides 255.
        backend: ``imdecode_backend`` of the transform that loads labels.
    """

    num_classes: int | None = None
    palette: tuple[tuple[int, ...], ...] = ()
    reduce_zero_label: bool = False
    label_map: tuple[tuple[int, int], ...] | None = None
    ignore_index: int = 255
    backend: str = 'pillow'
    #: What becomes of each of the 256 values.
    table: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        table = lookup_table(
            reduce_zero_label=self.reduce_zero_label,
            label_map=dict(self.label_map) if self.label_map else None,
            ignore_index=self.ignore_index,
        )
        object.__setattr__(self, 'table', tuple(table.tolist()))

    def classes_of(self, values: Labels) -> Labels:
        """Return what the data set makes of a file's values."""
        return np.array(self.table, np.uint8)[values]


@dataclass(frozen=True)
class LabelItem:
    """The labels of one image of a data set.

    Attributes:
        labels: Path of the label file; None if there are only tags.
        image: Path of the image, None if unknown.
        reading: How the label file is read.
        dense: Path of the dense mask to compare with, if any.
        dense_reading: How the mask is read; None: as the label file.
        supervision: Kind of the labels by config or folder, if known.
        tags: Classes of the image-level labels.
    """

    labels: str | None
    image: str | None
    reading: Reading
    dense: str | None = None
    dense_reading: Reading | None = None
    supervision: str | None = None
    tags: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The path that findings show."""
        return self.labels or self.image or ''


@dataclass
class LabelSet:
    """A data set whose labels are to be examined.

    Attributes:
        title: Title of the report.
        items: Its images.
        classes: Class names; empty if unknown.
        palette: Colours of the classes.
        split: ``train``, ``val`` or ``test``.
        strays: Label files without an image.
        twice: Images that are listed or labelled more than once.
        unlisted: Images that the ``labels.json`` of the folder does not list.
        unused: Images of other suffixes that the data set does not take.
        shared: Images of one name, which would share a label file.
        refused: Errors of the data set's own code.
        dense: The folder of dense masks, for the report.
        from_config: Whether a config says how the labels are read.
        regularized: Whether the config trains with a regularizer.
        validation: The validation set that belongs to a training set.
    """

    title: str
    items: list[LabelItem]
    classes: tuple[str, ...] = ()
    palette: tuple[tuple[int, ...], ...] = ()
    split: str = 'train'
    strays: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    dense: str | None = None
    from_config: bool = False
    regularized: bool = False
    validation: 'LabelSet | None' = None
