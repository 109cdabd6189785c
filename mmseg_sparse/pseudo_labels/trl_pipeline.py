"""The stages of TRL, from tags and a few masks to the final model."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmseg_sparse.datasets import SparseSegDataset
from mmseg_sparse.datasets.files_of_images import Listing, locate
from mmseg_sparse.labels.hybrid_split import hybrid_list, read_entries
from mmseg_sparse.labels.image_list import (
    SUPERVISIONS,
    ImageEntry,
    listed_name,
    suffixes_of,
)

from ..engine.training_run import (
    file_sha256,
    last_checkpoint,
    last_name,
    portable_settings,
    run_tool,
    weight_digests,
)
from ..utils.atomic import write_whole
from ..utils.stages import Stage, StageError, Stages, begun_with
from .quality import heatmap_miou, label_miou, table_text
from .trl_configs import (
    STRONG,
    TRLSettings,
    masks_digest,
    steps_of,
    tag_digest,
    training_dataset,
    without_images,
)
from .whole_images import leaf_datasets

#: Runs a tool, given its name and arguments.
Launch = Callable[[str, Sequence[str]], object]
CONFIG = 'config.py'
#: Subfolders that the generating stages write.
HEATMAPS = 'heatmaps'
VAL_HEATMAPS = 'heatmaps_val'
LABELS = 'labels'
PSEUDO_LIST = 'hybrid_pseudo.txt'
REPORT = 'report.json'
WEAK = tuple(kind for kind in SUPERVISIONS if kind != STRONG)
#: Networks that refine heat maps -> stage that makes these, and its model.
REFINED = dict(dctn1=('cam', 'classifier'), dctn2=('refined', 'dctn1'))


class TRLPipeline:
    """The stages of TRL, figure 2, for ``utils.stages.Stages``.

    Args:
        settings: The settings in the config of the pipeline.
        launch: Runs the tools.

    Raises:
        FileNotFoundError: If the mask of a strong image is missing, or one
            of a weak image that the evaluation needs.
        ValueError: If the list has no strong or no weak images, or a config
            does not say how long it trains.
    """

    def __init__(
        self, settings: TRLSettings, launch: Launch = run_tool
    ) -> None:
        """Read the configs of all stages."""
        self.settings = settings
        self.launch = launch
        self.work_dir = settings.work_dir.resolve()
        self.configs = {
            name: self._config(name, path)
            for name, path in settings.configs.items()
        }
        self.datasets = {
            name: without_images(training_dataset(cfg))
            for name, cfg in self.configs.items()
        }
        self._check_configs()
        self.entries = split_entries(settings.split, self.datasets['dctn1'])
        self.stages = Stages(self.work_dir, self._stages())
        read_heatmaps_of(self.configs['dctn1'], self.stages.folder('cam'))
        if self.stages.result('evaluation') is None:
            self._check_masks()

    def _config(self, name: str, path: Path) -> Config:
        """Return a training's config, with the paths of this pipeline."""
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(dict(randomness=dict(seed=self.settings.seed)))
        dataset = training_dataset(cfg, str(path))
        if name in REFINED:
            read_heatmaps_of(cfg, self.work_dir / REFINED[name][0])
        dataset.ann_file = str(self.settings.split.resolve())
        if name == 'final':
            labels = self.work_dir / 'pseudo_labels'
            dataset.ann_file = str(labels / PSEUDO_LIST)
            dataset.data_prefix['pseudo'] = str(labels / LABELS)
        return cfg

    def _check_configs(self) -> None:
        """Raise an error that would otherwise stop a later stage."""
        for name, cfg in self.configs.items():
            path = self.settings.configs[name]
            last_name(cfg, f'{path}: train_cfg')
            for suffix in suffixes_of(self.datasets[name].img_suffix):
                if Path(f'name{suffix}').suffix != suffix:
                    raise ValueError(
                        f'{path}: expected an img_suffix such as .jpg, got '
                        f'{suffix!r}: files are named after images, without '
                        'it'
                    )
        for name in REFINED.keys() & self.configs.keys():
            self._check_validation(name, REFINED[name][1])
        final = self.datasets.get('final')
        if final is not None and final.seg_map_suffix != '.png':
            raise ValueError(
                f'{self.settings.configs["final"]}: expected seg_map_suffix='
                f"'.png', as pseudo labels have it, got "
                f'{final.seg_map_suffix!r}'
            )

    def _check_validation(self, name: str, model: str) -> None:
        """Raise if a network is validated on images without heat maps."""
        wanted, made = (_val_images(self.configs[n]) for n in (name, model))
        if wanted and wanted != made:
            raise ValueError(
                f'{self.settings.configs[name]}: val_dataloader: expected the '
                f'images of {self.settings.configs[model]}, which makes the '
                f'heat maps, {made or "none"}, got {wanted}; val_dataloader, '
                'val_cfg and val_evaluator are None without validation'
            )

    def _check_masks(self) -> None:
        """Raise if a mask is missing that the evaluation needs."""
        folder = self.settings.dense_masks
        if folder is None:
            return
        weak = [e.name for e in self.entries if e.supervision != STRONG]
        missing = [n for n in weak if not (folder / f'{n}.png').is_file()]
        if missing:
            raise FileNotFoundError(
                f'dense_masks: {len(missing)} of {len(weak)} weak images have '
                f'no mask, such as {folder / missing[0]}.png; with '
                'dense_masks=None pseudo labels are not evaluated'
            )

    def _stages(self) -> list[Stage]:
        clf = self.settings.clf
        train, make = self._training, self._generation
        evaluation = dict(
            dense_masks=str(self.settings.dense_masks),
            background=self.settings.background,
        )
        shared = self.settings.shared
        if shared is not None:
            shared = shared.resolve()
        stages = [
            replace(train('classifier'), shared=shared),
            replace(make('cam', 'classifier', (), True), shared=shared),
            train('dctn1', 'cam'),
            make('refined', 'dctn1', ('cam',), clf[0]),
        ]
        if 'dctn2' in self.configs:
            stages += [
                train('dctn2', 'refined'),
                make('pseudo_labels', 'dctn2', ('refined',), clf[1]),
                train('final', 'pseudo_labels'),
            ]
        before = tuple(stage.name for stage in stages)
        return [
            *stages,
            Stage('evaluation', evaluation, before, self._evaluate),
        ]

    def _training(self, name: str, *after: str) -> Stage:
        dataset = self.datasets[name]
        inputs: dict[str, Any] = dict(
            config=self._portable(self.configs[name]),
            # The order of the images is part of it, as in a training.
            split=[
                [e.name, e.supervision, *(e.tags or ())] for e in self.entries
            ],
            tags=tag_digest(dataset),
            weights=self._weights(name),
        )
        if name != 'classifier':
            inputs['masks'] = masks_digest(dataset, self.entries)
        trained = self.settings.classifier_checkpoint
        if name == 'classifier' and trained is not None:
            inputs['checkpoint'] = file_sha256(trained)
        return Stage(name, inputs, after, partial(self._train, name))

    def _weights(self, name: str) -> dict[str, str]:
        """Return digests of the weights that a training begins with.

        If the training is done, these files may have been removed.
        """
        if name == 'classifier' and self.settings.classifier_checkpoint:
            return {}
        known = begun_with(self.work_dir / name).get('weights') or {}
        path = self.settings.configs[name]
        return weight_digests(self.configs[name], known, path)

    def _generation(
        self, name: str, model: str, after: tuple[str, ...], clf: bool
    ) -> Stage:
        run = partial(self._generate, name, model, clf)
        inputs = dict(clf=clf)
        if self._is_validated_on(name):
            inputs['validation'] = True
        return Stage(name, inputs, (model, *after), run)

    def _is_validated_on(self, name: str) -> bool:
        """Tell whether a network's validation needs a stage's heat maps."""
        return any(
            bool(_val_images(self.configs[network]))
            for network, (stage, _) in REFINED.items()
            if stage == name and network in self.configs
        )

    def _portable(self, cfg: Config) -> Any:
        """Return a config for JSON, without paths of work folder and list."""
        split = self.settings.split.resolve()
        return portable_settings(
            cfg, {'WORK_DIR': self.work_dir, 'SPLIT': split}
        )

    def _train(self, name: str, folder: Path) -> dict[str, Any]:
        """Train, or resume; return the checkpoint."""
        trained = self.settings.classifier_checkpoint
        if name == 'classifier' and trained is not None:
            return dict(checkpoint=str(trained.resolve()))
        cfg = copy.deepcopy(self.configs[name])
        _dump(cfg, folder / CONFIG)
        if last_checkpoint(folder, cfg) is None:
            self.launch(
                'train',
                [str(folder / CONFIG), '--work-dir', str(folder), '--resume'],
            )
        last = last_checkpoint(folder, cfg)
        if last is None:
            raise StageError(
                f'the training ended, but the last checkpoint in {folder} is '
                f'not {last_name(cfg)}: default_hooks.checkpoint needs '
                'save_last=True and the by_epoch of the training loop'
            )
        return dict(checkpoint=last)

    def _checkpoint(self, name: str) -> str:
        trained = self.settings.classifier_checkpoint
        if name == 'classifier' and trained is not None:
            return str(trained.resolve())  # it may have been moved
        result = self.stages.result(name)
        assert result is not None
        return str(Path(self.stages.folder(name)) / result['checkpoint'])

    def _generate(
        self, name: str, model: str, clf: bool, folder: Path
    ) -> dict[str, Any]:
        """Write heat maps or pseudo labels of the remaining images."""
        weak = name == 'pseudo_labels'
        if self._is_validated_on(name):
            val = folder / VAL_HEATMAPS
            self._run_generator(model, val, weak=False, clf=clf, split='val')
        out = folder / (LABELS if weak else HEATMAPS)
        self._run_generator(model, out, weak=weak, clf=clf)
        if weak:
            names = [entry.name for entry in self.entries]
            strong = [e.name for e in self.entries if e.supervision == STRONG]
            suffixes = suffixes_of(self.datasets['final'].img_suffix)
            listed = {e.name: listed_name(e, suffixes) for e in self.entries}
            text = hybrid_list(names, strong, weak='pseudo', listed=listed)
            write_whole(folder / PSEUDO_LIST, text.encode())
        return {}

    def _run_generator(
        self,
        model: str,
        out: Path,
        *,
        weak: bool,
        clf: bool,
        split: str = 'train',
    ) -> None:
        """Write labels of the weak images, or heat maps of all."""
        cfg = copy.deepcopy(self.configs[model])
        dataset = training_dataset(cfg)
        dataset.filter_cfg = dict(supervision=list(WEAK)) if weak else None
        config = out.with_name(f'{out.name}_config.py')
        _dump(cfg, config)
        arguments = [str(config), self._checkpoint(model), str(out)]
        arguments += ['--split', split]
        if weak:
            clf_option = '--filter-tags' if clf else '--no-filter-tags'
            arguments += [clf_option, '--no-confidence']
        elif not clf:
            arguments.append('--no-filter')
        command = 'pseudo-labels' if weak else 'heatmaps'
        self.launch('generate', [command, *arguments])

    def _evaluate(self, folder: Path) -> dict[str, Any]:
        """Evaluate each step and the final model; write the table."""
        rows: list[tuple[str, float | None, str]] = []
        if self.settings.dense_masks is not None:
            rows += self._measure_labels(folder, self.settings.dense_masks)
        if 'final' in self.configs:
            rows.append(
                ('final model', self._test(folder), 'validation images')
            )
        report = [
            dict(name=name, mIoU=value, remark=remark)
            for name, value, remark in rows
        ]
        text = table_text(rows)
        write_whole(folder / 'report.txt', text.encode())
        write_whole(folder / REPORT, json.dumps(report, indent=1).encode())
        print(text, end='', flush=True)
        return dict(rows=report)

    def _measure_labels(
        self, folder: Path, masks: Path
    ) -> list[tuple[str, float | None, str]]:
        """Return rows of the pseudo labels, on the weak images (table 2)."""
        names = [e.name for e in self.entries if e.supervision != STRONG]
        classes = self.configs['dctn1'].model.decode_head.num_classes
        where = self.stages.folder
        found, score = heatmap_miou(
            where('cam') / HEATMAPS, masks, names, classes,
            background=self.settings.background,
        )  # fmt: skip
        remark = f'{len(names)} weak images'
        if score is not None:
            remark += f'; best background score, {score}'
        rows: list[tuple[str, float | None, str]] = [('CAM', found, remark)]
        for model, clf in zip(
            ('dctn1', 'dctn2'), self.settings.clf, strict=True
        ):
            name = model.upper()
            if model not in self.configs:
                break
            if model == 'dctn1':
                maps = where('refined') / HEATMAPS
                value, _ = heatmap_miou(maps, masks, names, classes)
            else:
                labels = where('pseudo_labels') / LABELS
                value = label_miou(labels, masks, names, classes)
            if clf:
                out = folder / model
                self._run_generator(model, out, weak=True, clf=False)
                raw = label_miou(out, masks, names, classes)
                rows.append((name, raw, 'weak images'))
                name = f'{name} + CLF'
            rows.append((name, value, 'weak images'))
        return rows

    def _test(self, folder: Path) -> float:
        """Return the mIoU of the final model."""
        out = folder / 'final'
        config = self.stages.folder('final') / CONFIG
        arguments = [str(config), self._checkpoint('final')]
        self.launch('test', [*arguments, '--work-dir', str(out)])
        for path in sorted(out.glob('*/*.json'), reverse=True):
            metrics = json.loads(path.read_text(encoding='utf-8'))
            if 'mIoU' in metrics:
                return float(metrics['mIoU'])
        raise StageError(f'the test wrote no mIoU to {out}')


def split_entries(split: Path, dataset: Any) -> list[ImageEntry]:
    """Return the images of the split, named as the data set names them.

    Raises:
        ValueError: If there are no strong or no weak ones, or a line has no
            supervision.
    """
    entries = read_entries(split, img_suffix=dataset.img_suffix, default='')
    if isinstance(dataset, SparseSegDataset) and dataset.backend_args is None:
        listing = Listing()
        folder = dataset.data_prefix['img_path']
        entries = [
            locate(entry, None, folder, dataset.img_suffixes, listing)
            for entry in entries
        ]
    for entry in entries:
        if not entry.supervision:
            raise ValueError(
                f'{entry.where}: {entry.name} has no supervision: expected '
                f'{STRONG} or {", ".join(WEAK)}'
            )
    strong = sum(entry.supervision == STRONG for entry in entries)
    if not 0 < strong < len(entries):
        raise ValueError(
            f'{split}: expected strong images ({STRONG}) and weak '
            f'ones, got {strong} strong ones of {len(entries)}'
        )
    return entries


def read_heatmaps_of(cfg: Config, folder: Path) -> None:
    """Let a config read the heat maps that a stage writes to its folder."""
    nodes = [(training_dataset(cfg), cfg._cfg_dict, HEATMAPS)]
    for split in ('val', 'test'):
        for leaf in leaf_datasets(cfg, split):
            nodes.append((leaf, leaf, VAL_HEATMAPS))
    for dataset, node, maps in nodes:
        # Files mirror the folders of the images.
        images = without_images(dataset).data_prefix['img_path']
        for step in steps_of(node, 'LoadHeatmaps'):
            step.root = str(folder / maps)
            step.img_root = images


def _val_images(cfg: Config) -> list[str]:
    """Return the folders of images that a model is validated on."""
    return [
        without_images(leaf).data_prefix['img_path']
        for leaf in leaf_datasets(cfg, 'val')
    ]


def _dump(cfg: Config, path: Path) -> None:
    write_whole(path, cfg.pretty_text.encode())
