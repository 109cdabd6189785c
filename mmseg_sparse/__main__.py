"""Runs a tool by its name: ``python -m mmseg_sparse train CONFIG ...``."""

import ast
import runpy
import sys
from pathlib import Path

USAGE = """\
usage: python -m mmseg_sparse TOOL [ARGUMENT ...]

TOOL --help says what a tool takes. The tools are:
"""


def tools_root() -> Path:
    """Return the folder of the tools, as installed or in the repository.

    Raises:
        FileNotFoundError: If the package was installed without them.
    """
    package = Path(__file__).resolve().parent
    for root in (package / '.mim' / 'tools', package.parent / 'tools'):
        if (root / 'train.py').is_file():
            return root.resolve()
    raise FileNotFoundError(
        f'no tools beside {package}: install mmseg_sparse again'
    )


def list_tools(root: Path) -> dict[str, Path]:
    """Return the scripts below ``root`` by name, in alphabetical order."""
    scripts = sorted(root.rglob('*.py'), key=lambda path: path.stem)
    return {
        path.stem: path for path in scripts if not path.stem.startswith('_')
    }


def summary(script: Path) -> str:
    """Return the first line of a script's docstring, without running it."""
    tree = ast.parse(script.read_text(encoding='utf-8'))
    return (ast.get_docstring(tree) or '').partition('\n')[0]


def main() -> None:
    """Run the tool named first on the command line, or list all."""
    tools = list_tools(tools_root())
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
        width = max(map(len, tools))
        print(USAGE)
        for name, script in tools.items():
            print(f'  {name:{width}}  {summary(script)}')
        return
    name = sys.argv[1]
    if name not in tools:
        sys.exit(f'no tool {name!r}: choose from {", ".join(tools)}')
    script = str(tools[name])
    sys.argv = [script, *sys.argv[2:]]
    sys.path.insert(0, str(tools[name].parent))
    runpy.run_path(script, run_name='__main__')


if __name__ == '__main__':
    main()
