"""TRL's pipeline in processes that are forked, and killed.

Tools need no new interpreter, which would take most of the time.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from mmseg_sparse.__main__ import list_tools, tools_root
from mmseg_sparse.pseudo_labels.trl_configs import read_settings
from mmseg_sparse.pseudo_labels.trl_pipeline import TRLPipeline
from mmseg_sparse.utils.stages import StageError
from tests.helpers.shipped import CONFIGS, parse

TRL = CONFIGS / 'trl'
TOY = 'toy-hybrid-64x64.py'
SHIPPED = dict(
    classifier=f'stages/trl-classifier_mit-tiny_segformer_1xb8-2k_{TOY}',
    dctn1=f'stages/trl-dctn1_svt-tiny_dctn_1xb8-1k_{TOY}',
    dctn2=f'stages/trl-dctn2_svt-tiny_dctnfpn_1xb8-1k_{TOY}',
    final=f'trl_mit-tiny_segformer_1xb8-2k_{TOY}',
)


def forked(work: Callable[[], None], log: Path) -> int:
    """Do work in a forked process; return its wait status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        with open(log, 'ab', 0) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        work()
        status = 0
    except SystemExit as error:
        print(error, file=sys.stderr)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def run_here(name: str, arguments: Sequence[str]) -> None:
    """Run a tool in this process, which it changes."""
    torch.set_num_threads(1)
    script = list_tools(tools_root())[name]
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name='__main__')


def launch_in(log: Path) -> Callable[[str, Sequence[str]], None]:
    def launch(name: str, arguments: Sequence[str]) -> None:
        if forked(lambda: run_here(name, arguments), log):
            raise StageError(f'{name} failed: {log.read_text()[-3000:]}')

    return launch


def kill_after(work_dir: Path, pattern: str, count: int) -> None:
    """Kill the process group once so many files are there, whole."""
    seen = 0
    replace = os.replace

    def replacing(source: str, target: str | Path) -> None:
        nonlocal seen
        replace(source, target)
        if Path(target).is_relative_to(work_dir) and Path(target).match(
            pattern
        ):
            seen += 1
            if seen == count:
                os.killpg(0, signal.SIGKILL)

    os.replace = replacing


def run(
    config: Path, work_dir: Path, kill: tuple[str, int] | None = None
) -> None:
    """Run the pipeline in a process group, which is killed if so wished."""
    log = work_dir.with_suffix('.log')

    def work() -> None:
        os.setsid()
        if kill is not None:
            kill_after(work_dir.resolve(), *kill)
        settings = read_settings(config, str(work_dir))
        TRLPipeline(settings, launch_in(log)).stages.run()

    status = forked(work, log)
    if kill is None:
        assert status == 0, log.read_text()[-3000:]
    else:
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9
        assert killed, f'{kill}: {log.read_text()[-3000:]}'


def write_config(root: Path, name: str, data: Path) -> None:
    """Write a config: the shipped one, of four iterations."""
    cfg = parse(TRL / SHIPPED[name])
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.dataset.update(data_root=str(data), tag_file=None)
    cfg.train_cfg.update(max_iters=4, val_interval=4)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.log_level = 'WARNING'
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        if loader is not None:
            loader.dataset.data_root = str(data)
    (root / f'{name}.py').write_text(cfg.pretty_text)
