"""Heat maps in a pipeline: loaded, moved with the image, packed."""

import random
from collections.abc import Sequence
from typing import Any

import mmengine.fileio as fileio
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from ...labels.heatmap_file import decode_heatmaps, dense_maps, heatmap_path
from .formatting import PackSparseInputs

Map = NDArray[np.float32]

#: Transforms that change colours, or mix images: not for heat maps.
_NOT_GEOMETRIC = frozenset({
    'AdjustGamma', 'Albu', 'CLAHE', 'Normalize', 'PhotoMetricDistortion',
    'RGB2Gray', 'RandomCutOut', 'RandomMosaic', 'Rerange',
})  # fmt: skip


@TRANSFORMS.register_module()
class LoadHeatmaps(BaseTransform):
    """Load the heat maps of an image, as ``write_heatmaps`` wrote them.

    Stands after the image is loaded and before anything moves its pixels.
    Adds ``heatmap``, float32 H×W×K of the K classes in the file,
    ``heatmap_classes`` and ``heatmap_num_classes``.

    Args:
        root: Folder of the files; an item's ``heatmap_path`` comes first.
        img_root: Folder of images whose folders ``root`` mirrors; None:
            files are side by side, by the images' names.
        num_classes: Number of classes the files must have; by default that
            of the dataset, where it says.
        backend_args: Of MMEngine's file client.

    Raises:
        ValueError: If a file is damaged, or has another size than its image
            or other classes.
    """

    def __init__(
        self,
        root: str,
        *,
        img_root: str | None = None,
        num_classes: int | None = None,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        self.root = root
        self.img_root = img_root
        self.num_classes = num_classes
        self.backend_args = backend_args

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the heat maps."""
        path = results.get('heatmap_path')
        if path is None:
            path = heatmap_path(self.root, results['img_path'], self.img_root)
        try:
            data = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{path}: no heat maps of {results["img_path"]}'
            ) from error
        found = decode_heatmaps(data, path)
        want = self.num_classes or results.get('num_classes')
        if want not in (None, found.num_classes):
            raise ValueError(
                f'{path}: has heat maps of {found.num_classes} classes, '
                f'expected {want}'
            )
        self._check_place(results, path, found.maps.shape[1:])
        results['heatmap'] = np.ascontiguousarray(
            found.maps.transpose(1, 2, 0), np.float32
        )
        results['heatmap_classes'] = found.classes
        results['heatmap_num_classes'] = found.num_classes
        results['heatmap_moves'] = _moves(results)
        return results

    @staticmethod
    def _check_place(
        results: dict[str, Any], path: str, size: tuple[int, ...]
    ) -> None:
        if 'img' not in results:
            raise ValueError(
                'LoadHeatmaps found no image: put it after LoadImageFromFile'
            )
        image = results['img'].shape[:2]
        whole = tuple(results.get('ori_shape', image)[:2])
        if image != whole or _moves(results) != _UNMOVED:
            raise ValueError(
                'LoadHeatmaps wants the image as it was loaded: put it '
                'before what resizes, crops or flips'
            )
        if size != image:
            raise ValueError(
                f'{path}: is {size[1]}x{size[0]} pixels, its image '
                f'{image[1]}x{image[0]}'
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(root={self.root!r}, '
            f'img_root={self.img_root!r}, num_classes={self.num_classes}, '
            f'backend_args={self.backend_args})'
        )


@TRANSFORMS.register_module()
class MoveHeatmaps(BaseTransform):
    """Run geometric transforms on image, label map and heat maps alike.

    Any transforms that move pixels do, of mmseg or of this package. First
    they run on the sample as without this one: image and labels come out
    the same, to the last bit. Then they run again with the same random
    numbers, and the heat maps, three at a time, in the place of the image;
    so heat maps are interpolated as the image is, and filled with what the
    image is filled with, which should be 0. A sample without heat maps is
    transformed as without this transform.

    Args:
        transforms: Configs of geometric transforms. Those that change
            colours go after this one.

    Raises:
        ValueError: If a transform is known to change more than geometry; on
            a sample, if one of them moved the heat maps otherwise than the
            image, because it draws from random numbers of its own.
    """

    def __init__(self, transforms: Sequence[dict[str, Any]]) -> None:
        self.transforms = [TRANSFORMS.build(cfg) for cfg in transforms]
        for transform in self.transforms:
            name = type(transform).__name__
            if name in _NOT_GEOMETRIC:
                raise ValueError(
                    f'{name} in MoveHeatmaps would change the values of heat '
                    'maps: put it after MoveHeatmaps'
                )

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Move everything in the same way."""
        if 'heatmap' not in results:
            return self._run(results)
        state = _random_state()
        before = _copy(results)
        moved = self._run(results)
        if moved is None:
            return None
        heatmap: Map = before['heatmap']
        parts = [np.zeros((*moved['img'].shape[:2], 0), np.float32)]
        for start in range(0, heatmap.shape[2], 3):
            maps = heatmap[:, :, start : start + 3]
            missing = 3 - maps.shape[2]
            stand_in = np.pad(maps, ((0, 0), (0, 0), (0, missing)))
            _set_random_state(state)
            again = self._run(_copy(before) | dict(img=stand_in))
            if again is None or not _alike(moved, again):
                raise ValueError(
                    f'{moved.get("img_path")}: a transform in MoveHeatmaps '
                    'moved the heat maps otherwise than the image; it must '
                    'draw from the random numbers of numpy, random or torch '
                    'alone, and not look at colours'
                )
            parts.append(again['img'][:, :, : maps.shape[2]])
        moved['heatmap'] = np.concatenate(parts, 2)
        moved['heatmap_moves'] = _moves(moved)
        return moved

    def _run(self, results: dict[str, Any]) -> dict[str, Any] | None:
        for transform in self.transforms:
            results = transform(results)
            if results is None:
                return None
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms})'


@TRANSFORMS.register_module()
class PackHeatmapInputs(PackSparseInputs):
    """``PackSparseInputs`` that adds ``data_sample.heatmap``.

    That is ``PixelData`` of float32 C×H×W, 0 for classes that the file does
    not have. The arguments are those of ``PackSparseInputs``.

    Raises:
        ValueError: If there are no heat maps, or the image was moved without
            them.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack image, labels, heat maps and meta data."""
        heatmap = results.get('heatmap')
        if heatmap is None:
            raise ValueError(
                f'{results.get("img_path")}: has no heat maps: put '
                'LoadHeatmaps into the pipeline'
            )
        size = results['img'].shape[:2]
        moves = _moves(results)
        if heatmap.shape[:2] != size or results['heatmap_moves'] != moves:
            raise ValueError(
                f'{results.get("img_path")}: the image is {size} with '
                f'{_describe(moves)}, its heat map {heatmap.shape[:2]} with '
                f'{_describe(results["heatmap_moves"])}: put whatever moves '
                'pixels into MoveHeatmaps'
            )
        packed = super().transform(results)
        dense = dense_maps(
            heatmap.transpose(2, 0, 1),
            results['heatmap_classes'],
            results['heatmap_num_classes'],
        )
        packed['data_samples'].set_data(
            dict(heatmap=PixelData(data=torch.from_numpy(dense)))
        )
        return packed


#: Result of ``_moves`` for an image that was not moved.
_UNMOVED = (None, (1.0, 1.0))


def _moves(results: dict[str, Any]) -> tuple[Any, ...]:
    """Return how a sample was moved, by its own entries."""
    flip = results.get('flip_direction') if results.get('flip') else None
    return flip, tuple(results.get('scale_factor', (1.0, 1.0)))


def _describe(moves: tuple[Any, ...]) -> str:
    return f'flip={moves[0]}, scale_factor={moves[1]}'


def _copy(results: dict[str, Any]) -> dict[str, Any]:
    """Copy a sample and its lists, not its arrays."""
    return {
        key: list(value) if isinstance(value, list) else value
        for key, value in results.items()
    }


def _random_state() -> tuple[Any, Any, Any]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002


def _set_random_state(state: tuple[Any, Any, Any]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    torch.set_rng_state(state[2])


def _alike(moved: dict[str, Any], again: dict[str, Any]) -> bool:
    """Tell whether two runs with the same random numbers agree."""
    return (
        moved['img'].shape[:2] == again['img'].shape[:2]
        and _moves(moved) == _moves(again)
        and all(
            np.array_equal(moved[key], again[key])
            for key in moved.get('seg_fields', ())
        )
    )
