"""A training in a folder: its settings, its weights, whether it is done."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..utils.config_tree import step_name
from ..utils.stages import StageError
from .resume import LAST_CHECKPOINT, is_complete

#: Settings of a config that change no result.
BOOKKEEPING = ('work_dir', 'launcher', 'resume', 'log_level', 'visualizer')
#: Where a config names files of weights.
WEIGHTS = ('checkpoint', 'pretrained', 'load_from')
#: Samplers whose epochs never end.
ENDLESS = ('InfiniteSampler', 'StrongWeakSampler')


def run_tool(
    name: str, arguments: Sequence[str], *, log: Path | None = None
) -> float | None:
    """Run a tool of ours in a process of its own.

    Args:
        name: Of the tool.
        arguments: Of its command line.
        log: File to append what it says to; None: the terminal.

    Returns:
        The largest resident memory of the process, MiB; None where the
        system does not tell.

    Raises:
        StageError: If it fails.
    """
    command = [sys.executable, '-m', 'mmseg_sparse', name, *arguments]
    with ExitStack() as stack:
        out = stack.enter_context(log.open('ab')) if log else None
        # The lock of the stages is the only descriptor that can be inherited.
        process = subprocess.Popen(
            command, close_fds=False, stdout=out, stderr=out,
            stdin=subprocess.DEVNULL if log else None,
        )  # fmt: skip
        try:
            memory = _wait(process)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode:
        raise StageError(
            f'{name} {" ".join(arguments)} ended with status '
            f'{process.returncode}: see what it said '
            + (f'in {log}' if log else 'above')
        )
    return memory


def _wait(process: 'subprocess.Popen[bytes]') -> float | None:
    """Wait for a process; return its largest resident memory, MiB."""
    if not hasattr(os, 'wait4'):
        process.wait()
        return None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    return usage.ru_maxrss / unit


def settings_of(cfg: Config) -> dict[str, Any]:
    """Return the settings of a config, without those of bookkeeping."""
    return {
        key: value
        for key, value in cfg.to_dict().items()
        if key not in BOOKKEEPING
    }


def portable_settings(cfg: Config, paths: Mapping[str, Path]) -> Any:
    """Return the settings for JSON, with names in place of paths.

    Args:
        cfg: The config.
        paths: Name -> absolute path, which may change without consequence.
    """
    text = to_json(settings_of(cfg))
    for name, path in paths.items():
        text = text.replace(to_json(str(path))[1:-1], name)
    return json.loads(text)


def to_json(content: Any) -> str:
    """Return content as JSON, with the ``repr`` of what JSON cannot hold."""
    return json.dumps(content, default=repr, ensure_ascii=False)


def file_sha256(path: str | Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def weight_digests(
    cfg: Config, known: Mapping[str, str], where: str | Path
) -> dict[str, str]:
    """Return digests of the files of weights that a training begins with.

    Args:
        cfg: Its config.
        known: Digests of files that may be gone.
        where: Names the config in an error.

    Raises:
        FileNotFoundError: If a file is missing that is not known.
    """
    found: dict[str, str] = {}
    for file in dict.fromkeys(_weight_files(cfg._cfg_dict)):
        if Path(file).is_file():
            found[file] = file_sha256(file)
        elif file in known:
            found[file] = known[file]
        else:
            raise FileNotFoundError(f'{where}: weights not found: {file}')
    return found


def _weight_files(node: Any) -> Iterable[str]:
    """Yield the local files of weights that a config names."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in WEIGHTS or not isinstance(value, str):
                yield from _weight_files(value)
            elif '://' not in value:
                yield value
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _weight_files(value)


def last_checkpoint(folder: Path, cfg: Config) -> str | None:
    """Return the name of a finished training's checkpoint, if there is one."""
    last = folder / LAST_CHECKPOINT
    if not last.is_file():
        return None
    name = Path(last.read_text().strip()).name
    done = name == last_name(cfg) and is_complete(folder / name)
    return name if done else None


def last_name(cfg: Config, where: str = 'train_cfg') -> str:
    """Return the name of a finished training's checkpoint.

    Raises:
        ValueError: If the config does not say how long it trains, or counts
            epochs that never end.
    """
    train = cfg.get('train_cfg') or {}
    if train.get('max_iters'):
        return f'iter_{train["max_iters"]}.pth'
    if not train.get('max_epochs'):
        raise ValueError(
            f'{where}: expected max_iters or max_epochs, got {train}'
        )
    sampler = (cfg.get('train_dataloader') or {}).get('sampler') or {}
    if sampler.get('type') and step_name(sampler) in ENDLESS:
        raise ValueError(
            f'{where}: max_epochs={train["max_epochs"]}, but an epoch of '
            f'{step_name(sampler)} never ends: set max_iters'
        )
    return f'epoch_{train["max_epochs"]}.pth'
