"""The one form in memory that every annotation format is read into.

Coordinates are float pixels ``(x, y)`` with the origin at the top left corner
of the top left pixel: pixel ``(column, row)`` covers ``[column, column + 1)``
by ``[row, row + 1)`` and has its middle at ``(column + 0.5, row + 0.5)``.
A reader whose source counts pixel middles as integers adds the half.

Labels are the source's own class names; ids of an index map are their
decimal strings (``'3'``). Turning names into class indices is the job of the
importer, not of a reader.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Point:
    """One click.

    Attributes:
        label: Class name.
        xy: ``(x, y)``.
        z: Drawing order; the higher lies above, ties in order of the source.
        entry: Where in the source it stands, for messages
            (``'shapes[3]'``).
    """

    label: str
    xy: tuple[float, float]
    z: int = 0
    entry: str = ''


@dataclass(frozen=True, eq=False)
class Stroke:
    """An open line drawn with some width.

    Attributes:
        points: ``(K, 2)`` of ``float64``, K >= 1; of one point: a dot.
        width: Width in pixels where the source says so; None = the
            importer's option.
        label, z, entry: As in :class:`Point`.
    """

    label: str
    points: NDArray[np.float64]
    z: int = 0
    entry: str = ''
    width: float | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """An area, by outlines.

    Attributes:
        rings: Outlines, each ``(K, 2)`` of ``float64``, closed without
            repeating the first point. A pixel belongs to the area if its
            middle lies inside an odd number of them, so that holes are rings
            too.
        label, z, entry: As in :class:`Point`.
    """

    label: str
    rings: tuple[NDArray[np.float64], ...]
    z: int = 0
    entry: str = ''


@dataclass(frozen=True, eq=False)
class PixelRegion:
    """An area, by pixels.

    Attributes:
        pixels: Bool ``(h, w)``.
        origin: ``(x, y)`` of its top left pixel in the image, whole numbers.
        label, z, entry: As in :class:`Point`.
    """

    label: str
    pixels: NDArray[np.bool_]
    origin: tuple[int, int] = (0, 0)
    z: int = 0
    entry: str = ''


Shape = Point | Stroke | Region | PixelRegion


@dataclass(frozen=True, eq=False)
class ImageAnnotation:
    """What a source says about one image.

    Attributes:
        image: Name of the image as the source has it: what it may mean is up
            to :func:`..image_finder.possible_names`.
        source: The file that says so, for messages.
        size: ``(width, height)`` where the source says so, else None.
        shapes: In the order of the source.
        tags: Class names that hold for the whole image.
        entry: What makes it an image of its own, where not its name alone
            does, with words for messages (``"image[1], subset 'val'"``).
            Annotations of one image are drawn as one; two images that are
            found in one file are an error.
        base: Folder below that of the images from which the name starts, as
            the folder of the annotation file does.
        folders: Folders that the image is said to be in (a subset, a data
            set); they choose where several images are found.
        beside: Name that the image has if it is called as the annotation
            file is; for formats with a file an image that name it besides.
        annotator: Who says so, where the source tells.
        files: Further files that it was read from.
        spacing: Of a slice of a volume: millimetres between slices, rows and
            columns, where known.
    """

    image: str
    source: str
    size: tuple[int, int] | None = None
    shapes: tuple[Shape, ...] = ()
    tags: tuple[str, ...] = ()
    entry: str = ''
    base: str = ''
    folders: tuple[str, ...] = ()
    beside: str = ''
    annotator: str = ''
    files: tuple[str, ...] = ()
    spacing: tuple[float, float, float] | None = None
