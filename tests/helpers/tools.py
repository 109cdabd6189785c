"""The tools and benchmarks, called in this process or run as a command."""

import importlib.util
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mmseg_sparse.__main__ import list_benchmarks, list_tools

from .shipped import REPOSITORY

TOOLS = REPOSITORY / 'tools'
SCRIPTS = list_tools(TOOLS) | list_benchmarks(TOOLS)
Done = subprocess.CompletedProcess[str]


@cache
def load(name: str) -> ModuleType:
    """Import a tool by its name, once."""
    script = SCRIPTS.get(name, TOOLS / f'{name}.py')
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and processes look their module up.
    sys.modules[name] = module
    for folder in (TOOLS, script.parent):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    spec.loader.exec_module(module)
    return module


def call(name: str, *arguments: object, cwd: Path, check: bool = True) -> Done:
    """Call a tool's ``main`` in this process: starting one takes seconds."""
    argv = [str(part) for part in arguments]
    out, err, status = StringIO(), StringIO(), 0
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        main = load(name).main
        patch.chdir(cwd)
        patch.setattr(sys, 'argv', [str(SCRIPTS[name]), *argv])
        with redirect_stdout(out), redirect_stderr(err):
            try:
                status = main(argv) or 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
                if isinstance(end.code, str):
                    print(end.code, file=err)
            finally:
                torch.set_num_threads(threads)
    return _checked([name, *argv], status, out.getvalue(), err.getvalue(),
                    check=check)  # fmt: skip


def run(
    name: str,
    *arguments: object,
    cwd: Path,
    check: bool = True,
    python: tuple[str, ...] = (sys.executable,),
) -> Done:
    """Run a tool as a command."""
    argv = [str(part) for part in arguments]
    done = subprocess.run(
        [*python, str(SCRIPTS[name]), *argv],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=300,
    )
    return _checked(
        [name, *argv], done.returncode, done.stdout, done.stderr, check=check
    )


def _checked(
    argv: list[str], status: int, out: str, err: str, *, check: bool
) -> Done:
    if check and status != 0:
        raise AssertionError(f'{argv} ended with {status}: {err[-6000:]}')
    return subprocess.CompletedProcess(argv, status, out, err)
