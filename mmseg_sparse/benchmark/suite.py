"""What the config of a suite says: trainings that are compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

KEYS = {'title', 'groups', 'baseline', 'bound', 'seeds', 'metrics',
        'requires', 'make_data', 'options'}  # fmt: skip
GROUP_KEYS = {'dataset', 'labels', 'backbone', 'config', 'methods',
              'options'}  # fmt: skip
#: Kind of labels of the trainings that are the upper bound.
DENSE = 'dense'
#: Columns of the table: a name in the log of a validation -> its title.
METRICS = {
    'mIoU': 'mIoU',
    'mDice': 'mDice',
    'aAcc': 'aAcc',
    'boundary/mIoU_0.02d': 'boundary IoU',
}


@dataclass(frozen=True)
class Case:
    """What is compared: a method on data, trained with several seeds.

    Attributes:
        dataset: Name of the data set.
        labels: Kind of the training labels.
        backbone: Name of the backbone.
        method: Name of the method.
        config: Config of its training.
        options: Settings that replace those of the config.
    """

    dataset: str
    labels: str
    backbone: str
    method: str
    config: Path
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def problem(self) -> tuple[str, str]:
        """Data set and backbone: what a bound holds for."""
        return self.dataset, self.backbone


@dataclass(frozen=True)
class Requirement:
    """A path that the trainings need, and where what lies there is from."""

    path: Path
    source: str


@dataclass(frozen=True)
class Suite:
    """A suite of trainings.

    Attributes:
        name: Name of its config, without ``suite_``.
        title: For headings.
        cases: What is compared, in the order of the table.
        baseline: Method without anything for unlabelled pixels, to which the
            others are compared.
        bound: Metric -> method that, on dense labels, bounds it.
        seeds: Seeds of each training.
        metrics: Name in the log -> title of the column.
        requires: What must be there.
        make_data: Arguments of a tool that makes the data, its name first;
            their folder is added at the end. Empty: the data are there.
    """

    name: str
    title: str
    cases: Sequence[Case]
    baseline: str
    bound: Mapping[str, str]
    seeds: Sequence[int]
    metrics: Mapping[str, str]
    requires: Sequence[Requirement]
    make_data: Sequence[str]

    def missing(self) -> str | None:
        """Say in one sentence what is not there, if something is not."""
        for requirement in self.requires:
            if not requirement.path.exists():
                return (
                    f'the suite {self.name} needs {requirement.path}, which '
                    f'is not there: {requirement.source}'
                )
        return None


def read_suite(path: str | Path) -> Suite:
    """Read the config of a suite.

    It has ``groups``, each of which names a ``dataset``, ``labels``, a
    ``backbone``, a ``config`` and ``methods``: a title -> what takes the
    place of ``{}`` in ``config``, or a whole file name that ends with
    ``.py``. Configs are paths below the folder of the suite, or names of
    shipped ones. ``options`` of the suite or of a group replace settings of
    these configs; ``bound`` is a method or a dict of one by metric.

    Raises:
        FileNotFoundError: If a config is not there.
        ValueError: If an entry is missing, unknown or comes twice.
    """
    cfg = Config.fromfile(path).to_dict()
    name = Path(path).stem.removeprefix('suite_')
    _check_keys(str(path), cfg, KEYS, {'groups'})
    folder = Path(path).resolve().parent
    cases: list[Case] = []
    for number, group in enumerate(cfg['groups']):
        where = f'{path}: groups[{number}]'
        _check_keys(where, group, GROUP_KEYS, GROUP_KEYS - {'options'})
        options = {**cfg.get('options', {}), **group.get('options', {})}
        parts = {k: group[k] for k in ('dataset', 'labels', 'backbone')}
        for method, word in group['methods'].items():
            whole = word.endswith('.py')
            file = word if whole else group['config'].format(word)
            config = _find(file, folder, where)
            cases.append(
                Case(**parts, method=method, config=config, options=options)
            )
    places: set[str] = set()
    for case in cases:
        for place in (
            f'config {case.config.stem}',
            f'{case.method} on {case.labels} labels of {case.dataset}, '
            f'{case.backbone}',
        ):
            if place in places:
                raise ValueError(f'{path}: {place} comes twice')
            places.add(place)
    bound = cfg.get('bound', 'CE')
    metrics = dict(cfg.get('metrics', METRICS))
    if isinstance(bound, str):
        bound = dict.fromkeys(metrics, bound)
    return Suite(
        name=name,
        title=cfg.get('title', name),
        cases=cases,
        baseline=cfg.get('baseline', 'CE'),
        bound=bound,
        seeds=tuple(cfg.get('seeds', (0,))),
        metrics=metrics,
        requires=[
            Requirement(Path(item['path']), item['source'])
            for item in cfg.get('requires', ())
        ],
        make_data=tuple(cfg.get('make_data', ())),
    )


def _find(name: str, folder: Path, where: str) -> Path:
    """Return a config below a folder, or a shipped one by its name."""
    if (folder / name).is_file():
        return (folder / name).resolve()
    package = Path(__file__).resolve().parents[1]
    for root in (package / '.mim' / 'configs', package.parent / 'configs'):
        found = sorted(root.rglob(name)) if root.is_dir() else []
        if len(found) == 1:
            return found[0].resolve()
    raise FileNotFoundError(
        f'{where}: there is no config {name}, neither below {folder} nor '
        'among those that come with mmseg_sparse'
    )


def select(suite: Suite, words: Iterable[str] | None) -> list[Case]:
    """Return the cases that contain each of some words.

    Args:
        suite: The suite.
        words: Methods, kinds of labels, data sets, backbones or names of
            configs, whatever the case; of several of the same kind one must
            fit. None: all cases.

    Raises:
        ValueError: If a word fits nothing.
    """
    cases = list(suite.cases)
    kinds = ('method', 'labels', 'dataset', 'backbone', 'config')
    wanted: dict[str, set[str]] = {}
    for word in words or ():
        for kind in kinds:
            known = {_word(case, kind).lower() for case in cases}
            if word.lower().removesuffix('.py') in known:
                wanted.setdefault(kind, set()).add(
                    word.lower().removesuffix('.py')
                )
                break
        else:
            every = {_word(c, k) for c in cases for k in kinds[:-1]}
            raise ValueError(
                f'--only: nothing of the suite {suite.name} is called '
                f'{word!r}; expected one of {", ".join(sorted(every))}'
            )
    return [
        case
        for case in cases
        if all(_word(case, k).lower() in found for k, found in wanted.items())
    ]


def _word(case: Case, kind: str) -> str:
    return {
        'method': case.method, 'labels': case.labels,
        'dataset': case.dataset, 'backbone': case.backbone,
        'config': case.config.stem,
    }[kind]  # fmt: skip


def _check_keys(
    where: str, found: Mapping[str, Any], known: set[str], required: set[str]
) -> None:
    for name, keys in (
        ('unknown', found.keys() - known), ('missing', required - found.keys())
    ):  # fmt: skip
        if keys:
            raise ValueError(
                f'{where}: {name} {", ".join(sorted(keys))}; expected '
                f'{", ".join(sorted(required))}, and '
                f'{", ".join(sorted(known - required)) or "nothing"} if '
                'wanted'
            )
