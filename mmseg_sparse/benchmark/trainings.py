"""The trainings of a suite, each of which is done once."""

import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from ..engine.training_run import (
    last_checkpoint,
    last_name,
    portable_settings,
    run_tool,
    weight_digests,
)
from ..pseudo_labels.whole_images import leaf_datasets
from ..utils.atomic import write_whole
from ..utils.stages import Stage, StageError, Stages, begun_with
from .logs import SCALARS, RunLog, read_log
from .suite import Case, Suite
from .training_labels import TrainingLabels

#: Settings of a config on which weights and validation depend.
DECISIVE = (
    'model', 'train_dataloader', 'train_cfg', 'optim_wrapper',
    'param_scheduler', 'randomness', 'custom_hooks', 'load_from',
    'val_dataloader', 'val_cfg',
)  # fmt: skip
DATA = 'data'
CONFIG = 'config.py'
#: Runs a tool; returns the memory it took, MiB, if that is known.
Launch = Callable[..., float | None]


@dataclass(frozen=True)
class Cell:
    """A training of a case, with one seed.

    Attributes:
        case: The case.
        seed: Of its random numbers.
        cfg: The config, with the seed and the suite's options.
    """

    case: Case
    seed: int
    cfg: Config

    @property
    def name(self) -> str:
        """Name of the training and its folder."""
        return f'{self.case.config.stem}_seed{self.seed}'

    @property
    def last_step(self) -> int:
        """The iteration (epoch) after which the training is done."""
        return int(Path(last_name(self.cfg)).stem.rpartition('_')[2])


class Trainings:
    """The trainings of a suite, as :class:`Stages` in one folder.

    Args:
        suite: The suite.
        out: Holds a folder for each training.
        cases: Those of the suite that count.
        seeds: Of each.
        launch: Runs the tools.
        without_data: Whether weights and labels may be missing, since nothing
            is trained; they are not compared then.

    Raises:
        FileNotFoundError: If weights or labels are missing of a training
            that has not begun.
    """

    def __init__(
        self,
        suite: Suite,
        out: Path,
        cases: Sequence[Case],
        seeds: Sequence[int],
        launch: Launch = run_tool,
        *,
        without_data: bool = False,
    ) -> None:
        """Read all configs."""
        self.suite = suite
        self.out = out.resolve()
        self.launch = launch
        self.without_data = without_data
        self.cells = {
            cell.name: cell
            for case in cases
            for seed in seeds
            for cell in [Cell(case, seed, self._config(case, seed))]
        }
        stages = [
            Stage(
                name,
                self._inputs(cell),
                (DATA,) if suite.make_data else (),
                partial(self._train, cell),
            )
            for name, cell in self.cells.items()
        ]
        if suite.make_data:
            made = dict(command=list(suite.make_data))
            stages.insert(0, Stage(DATA, made, (), self._make_data))
        self.stages = Stages(
            self.out, stages, again='--overwrite', elsewhere='--out'
        )

    def results(self) -> dict[tuple[Case, int], Mapping[str, Any]]:
        """Return what the trainings that are done gave."""
        found: dict[tuple[Case, int], Mapping[str, Any]] = {}
        for name, cell in self.cells.items():
            result = self.stages.result(name)
            if result is not None:
                found[cell.case, cell.seed] = result
        return found

    def _config(self, case: Case, seed: int) -> Config:
        cfg = Config.fromfile(case.config)
        cfg.merge_from_dict({**case.options, 'randomness.seed': seed})
        self._place_data(cfg)
        last_name(cfg, f'{case.config}: train_cfg')
        return cfg

    def _place_data(self, cfg: Config) -> None:
        """Let a config read the data that the suite makes, if it does."""
        if self.suite.make_data:
            for split in ('train', 'val', 'test'):
                for dataset in leaf_datasets(cfg, split):
                    dataset['data_root'] = str(self.out / DATA / 'files')

    def _inputs(self, cell: Cell) -> dict[str, Any]:
        inputs: dict[str, Any] = dict(config=self._decisive(cell.cfg))
        known = begun_with(self.out / cell.name)
        inputs['weights'] = self._digest(known, 'weights', lambda: (
            weight_digests(
                cell.cfg, known.get('weights') or {}, cell.case.config
            )
        ))  # fmt: skip
        if not self.suite.make_data:  # those are of a stage before
            inputs['labels'] = self._digest(
                known, 'labels', TrainingLabels(cell.cfg).digest
            )
        return inputs

    def _digest(
        self, known: Mapping[str, Any], key: str, digest: Callable[[], Any]
    ) -> Any:
        """Return a digest of files that may be gone, or was not known."""
        if key in known and known[key] is None:
            return None
        try:
            return digest()
        except FileNotFoundError:
            if key not in known and not self.without_data:
                raise
            return known.get(key)

    def _decisive(self, cfg: Config) -> Any:
        settings = Config({k: cfg[k] for k in DECISIVE if k in cfg})
        files = self.out / DATA / 'files'
        return portable_settings(settings, {'DATA': files})

    def _make_data(self, folder: Path) -> dict[str, Any]:
        tool, *arguments = self.suite.make_data
        self.launch(tool, [*arguments, str(folder / 'files')])
        return {}

    def _train(self, cell: Cell, folder: Path) -> dict[str, Any]:
        """Train, or go on; return what came of it."""
        text = cell.cfg.pretty_text
        write_whole(folder / CONFIG, text.encode())
        memory = None
        if last_checkpoint(folder, cell.cfg) is None:
            memory = self.launch(
                'train',
                [str(folder / CONFIG), '--work-dir', str(folder), '--resume'],
                log=folder / 'train.log',
            )
        log = _finished(folder, cell)
        if log.gpu_memory is not None:
            memory = log.gpu_memory
        return _result(log) | dict(
            memory=memory,
            labelled=TrainingLabels(cell.cfg).share(),
            commit=commit(),
            machine=machine(),
        )

    def take_over(
        self, source: Path, report: Callable[[str], None] = print
    ) -> None:
        """Take finished trainings from elsewhere, for cells not yet begun.

        ``source`` holds the work directory of a training by the name of the
        cell, with the logs and configs that MMEngine writes, or its log
        alone, ``<name>.json``, whose settings are not known.

        Raises:
            StageError: If a training is not finished, or was one with other
                settings.
        """
        for name, cell in self.cells.items():
            place = source / name
            alone = source / f'{name}.json'
            if self.stages.state(name) != 'to do':
                continue
            if not place.is_dir() and not alone.is_file():
                report(f'{name}: not in {source}')
                continue
            if place.is_dir():
                self._check_settings(cell, place)
            log = _finished(place if place.is_dir() else alone, cell)
            folder = self.stages.folder(name) / 'taken'
            for file in [*place.glob(f'*/{SCALARS}')] or [alone]:
                text = file.read_bytes()
                start = file.parents[1].name if file != alone else 'log'
                write_whole(folder / start / SCALARS, text)
            result = _result(log) | dict(memory=log.gpu_memory)
            if not place.is_dir():  # nobody knows where it ran either
                result |= dict(unchecked=True, step_time=None, memory=None)
            with suppress(FileNotFoundError):
                result['labelled'] = TrainingLabels(cell.cfg).share()
            self.stages.adopt(name, result)
            report(f'{name}: taken from {source}')

    def _check_settings(self, cell: Cell, place: Path) -> None:
        """Raise where a training elsewhere had other settings."""
        dumped = sorted(place.glob('*/vis_data/config.py'))
        if not dumped:
            raise StageError(
                f'{place}: expected <timestamp>/vis_data/config.py, which '
                'says what was trained, found none'
            )
        cfg = Config.fromfile(dumped[-1])
        self._place_data(cfg)  # what was made elsewhere is the same
        there, here = self._decisive(cfg), self._decisive(cell.cfg)
        for change in _changes(there, here):
            raise StageError(
                f'{place} was trained with other settings than the suite: '
                f'{change}'
            )


def _finished(place: Path, cell: Cell) -> RunLog:
    """Return the log of a training, which must be finished."""
    try:
        log = read_log(place)
    except (FileNotFoundError, ValueError) as error:
        raise StageError(str(error)) from error
    if log.validated != cell.last_step:
        raise StageError(
            f'{place}: expected a validation after step {cell.last_step}, '
            f'got one after step {log.validated}'
        )
    return log


def _result(log: RunLog) -> dict[str, Any]:
    return dict(metrics=dict(log.metrics), step_time=log.step_time)


def _changes(there: Any, here: Any, key: str = '') -> Iterable[str]:
    """Yield where two configs differ that train on a CPU or on GPUs."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted({*there, *here}):
            if name == '_scope_':
                continue
            below = f'{key}.{name}' if key else name
            yield from _changes(there.get(name), here.get(name), below)
    elif isinstance(there, list) and isinstance(here, list):
        pairs = dict(enumerate(there)), dict(enumerate(here))
        for number in sorted({*pairs[0], *pairs[1]}):
            one, other = (pair.get(number) for pair in pairs)
            yield from _changes(one, other, f'{key}[{number}]')
    elif there != here and {str(there), str(here)} != {'SyncBN', 'BN'}:
        yield f'{key}: {there!r} there, {here!r} here'


def machine() -> str:
    """Return what trains here, for the times in a table."""
    if torch.cuda.is_available():
        device = str(torch.cuda.get_device_name())
    else:
        threads = os.environ.get('OMP_NUM_THREADS') or torch.get_num_threads()
        device = f'CPU ({platform.machine()}), threads a training: {threads}'
    return f'{device}, torch {torch.__version__}'


def commit() -> str | None:
    """Return the commit of the clone that the package lies in, if any."""
    root = Path(__file__).resolve().parents[2]
    if not (root / '.git').exists():
        return None
    found = subprocess.run(
        ['git', 'describe', '--always', '--dirty', '--exclude=*'],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or None
