"""From a folder of images and labels to a project that trains."""

import os
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device

from ..doctor.from_folder import FOLDERS, TRAIN, VAL, find_beside
from ..labels.classes import (
    Classes,
    find_background,
    make_classes,
    parse_classes,
)
from ..labels.image_finder import ImageFinder
from ..labels.importers import FORMATS, load_reader, reader_options
from ..labels.importers.draw import ImportOptions
from ..labels.importers.formats import NUMBERED
from ..labels.importers.import_labels import import_labels
from ..labels.label_folder import read_sidecar
from ..labels.label_map import NO_LABEL
from ..utils.atomic import built_beside
from ..utils.untrusted import FormatError
from .config_text import Project, config_text
from .label_set import (
    Facts,
    LabelSet,
    examine,
    from_list,
    from_sidecar,
    median_size,
    pair,
)
from .measure import time_training
from .recipe import duration, method_for, with_schedule, with_sizes
from .recognise import LABEL_FOLDER, LIST, recognise
from .split import group_by_stem, hold_out
from .trl_text import PIPELINE, TRAININGS, trl_files
from .weights import Weights, given_weights, local_weights

#: Called with a choice: what, the choice and why, how to change it.
Tell = Callable[[str, str, str], None]
#: Files that may hold class names, beside the labels.
CLASS_FILES = ('classes.txt', 'labels.txt', 'class_names.txt')


@dataclass(frozen=True)
class Wishes:
    """What the user says; None leaves a choice to ``init``.

    Attributes:
        format: A format of ``import_labels``.
        settings: ``key=value`` options of its reader.
        classes: Class names, as ``import_labels`` takes them.
        background: Name of the background class, or ``'none'``.
        kind: Kind of the labels.
        val: Folder of masks, or share of the images.
        weights: File, URL or ``'none'``.
        scale: Longer side of the resized images.
        crop: Side of the crops.
        batch: Images an iteration.
        iters: Iterations.
        minutes: Time for the training.
    """

    format: str | None = None
    settings: Sequence[str] = ()
    classes: Sequence[str] | None = None
    background: str | None = None
    kind: str | None = None
    val: str | None = None
    weights: str | None = None
    scale: int | None = None
    crop: int | None = None
    batch: int = 8
    iters: int | None = None
    minutes: float | None = None


def make_project(
    images: Path,
    labels: Path,
    out: Path,
    wishes: Wishes,
    *,
    command: str,
    tell: Tell,
) -> Project:
    """Write a config, lists of images and a README to a new folder.

    Labels that are index PNGs are used where they are; others are imported to
    ``out/labels``. The folder appears whole or not at all.

    Args:
        images: Folder of the images.
        labels: File or folder of their labels.
        out: Folder to make.
        wishes: Choices of the user.
        command: The command, for the first line of the config.
        tell: Called with each choice.

    Raises:
        FileExistsError: If something is at ``out``.
        FileNotFoundError: If images, labels or weights are missing.
        ValueError: If labels do not fit the images or a wish cannot be met.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f'{out} exists, and nothing is overwritten: name another folder '
            'with --out'
        )
    finder = ImageFinder(images, exclude=[out])
    with built_beside(out) as folder:
        project = _plan(finder, labels, folder, wishes, command, tell)
        _write_configs(project)
        project = _schedule(project, wishes, tell)
        _write_configs(project)
        readme = readme_text(project, out, images)
        (folder / 'README.md').write_text(readme, 'utf-8')
    return project


def _write_configs(project: Project) -> None:
    if project.recipe.method == 'trl':
        texts = trl_files(project)
    else:
        texts = {'config.py': config_text(project)}
    for name, text in texts.items():
        (project.out / name).write_text(text, 'utf-8')


def _plan(
    finder: ImageFinder,
    labels: Path,
    out: Path,
    wishes: Wishes,
    command: str,
    tell: Tell,
) -> Project:
    """Choose everything but the schedule."""
    train, names = _label_set(finder, labels, out, wishes, tell)
    facts = examine(train)
    if wishes.kind is not None:
        train.kinds = dict.fromkeys(train.kinds, wishes.kind)
    _tell_kinds(train, facts, finder, tell)
    val, val_facts = _validation(train, finder, out, wishes, tell)
    classes, background = _classes(
        labels, names, facts, val_facts, wishes, tell
    )
    if train.tags:
        _tags_of_masks(train, classes, background)
    _write_list(out / 'train.txt', train)
    if val is not None:
        _write_list(out / 'val.txt', val)
    recipe, size = method_for(train.kinds.values()), median_size(train)
    on_cpu = get_device() == 'cpu'
    recipe = with_sizes(
        recipe, size, on_cpu=on_cpu, scale=wishes.scale, crop=wishes.crop
    )
    batch = min(wishes.batch, len(train.kinds))
    recipe = replace(recipe, batch=batch)
    tell('method', recipe.reason, 'edit `model` in config.py')
    tell(
        'sizes',
        f'images {size[0]} x {size[1]} (median), resized to {recipe.scale} '
        f'pixels on the longer side, crops {recipe.crop[1]} x '
        f'{recipe.crop[0]}, batches of {batch}',
        '--scale, --crop, --batch',
    )
    weights = _weights(finder.folder, wishes, tell)
    return Project(
        out, command, train, val, classes, background, weights, recipe,
        workers=min(4, os.cpu_count() or 1),
    )  # fmt: skip


def _label_set(
    finder: ImageFinder,
    labels: Path,
    out: Path,
    wishes: Wishes,
    tell: Tell,
) -> tuple[LabelSet, Classes | None]:
    """Return the labels, in place or imported, and classes if they say so."""
    name = wishes.format or recognise(labels, finder, wishes.settings)
    if name == LABEL_FOLDER:
        tell('labels', f'label maps of {labels}/labels.json, used in place',
             '')  # fmt: skip
        return from_sidecar(labels, finder), _sidecar_classes(labels)
    if name == LIST:
        found = from_list(labels, finder)
        where = [found.folder, found.tag_file or (found.tags and labels)]
        text = ' and '.join(_shown(path) for path in where if path)
        tell('labels', f'the list {labels}; {text}, used in place', '')
        if found.tags and not wishes.classes:
            raise ValueError(
                f'{labels} has names of classes as tags: give all classes '
                'with --classes, in the order of the values in the masks'
            )
        tags = found.tag_file
        return found, None if tags is None else _sidecar_classes(tags)
    if name not in FORMATS:
        raise ValueError(
            f'--format: expected one of {", ".join(FORMATS)}, got {name!r}'
        )
    if name in ('index-png', 'label-images') and not wishes.settings:
        with suppress(ValueError):
            found = pair(labels, finder)
            found.zero_is_no_label = name == 'label-images'
            zero = (
                '0 = no label, classes count from 1'
                if found.zero_is_no_label
                else '255 = no label, classes count from 0'
            )
            tell('labels', f'index PNGs, used in place; {zero}', '--format')
            return found, None
    options = reader_options(name, wishes.settings)
    classes = _source_classes(name, labels, options, wishes)
    summary = import_labels(
        name, labels, out / 'labels', images=finder.folder, classes=classes,
        reader_options=options, options=ImportOptions(),
    )  # fmt: skip
    tell('labels', f'{name}, imported to labels/', '--format, --option')
    for line in summary.text().splitlines()[1:]:
        tell('', line.strip(), '')
    return from_sidecar(out / 'labels', finder), classes


def _sidecar_classes(labels: Path) -> Classes:
    return make_classes(read_sidecar(labels)['classes'])


def _source_classes(
    name: str, labels: Path, options: dict[str, object], wishes: Wishes
) -> Classes:
    """Return the classes of a source, the background first."""
    if wishes.classes:
        return parse_classes(wishes.classes)
    found: set[str] = set()
    for item in load_reader(name)(labels, **options):
        found.update(shape.label for shape in item.shapes)
        found.update(item.tags)
    if name in NUMBERED:
        first = NUMBERED[name]
        last = max(map(int, found))
        return make_classes([f'class_{k}' for k in range(first, last + 1)])
    known = (wishes.background or 'background').casefold()
    names = sorted(found, key=lambda n: (n.casefold() != known, n))
    return make_classes(names)


def _tell_kinds(
    data: LabelSet, facts: Facts, finder: ImageFinder, tell: Tell
) -> None:
    counts = Counter(data.kinds.values())
    text = ', '.join(f'{n} {kind}' for kind, n in counts.most_common())
    text += f' of {len(finder)} images'
    if facts.files:
        text += f'; {100 * facts.share:.3g} % of the pixels are labelled'
    tell('kind', text, '--kind')


def _validation(
    train: LabelSet,
    finder: ImageFinder,
    out: Path,
    wishes: Wishes,
    tell: Tell,
) -> tuple[LabelSet | None, Facts]:
    """Choose images to validate on, and take them out of the training."""
    share = _share(wishes.val)
    masks = None
    if wishes.val is not None and share is None:
        masks = Path(wishes.val)
        if not masks.is_dir():
            raise FileNotFoundError(
                '--val: expected a folder of masks, or a share such as 0.2, '
                f'got {wishes.val!r}'
            )
    elif share is None:
        masks = _masks_beside(finder.folder)
    if masks is not None:
        val = _of_masks(masks, finder)
        facts = examine(val)
        if val.images == train.images:
            train.kinds = {
                n: k for n, k in train.kinds.items() if n not in val.kinds
            }
        val.kinds = dict.fromkeys(val.kinds, 'dense')
        tell(
            'validation',
            f'{len(val.kinds)} images with the masks {_shown(masks)}',
            '--val MASKS or --val SHARE',
        )
        return val, facts
    if set(train.kinds.values()) == {'tag'}:
        tell('validation', 'none: tags alone cannot be compared with a '
             'prediction', '--val MASKS')  # fmt: skip
        return None, Facts()
    tags = [name for name, kind in train.kinds.items() if kind == 'tag']
    groups = group_by_stem([n for n in train.kinds if n not in set(tags)])
    keep, held = hold_out(groups, share or 0.2)
    val = replace(train, kinds={name: train.kinds[name] for name in held})
    train.kinds = {n: k for n, k in train.kinds.items() if n not in val.kinds}
    grouped = len(groups) < len(keep) + len(held)
    text = f'{len(held)} of {len(keep) + len(held)} images held out'
    if tags:
        text = text.replace('images', 'images with label maps')
    if grouped:
        text += f', by the {len(groups)} beginnings of their names'
    if set(val.kinds.values()) != {'dense'}:
        text += (
            '; mIoU is measured at their labelled pixels alone, which lie '
            'inside of regions: it is higher than on dense masks, and serves '
            'to compare runs'
        )
    tell('validation', text, '--val MASKS or --val SHARE')
    return val, Facts()


def _share(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _masks_beside(images: Path) -> Path | None:
    """Return ``masks/val`` beside ``images/train``, if there are images."""
    root = images.absolute().parent
    for split in ('val', 'validation', 'test'):
        if images.name == split or not (root / split).is_dir():
            continue
        for name in FOLDERS['dense']:
            if (root.parent / name / split).is_dir():
                return root.parent / name / split
    # train/images has its masks in val/masks.
    for split in VAL if root.name in TRAIN else ():
        for name in FOLDERS['dense']:
            if (root.parent / split / name).is_dir():
                return root.parent / split / name
    return None


def _of_masks(masks: Path, finder: ImageFinder) -> LabelSet:
    """Return dense masks and their images, beside them or in the folder.

    Raises:
        ValueError: If there are no images for the masks.
    """
    beside = find_beside(masks, 'image')
    if beside is not None and not beside.samefile(finder.folder):
        return pair(masks, ImageFinder(beside, exclude=[masks]))
    try:
        return pair(masks, finder)
    except ValueError as error:
        raise ValueError(f'--val: {error}') from error


def _classes(
    labels: Path,
    found: Classes | None,
    facts: Facts,
    val_facts: Facts,
    wishes: Wishes,
    tell: Tell,
) -> tuple[Classes, int | None]:
    """Choose names, colours and background."""
    number = max(facts.classes, val_facts.classes)
    background = _largest(facts, val_facts)
    where = '--classes'
    if wishes.classes:
        classes = parse_classes(wishes.classes)
        if len(classes.names) < number:
            raise ValueError(
                f'--classes: expected at least {number} names, as the label '
                f'files have the values 0 to {number - 1}, got '
                f'{len(classes.names)}'
            )
        where = '--classes (as given)'
    elif found is not None:
        classes = found
    else:
        classes, where = _named_beside(labels, number, background)
    if found is None and not wishes.classes:
        colours = (facts.palette or val_facts.palette)[: len(classes.names)]
        if len(set(colours)) == len(classes.names):
            classes = Classes(classes.names, colours)
    if wishes.background == 'none':
        index = None
    elif wishes.background is not None:
        if wishes.background not in classes.names:
            raise ValueError(
                f'--background: expected one of {", ".join(classes.names)} '
                f'or none, got {wishes.background!r}'
            )
        index = classes.names.index(wishes.background)
    else:
        index = find_background('auto', classes.names)
    tell('classes', ', '.join(classes.names), where)
    if found is not None and val_facts.files and not wishes.classes:
        tell(
            '',
            'the masks to validate on must number the classes in this order',
            '--classes with the names in the order of the masks',
        )
    tell('background', 'none' if index is None else classes.names[index],
         '--background NAME or none')  # fmt: skip
    return classes, index


def _named_beside(
    labels: Path, number: int, background: bool
) -> tuple[Classes, str]:
    """Return the classes of a list beside the labels, or invented names."""
    for folder in (labels, *labels.absolute().parents[:2]):
        for name in CLASS_FILES:
            path = folder / name
            if folder.is_dir() and path.is_file():
                with suppress(FormatError, ValueError):
                    classes = parse_classes([str(path)])
                    if len(classes.names) >= number:
                        return classes, f'--classes (from {path})'
    names = [f'class_{index}' for index in range(number)]
    if background and number:
        names[0] = 'background'
    return make_classes(names), '--classes, as the files have no names'


def _largest(facts: Facts, val_facts: Facts) -> bool:
    """Tell whether class 0 looks like a background.

    It does if it is in nearly every image and covers more than half of the
    area of masks, or of strokes has the most pixels.
    """
    dense = val_facts if val_facts.files else facts
    labelled = dense.pixels[:NO_LABEL]
    if not dense.files or not labelled.sum():
        return False
    share = labelled[0] / labelled.sum()
    everywhere = dense.images[0] >= 0.95 * dense.files
    least = 0.5 if dense.share > 0.75 else 1.0 / max(2, dense.classes)
    return bool(everywhere and share > least and np.argmax(labelled) == 0)


def _weights(images: Path, wishes: Wishes, tell: Tell) -> Weights:
    if wishes.weights is not None:
        weights = given_weights(wishes.weights)
    else:
        weights = local_weights(images)
    model = f'SegFormer with {weights.architecture.replace("mit-b", "MiT-B")}'
    if weights.checkpoint is None:
        tell('model', f'{model} from scratch: WARNING, no pretrained weights '
             'were found, which give much better results',
             '--weights URL|FILE')  # fmt: skip
    else:
        tell('model', f'{model}, from {_shown(weights.checkpoint)}',
             '--weights URL|FILE|none')  # fmt: skip
    return weights


def _shown(path: str | Path) -> str:
    """Return a path as seen from the working directory, if it is below."""
    full = Path(path)
    below = full.is_absolute() and full.is_relative_to(Path.cwd())
    return str(full.relative_to(Path.cwd()) if below else path)


def _tags_of_masks(
    data: LabelSet, classes: Classes, background: int | None
) -> None:
    """Give the images that have masks the tags of their masks."""
    none = {NO_LABEL, background}
    for name, kind in data.kinds.items():
        if kind == 'dense' and name not in data.tags:
            found = np.unique(data.load(name)).tolist()
            data.tags[name] = tuple(
                classes.names[value] for value in found if value not in none
            )


def _write_list(path: Path, data: LabelSet) -> None:
    lines = []
    for name, kind in data.kinds.items():
        quoted = f'"{name}"' if set(name) & set(' #') else name
        tags = ', '.join(data.tags.get(name, ()))
        lines.append(f'{quoted} {kind} {tags}'.rstrip() + '\n')
    path.write_text(''.join(lines), 'utf-8')


def _schedule(project: Project, wishes: Wishes, tell: Tell) -> Project:
    """Choose the number of iterations by two timed ones."""
    cfg = Config.fromfile(project.out / 'config.py')
    second, prediction = time_training(cfg)
    val = len(project.val.kinds) * prediction if project.val else 0.0
    device = get_device()
    minutes = wishes.minutes or (15 if device == 'cpu' else 60)
    trainings = len(TRAININGS) if project.recipe.method == 'trl' else 1
    recipe = with_schedule(
        project.recipe, images=len(project.train.kinds), second=second,
        validation=val, minutes=minutes / trainings, iters=wishes.iters,
    )  # fmt: skip
    where = 'this CPU' if device == 'cpu' else f'this device ({device})'
    tell(
        'schedule',
        f'{recipe.iters} iterations, {second:.2g} s each on {where}: '
        f'about {duration(recipe, second, val)}, '
        f'{recipe.validations} validations among them'
        + (f'; {trainings} such trainings, one after another, and activation '
           'maps between them' if trainings > 1 else ''),
        '--iters, --minutes',
    )  # fmt: skip
    return replace(project, recipe=recipe)


def next_commands(
    project: Project, out: Path, images: Path
) -> tuple[str, str, str]:
    """Return the commands to look at the data, to train and to predict."""
    config = shlex.quote(str(out / 'config.py'))
    train, run = f'train {config}', out / 'run'
    if project.recipe.method == 'trl':
        train = f'trl_pipeline {shlex.quote(str(out / PIPELINE))}'
        run /= 'final'
    checkpoint = run / f'iter_{project.recipe.iters}.pth'
    show = _shown(project.val.images if project.val else images)
    tool = 'python -m mmseg_sparse'
    return (
        f'{tool} browse_dataset {config}',
        f'{tool} {train}',
        f'{tool} predict {config} {shlex.quote(str(checkpoint))} '
        f'{shlex.quote(show)} {shlex.quote(str(out / "predictions"))} '
        '--format overlay',
    )


def readme_text(project: Project, out: Path, images: Path) -> str:
    """Return the README of a project."""
    look, train, predict = next_commands(project, out, images)
    again = '' if project.recipe.method == 'trl' else ' with `--resume`'
    val = ''
    if project.val is not None:
        val = '`val.txt` lists the images to validate on. '
    return f"""\
# {out.name}

Made by `{project.command}`.

Look at the samples as the network gets them, train, and predict:

    {look}
    {train}
    {predict}

`config.py` is a config of MMSegmentation and can be edited. `train.txt` lists
the images to train on, with the kind of their labels. {val}Checkpoints and
logs are written to `run/`. After an interruption, the second command{again}
goes on.
"""
