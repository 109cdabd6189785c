"""What the config of a TRL pipeline says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

#: Configs that a pipeline names, besides its split.
TRAININGS = ('classifier', 'dctn1', 'dctn2', 'final')


@dataclass(frozen=True)
class TRLSettings:
    """What a pipeline's config says.

    Attributes:
        configs: Config files, by :data:`TRAININGS`; without the last two the
            pipeline ends after the first round.
        split: List of the images, strong ones ``dense``.
        work_dir: Holds a folder for each stage.
        seed: Of every training.
        background: The class that is no tag; None: all are.
        clf: Whether the predictions of the first and the second network are
            filtered by the tags (table 2).
        dense_masks: Folder of dense masks of the weak images, ``NAME.png``,
            to measure pseudo labels by; None: nobody has them.
        classifier_checkpoint: Weights of a trained classifier; None: it is
            trained.
    """

    configs: Mapping[str, Path]
    split: Path
    work_dir: Path
    seed: int = 0
    background: int | None = 0
    clf: tuple[bool, bool] = (True, True)
    dense_masks: Path | None = None
    classifier_checkpoint: Path | None = None


def read_settings(
    path: str | Path, work_dir: str | None = None
) -> TRLSettings:
    """Read a pipeline's config.

    Paths of configs are relative to its own folder, others to the current
    one.

    Args:
        path: The config.
        work_dir: In place of the config's.

    Raises:
        FileNotFoundError: If it names a file that is not there.
        ValueError: If an entry is missing, unknown or odd.
    """
    cfg = Config.fromfile(path).to_dict()
    known = {*TRAININGS, *TRLSettings.__dataclass_fields__} - {'configs'}
    wanted = {'classifier', 'dctn1', 'split'}
    if {'dctn2', 'final'} & cfg.keys():
        wanted |= {'dctn2', 'final'}
    for name, found in (
        ('unknown', cfg.keys() - known), ('missing', wanted - cfg.keys()),
    ):  # fmt: skip
        if found:
            raise ValueError(
                f'{path}: {name} {", ".join(sorted(found))}; it names '
                f'{", ".join(sorted(wanted))} and may name '
                f'{", ".join(sorted(known - wanted))}'
            )
    clf = tuple(cfg.get('clf', (True, True)))
    if len(clf) != 2 or not all(isinstance(on, bool) for on in clf):
        raise ValueError(f'{path}: clf must be two of True, False, got {clf}')
    folder = Path(path).resolve().parent
    default = f'work_dirs/{Path(path).stem}'
    settings = TRLSettings(
        configs={n: folder / cfg[n] for n in TRAININGS if n in cfg},
        split=Path(cfg['split']),
        work_dir=Path(work_dir or cfg.get('work_dir', default)),
        seed=cfg.get('seed', 0),
        background=cfg.get('background', 0),
        clf=clf,
        dense_masks=_path(cfg.get('dense_masks')),
        classifier_checkpoint=_path(cfg.get('classifier_checkpoint')),
    )
    files = [*settings.configs.items(), ('split', settings.split)]
    if settings.classifier_checkpoint:
        files.append(('classifier_checkpoint', settings.classifier_checkpoint))
    for name, file in files:
        if not file.is_file():
            raise FileNotFoundError(f'{path}: {name}: there is no file {file}')
    masks = settings.dense_masks
    if masks is not None and not masks.is_dir():
        raise FileNotFoundError(f'{path}: dense_masks: no folder {masks}')
    return settings


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)
