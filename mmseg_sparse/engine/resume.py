"""What MMEngine leaves out when it resumes: whole files, seeds, random state.

MMEngine starts the data loader before it knows the seed of the checkpoint,
and it replays the batches already seen without putting the random state
back. The random state in a checkpoint is made of tensors, numbers, strings,
lists and tuples only: what ``torch.load(weights_only=True)`` reads.
"""

import copy
import pickle
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object
from mmengine.fileio import LocalBackend, register_backend
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from ..utils.atomic import PART, write_whole

LAST_CHECKPOINT = 'last_checkpoint'


def sampler_seed(loader: DataLoader) -> int | None:
    """Return the seed that orders the data, None if the sampler has none."""
    sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    return getattr(sampler, 'seed', None)


def rebuild_train_loader(runner: Runner, order_seed: int | None) -> bool:
    """Build the training data loader anew, with the runner's present seed.

    Args:
        runner: A runner that has just resumed a checkpoint.
        order_seed: The sampler's seed; None derives it as a fresh run does.

    Returns:
        False if the loader was given as an object, not as a config, and
        therefore stays as it is.
    """
    config = runner._train_dataloader
    if not isinstance(config, dict):
        return False
    config = copy.deepcopy(config)
    if order_seed is not None and isinstance(config.get('sampler'), dict):
        config['sampler']['seed'] = order_seed
    loop = runner.train_loop
    loop.dataloader = runner.build_dataloader(
        config,
        seed=runner.seed,
        diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
    )
    if hasattr(loop, 'dataloader_iterator'):
        loop.dataloader_iterator = _InfiniteDataloaderIterator(loop.dataloader)
    return True


def restore_before_next_batch(
    runner: Runner, restore: Callable[[], None]
) -> None:
    """Call ``restore`` after MMEngine's replay, before the next batch.

    Without worker processes, loading a batch draws from the generators of
    the main process, so the state of the checkpoint belongs between the
    last batch replayed and the first batch trained on. An epoch-based loop
    replays nothing and gets the state at once.
    """
    loop = runner.train_loop
    if not hasattr(loop, 'dataloader_iterator'):
        restore()
        return
    inner = loop.dataloader_iterator

    def done() -> None:
        loop.dataloader_iterator = inner
        restore()

    loop.dataloader_iterator = _Replay(inner, loop.iter, done)


class _Replay:
    """Yields ``steps`` items and calls ``done`` before the one after."""

    def __init__(
        self, inner: Iterator[Any], steps: int, done: Callable[[], None]
    ) -> None:
        self.inner = inner
        self.steps = steps
        self.done = done

    def __iter__(self) -> '_Replay':
        return self

    def __next__(self) -> Any:
        if self.steps == 0:
            self.done()
        self.steps -= 1
        return next(self.inner)


class WholeFileBackend(LocalBackend):
    """MMEngine's local backend, except that it writes whole files."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes, whole or not at all."""
        write_whole(filepath, obj)

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Write text, whole or not at all."""
        write_whole(filepath, obj.encode(encoding))


register_backend('whole_file', WholeFileBackend, force=True)


def remove_parts(folder: str | Path) -> list[Path]:
    """Remove what killed runs left half written; return what it was."""
    parts = sorted(Path(folder).glob(f'*.pth{PART}'))
    parts += sorted(Path(folder).glob(LAST_CHECKPOINT + PART))
    for part in parts:
        part.unlink(missing_ok=True)
    return parts


def is_complete(checkpoint: str | Path) -> bool:
    """Tell whether a checkpoint was written to its end.

    ``torch.save`` writes a zip file, whose table of contents comes last.
    """
    return Path(checkpoint).is_file() and zipfile.is_zipfile(checkpoint)


def last_complete_checkpoint(work_dir: str | Path) -> str | None:
    """Return the checkpoint that ``last_checkpoint`` names, if it is whole."""
    last = Path(work_dir) / LAST_CHECKPOINT
    if not last.is_file():
        return None
    path = last.read_text().strip()
    return path if is_complete(path) else None


def load_from_local(
    filename: str, map_location: Any, weights_only: bool | None = None
) -> Any:
    """Load a checkpoint file, for MMEngine; errors name the file.

    Args:
        filename: The file.
        map_location: As in ``torch.load``.
        weights_only: As there; None: torch's default.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut short, is no checkpoint, or holds objects that
            loading would have to run code for.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint not found: {filename}')
    try:
        return torch.load(
            path, map_location=map_location, weights_only=weights_only
        )
    except pickle.UnpicklingError as error:
        # Its message advises to let the file run code.
        if not is_complete(path):
            raise ValueError(_no_checkpoint(path)) from error
        found = re.search(r'GLOBAL ([\w.]+)', str(error))
        raise ValueError(
            f'{path} is not loaded: it holds '
            + (f'an object of type {found.group(1)}' if found else 'objects')
            + ', which could run code; where it comes from, save its weights '
            "alone: torch.save({'state_dict': checkpoint['state_dict']}, FILE)"
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError) as error:
        if not is_complete(path):
            raise ValueError(_no_checkpoint(path)) from error
        raise ValueError(f'{path} is not loaded: {error}') from error


def _no_checkpoint(path: Path) -> str:
    return (
        f'{path} ({path.stat().st_size} bytes) is cut short or is no '
        'checkpoint: copy or download it again; --resume takes the last '
        'complete one of a run'
    )


CheckpointLoader.register_scheme(
    prefixes='', loader=load_from_local, force=True
)


def find_unnamed_checkpoint(
    work_dir: str | Path, folder: str | Path, template: str
) -> Path | None:
    """Find the checkpoint that ``last_checkpoint`` should name and does not.

    A process may be killed after a checkpoint is complete and before
    ``last_checkpoint`` names it; that checkpoint has both a higher number
    and a later time than the one named. If none is named, or one that is
    missing or cut short, it is the complete one with the highest number.

    Args:
        work_dir: Where ``last_checkpoint`` is.
        folder: Where the checkpoints are.
        template: Their names, such as ``'iter_{}.pth'``.

    Returns:
        The checkpoint, or None if the one named is the right one or there
        is no other.
    """
    last = Path(work_dir) / LAST_CHECKPOINT
    if not last.is_file():
        named, number, written = None, -1, -1
    else:
        named = Path(last.read_text().strip())
        number, written = _number(named, template), -1
        if is_complete(named):
            written = named.stat().st_mtime_ns
        else:
            number = -1
    found = [
        (_number(path, template), path)
        for path in Path(folder).glob(template.replace('{}', '*'))
    ]
    for other, path in sorted(found, reverse=True):
        newer = other > number and path.stat().st_mtime_ns >= written
        if newer and path != named and is_complete(path):
            return path
    return None


def _number(path: Path, template: str) -> int:
    pattern = re.escape(template).replace(r'\{\}', r'(\d+)')
    match = re.fullmatch(pattern, path.name)
    return int(match.group(1)) if match else -1


def get_random_state() -> dict[str, Any]:
    """Return the state of every global generator that training draws from.

    These are ``random``, numpy's legacy generator, torch's CPU generator
    and, where there is one, that of the current CUDA device.
    """
    # The legacy generator is the one that MMCV's transforms draw from.
    legacy = np.random.get_state()  # noqa: NPY002
    name, keys, position, has_gauss, cached = legacy
    state = {
        'python': random.getstate(),
        'numpy': (
            str(name),
            [int(key) for key in keys],
            int(position),
            int(has_gauss),
            float(cached),
        ),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what :func:`get_random_state` returned.

    A CUDA state is dropped where there is no CUDA, and left as it is where
    the state came from a process without.
    """
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state['numpy']
    legacy = (name, np.array(keys, dtype=np.uint32), *rest)
    np.random.set_state(legacy)  # noqa: NPY002
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def gather_random_states(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of all ranks, in order; every rank must call it."""
    return list(all_gather_object(state))
