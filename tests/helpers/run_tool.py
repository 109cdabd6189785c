"""Tools run in this process: as a command, each imports mmseg for seconds."""

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import NamedTuple

import pytest

from tests.helpers.shipped import REPOSITORY


class Done(NamedTuple):
    """What a command leaves behind."""

    returncode: int
    stdout: str
    stderr: str


@cache
def load_tool(name: str) -> ModuleType:
    """Import a tool, named by its path below ``tools``, without suffix."""
    path = REPOSITORY / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run a tool as from the command line."""

    def run(name: str, *arguments: object) -> Done:
        tool = load_tool(name)
        monkeypatch.setattr(sys, 'argv', [f'{tool.__name__}.py'])
        code: int | str | None = 0
        try:
            code = tool.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        if isinstance(code, str):  # as the interpreter does at its end
            code, err = 1, f'{err}{code}\n'
        return Done(code or 0, out, err)

    return run
