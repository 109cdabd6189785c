"""A dataset whose images are labelled in different ways."""

import os.path as osp
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mmengine.fileio as fileio
import numpy as np
from mmengine.dataset import force_full_init
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS

from ..labels.classes import check_classes, find_background, with_classes
from ..labels.image_finder import files_below
from ..labels.image_list import (
    SUPERVISIONS,
    ImageEntry,
    parse_list,
    suffixes_of,
    without_suffix,
)
from ..labels.label_folder import SIDECAR, read_sidecar
from ..labels.label_map import NO_LABEL, complete_label_map
from ..labels.tags import TagSpace, Vector, read_tag_file
from .files_of_images import Listing, check_exist, check_unique, locate
from .transforms.loading import LoadSparseAnnotations


@DATASETS.register_module()
class SparseSegDataset(BaseSegDataset):
    """Own data with labels of any kind: masks, strokes, points, blocks, tags.

    An item holds, besides what mmseg's datasets give, ``supervision``;
    ``gt_label`` where the image has tags (float32, multi-hot over the
    foreground classes, or over all if ``background`` is None); and what
    ``LoadSparseAnnotations`` needs to check a label map. Images with tags
    alone have no ``seg_map_path``; ``LoadSparseAnnotations`` gives them a map
    of 255.

    Args:
        ann_file: List of images, ``name [supervision [class, class...]]`` a
            line with a supervision of dense, scribble, point, block, pseudo
            or tag, or a ``labels.json`` of our tools; without it, every image
            of the folder is taken.
        classes: Class names in order of their indices, or a file of them, in
            place of ``metainfo=dict(classes=...)``. Where the type has
            classes of its own, a choice of them: labels and tags of the
            others are left out.
        palette: Colours of the classes.
        supervision: Kind of labels where ``ann_file`` names none.
        background: Index of the class that is not a tag; None = all classes
            are tags; 'auto' = the class called ``background``, if any.
        tag_file: Tags of the images whose line gives none: a ``labels.json``,
            or a ``.npy`` file with a dict of one-hot vectors.
        label_map: What the values of the label files mean where they are not
            class indices: the class index, or 255 for no label, by value (a
            dict, or a list that starts with what becomes of 0). Other values
            are an error. Neither this nor ``reduce_zero_label`` concerns
            folders whose ``labels.json`` names the dataset's classes.
        data_prefix: Folders: ``img_path``, ``seg_map_path``, and one of its
            own for any of ``dense``, ``scribble``, ``point``, ``block``,
            ``pseudo``.
        filter_cfg: ``dict(supervision=...)`` keeps the images of that kind,
            or of those.
        ignore_index: Value of the label files that means "no label", besides
            255. Samples have 255 in its place.
        check_files: Whether to look if every file is there before training.
            Not done where ``backend_args`` names a remote storage.
        img_suffix: Suffix of the images, or a list of suffixes. Where a
            ``labels.json`` (``ann_file``, ``tag_file`` or that of the label
            files) has the path of an image below ``img_path``, that counts.
        seg_map_suffix, metainfo, data_root, lazy_init, backend_args,
            kwargs: As in ``BaseSegDataset``.

    Raises:
        ValueError: If an argument, a line, a tag or a class is wrong, an
            image is listed twice or no image is left.
        FileNotFoundError: If a list, an image or a label file is missing.
    """

    label_map: dict[int, int] | None

    def __init__(
        self,
        ann_file: str = '',
        classes: Sequence[str] | str | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        supervision: str = 'scribble',
        background: int | str | None = 'auto',
        tag_file: str | None = None,
        label_map: Mapping[int, int] | Sequence[int] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        data_root: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        filter_cfg: Mapping[str, Any] | None = None,
        lazy_init: bool = False,
        check_files: bool = True,
        *,
        img_suffix: str | Sequence[str] = '.jpg',
        **kwargs: Any,
    ) -> None:
        folders = ('img_path', 'seg_map_path', *SUPERVISIONS[:-1])
        if data_prefix is None:
            data_prefix = dict(seg_map_path='')
        one_of('supervision', [supervision], SUPERVISIONS)
        one_of('data_prefix', data_prefix, folders)
        one_of('filter_cfg', filter_cfg or (), ('supervision',))
        super().__init__(
            ann_file=ann_file,
            metainfo=with_classes(metainfo, classes, palette),
            data_root=data_root,
            data_prefix={
                'img_path': '',
                **{
                    key: folder
                    for key, folder in data_prefix.items()
                    if folder is not None
                },
            },
            filter_cfg=filter_cfg,
            lazy_init=True,
            img_suffix=img_suffix,
            **kwargs,
        )
        self.img_suffixes = suffixes_of(img_suffix)
        self._check_suffixes()
        self.supervision = supervision
        self.check_files = check_files
        self.tag_file = tag_file
        if tag_file and data_root is not None and not osp.isabs(tag_file):
            self.tag_file = osp.join(data_root, tag_file)
        if not 0 <= self.ignore_index <= 255:
            raise ValueError(
                'ignore_index is a value of label files, 0..255, got '
                f'{self.ignore_index}'
            )
        names = check_classes(self._metainfo.get('classes'))
        self.tag_space = self._tag_space(names, background)
        self._set_label_map(label_map)
        if not lazy_init:
            self.full_init()

    def _check_suffixes(self) -> None:
        if self.backend_args is not None and len(self.img_suffixes) > 1:
            raise ValueError(
                f'img_suffix={self.img_suffix!r}: images of several suffixes '
                f'must be local files, got backend_args={self.backend_args}'
            )

    def _tag_space(
        self, names: tuple[str, ...], background: int | str | None
    ) -> TagSpace:
        """Return the space of tags, and that of the files behind a choice."""
        index = find_background(background, names)
        every = tuple(self.METAINFO.get('classes', names))
        if every == names:
            return TagSpace(names, index)
        if index is not None:
            background = every.index(names[index])
        source = TagSpace(every, find_background(background, every))
        return TagSpace(names, index, source)

    def _set_label_map(
        self, label_map: Mapping[int, int] | Sequence[int] | None
    ) -> None:
        """Combine the numbering of the files with a choice of classes."""
        #: Class names by value of label files that count as METAINFO does,
        self.file_classes = tuple(
            self.METAINFO.get('classes', self.tag_space.classes)
        )
        #: and what becomes of them where fewer classes were chosen.
        self.choice = self.label_map
        if label_map is None:
            return
        if self.reduce_zero_label:
            raise ValueError(
                'label_map says what becomes of 0: it cannot go together '
                'with reduce_zero_label=True'
            )
        full = complete_label_map(label_map, len(self.file_classes))
        chosen = self.choice or {}
        self.label_map = {
            old: chosen.get(new, new) for old, new in full.items()
        }
        self._metainfo['label_map'] = self.label_map

    def _numbering(
        self, folder: str, sidecar: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Return what the values of the label files in a folder mean.

        This comes from ``labels.json`` there, else from the arguments.
        """
        given = dict(
            label_map=self.label_map, reduce_zero_label=self.reduce_zero_label
        )
        if sidecar is None:
            return given
        path = osp.join(folder, SIDECAR)
        found = tuple(sidecar['classes'])
        if found == self.tag_space.classes:
            return dict(label_map=None, reduce_zero_label=False)
        if found == self.file_classes:
            return dict(label_map=self.choice, reduce_zero_label=False)
        if self.label_map is not self.choice:
            return given  # of another numbering, as label_map says
        if self.reduce_zero_label and found[1:] == self.file_classes:
            return given
        raise ValueError(
            f'{path}: its labels are of the classes {", ".join(found)}; the '
            f'dataset has {", ".join(self.file_classes)}'
        )

    def full_init(self) -> None:
        """Load the list of images, and check it against the pipeline."""
        if self._fully_initialized:
            return
        super().full_init()
        stock = any(
            type(step) is LoadAnnotations for step in self.pipeline.transforms
        )
        reason = self.beyond_stock()
        if stock and reason:
            raise ValueError(
                f'{reason}: the pipeline needs '
                "dict(type='LoadSparseAnnotations') in place of "
                'LoadAnnotations'
            )

    def beyond_stock(self) -> str | None:
        """Return why stock LoadAnnotations would misread the labels.

        None if it would not; known after :meth:`full_init`.
        """
        if self._tagged is not None:
            return f'{self._tagged}: has tags and no label map'
        if self.ignore_index != NO_LABEL:
            return (
                f'ignore_index={self.ignore_index} is a value of the label '
                'files, which LoadAnnotations takes for a class'
            )
        if self.label_map is not self.choice:
            return (
                'label_map makes other values than its own an error, which '
                'LoadAnnotations lets pass'
            )
        return None

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return what is known of each image."""
        entries = self._entries()
        folders = {
            self._folder(entry) for entry in entries
            if entry.supervision != 'tag'
        }  # fmt: skip
        sidecars = {folder: _sidecar(folder) for folder in folders}
        numbering = {
            folder: self._numbering(folder, sidecar)
            for folder, sidecar in sidecars.items()
        }
        listing = Listing()
        entries = self._located(entries, sidecars, listing)
        tags = self._tags(entries)
        items = [self._item(entry, tags, numbering) for entry in entries]
        if self.check_files and self.backend_args is None:
            check_exist(
                'image', entries, [i['img_path'] for i in items], listing
            )
            check_exist(
                'label file', entries,
                [i.get('seg_map_path') for i in items], listing,
            )  # fmt: skip
        return items

    def _located(
        self,
        entries: Sequence[ImageEntry],
        sidecars: Mapping[str, Mapping[str, Any] | None],
        listing: Listing,
    ) -> list[ImageEntry]:
        """Return the entries with the paths of their images."""
        folder = self.data_prefix['img_path']
        ending = self.seg_map_suffix.rpartition('.')[0]
        tagged: Mapping[str, Any] = {}
        if self.tag_file and self.tag_file.endswith('.json'):
            tagged = read_sidecar(self.tag_file)['images']
        located = []
        for entry in entries:
            known = None
            if entry.supervision != 'tag':
                beside = sidecars[self._folder(entry)] or {'images': {}}
                info = beside['images'].get(entry.name + ending, {})
                known = info.get('image')
            known = known or tagged.get(entry.name, {}).get('image')
            if self.backend_args is not None:
                path = known or entry.name + self.img_suffixes[0]
                located.append(replace(entry, image=entry.image or path))
                continue
            located.append(
                locate(entry, known, folder, self.img_suffixes, listing)
            )
        check_unique(located)
        return located

    def filter_data(self) -> list[dict[str, Any]]:
        """Return the images that ``filter_cfg`` leaves."""
        wanted = (self.filter_cfg or {}).get('supervision', SUPERVISIONS)
        wanted = [wanted] if isinstance(wanted, str) else wanted
        one_of('filter_cfg supervision', wanted, SUPERVISIONS)
        kept = [i for i in self.data_list if i['supervision'] in wanted]
        if not kept:
            raise ValueError(
                f'{self.ann_file or self.data_prefix["img_path"]}: none of '
                f'its {len(self.data_list)} images is labelled by '
                f'{" or ".join(wanted)}'
            )
        tagged = [i for i in kept if 'seg_map_path' not in i]
        self._tagged = tagged[0]['img_path'] if tagged else None
        return kept

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes of an image, for ``ClassBalancedDataset``.

        They are those of its tags, or else of its label map.
        """
        info = self.get_data_info(idx)
        if 'gt_label' not in info:
            info['gt_label'] = LoadSparseAnnotations(
                backend_args=self.backend_args
            ).tags(info)
        hot = info['gt_label'] > 0
        return np.array(self.tag_space.indices)[hot].tolist()

    def _entries(self) -> list[ImageEntry]:
        folder = self.data_prefix['img_path']
        if self.ann_file:
            if not fileio.isfile(self.ann_file, self.backend_args):
                raise FileNotFoundError(
                    f'ann_file {self.ann_file} is not a file'
                )
            if self.ann_file.endswith('.json'):
                return self._from_sidecar()
            entries = parse_list(
                fileio.get(self.ann_file, backend_args=self.backend_args),
                self.ann_file,
                default=self.supervision,
                img_suffix=self.img_suffixes,
            )
            where = f'ann_file {self.ann_file}'
        else:
            if not fileio.isdir(folder, self.backend_args):
                raise FileNotFoundError(f'img_path {folder!r} is not a folder')
            names = self._image_names(folder)
            entries = [
                ImageEntry(
                    without_suffix(name, self.img_suffixes), self.supervision,
                    osp.join(folder, name), image=name,
                )
                for name in sorted(names)
            ]  # fmt: skip
            where = f'folder {folder} (img_suffix={self.img_suffix!r})'
        if not entries:
            raise ValueError(f'{where} has no images')
        return entries

    def _image_names(self, folder: str) -> list[str]:
        """Return the images of a folder, with their paths below it."""
        if self.backend_args is None:  # MMEngine's follows links in a circle
            return [
                str(path)
                for path in files_below(Path(folder))
                if path.name.endswith(self.img_suffixes)
            ]
        return list(
            fileio.list_dir_or_file(
                folder, list_dir=False, suffix=self.img_suffixes,
                recursive=True, backend_args=self.backend_args,
            )
        )  # fmt: skip

    def _from_sidecar(self) -> list[ImageEntry]:
        """Return the images of a ``labels.json``."""
        entries = []
        for name, item in read_sidecar(self.ann_file)['images'].items():
            kind = item['supervision']
            where = f'{self.ann_file}: {name}'
            tags: tuple[str, ...] | None = tuple(item.get('tags') or ())
            if not tags and kind != 'tag':
                tags = None
            name = name.removesuffix(self.seg_map_suffix.rpartition('.')[0])
            entries.append(
                ImageEntry(name, kind, where, tags, item.get('image'))
            )
        if not entries:
            raise ValueError(f'ann_file {self.ann_file} has no images')
        return entries

    def _tags(self, entries: Sequence[ImageEntry]) -> dict[str, Vector]:
        """Return the tags of ``tag_file`` by name of the image.

        An image goes there by its own name or that of its label file, or
        without the folder, unless two images share that name.
        """
        if not self.tag_file:
            return {}
        tags = read_tag_file(self.tag_file, self.tag_space)
        count = Counter(osp.basename(entry.name) for entry in entries)
        ending = osp.splitext(self.seg_map_suffix)[0]
        found = {}
        for entry in entries:
            base = osp.basename(entry.name)
            names = [entry.name, entry.name + ending]
            names += [base, base + ending] if count[base] == 1 else []
            known = [tags[name] for name in names if name in tags]
            if known:
                found[entry.name] = known[0]
        return found

    def _folder(self, entry: ImageEntry) -> str:
        """Return the folder of an image's label file."""
        folder = self.data_prefix.get(
            entry.supervision, self.data_prefix.get('seg_map_path')
        )
        if folder is None:
            raise ValueError(
                f'{entry.where}: data_prefix names no folder for '
                f'{entry.supervision} labels: neither {entry.supervision}= '
                'nor seg_map_path='
            )
        return folder

    def _item(
        self,
        entry: ImageEntry,
        tags: Mapping[str, Vector],
        numbering: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, Any]:
        item = dict(
            img_path=osp.join(self.data_prefix['img_path'], entry.image or ''),
            supervision=entry.supervision,
            label_map=None,
            reduce_zero_label=False,
            ignore_index=self.ignore_index,
            num_classes=len(self.tag_space.classes),
            background=self.tag_space.background,
            seg_fields=[],
        )
        if entry.tags is not None:
            item['gt_label'] = self.tag_space.from_names(
                entry.tags, entry.where
            )
        elif entry.name in tags:
            item['gt_label'] = tags[entry.name]
        if entry.supervision != 'tag':
            folder = self._folder(entry)
            item.update(numbering[folder])
            item['seg_map_path'] = osp.join(
                folder, entry.name + self.seg_map_suffix
            )
        elif 'gt_label' not in item:
            raise ValueError(
                f'{entry.where}: no tags of this image'
                + (f' in {self.tag_file} either' if self.tag_file else '')
            )
        return item


def _sidecar(folder: str) -> dict[str, Any] | None:
    """Return the ``labels.json`` of a folder, if it has one."""
    path = osp.join(folder, SIDECAR)
    return read_sidecar(path) if osp.lexists(path) else None


def one_of(name: str, values: Iterable[str], wanted: Sequence[str]) -> None:
    """Raise ValueError if a value is not among those wanted."""
    for value in values:
        if value not in wanted:
            raise ValueError(
                f'{name}: expected one of {", ".join(wanted)}, got {value!r}'
            )
