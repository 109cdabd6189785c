"""Runs a tool by its name: ``python -m mmseg_sparse train CONFIG ...``.

The command ``mmseg-sparse`` does the same.
"""

import ast
import runpy
import sys
from pathlib import Path

USAGE = """\
usage: python -m mmseg_sparse TOOL [ARGUMENT ...]

`python -m mmseg_sparse TOOL --help` explains a tool, and `mmseg-sparse` is
short for `python -m mmseg_sparse`. The tools are:"""
#: Heading -> folders of its tools, below tools/.
GROUPS = {
    'Data': ('dataset_converters',),
    'Train': ('.', 'model_converters'),
    'Pseudo labels': ('pseudo_labels',),
    'Look': ('analysis_tools',),
}
#: What lies in benchmarks/ of the repository and is not installed.
BENCHMARKS = (
    'benchmark_functional',
    'benchmark_gpu',
    'benchmark_simulators',
    'benchmark_step',
    'benchmark_suggest',
    'profile_step',
    'results_tables',
)


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


def list_benchmarks(root: Path) -> dict[str, Path]:
    """Return the benchmarks beside the folder of the tools, if it has any."""
    paths = (root.parent / 'benchmarks' / f'{name}.py' for name in BENCHMARKS)
    return {path.stem: path for path in paths if path.is_file()}


def summary(script: Path) -> str:
    """Return the first line of a script's docstring, without running it."""
    tree = ast.parse(script.read_text(encoding='utf-8'))
    return (ast.get_docstring(tree) or '').partition('\n')[0]


def listing(root: Path) -> str:
    """Return the names and summaries of all tools, by group."""
    tools, benchmarks = list_tools(root), list_benchmarks(root)
    groups = {
        heading: {
            name: path
            for name, path in tools.items()
            if path.parent.relative_to(root).as_posix() in folders
        }
        for heading, folders in GROUPS.items()
    }
    groups['Benchmarks'] = benchmarks
    width = max(map(len, tools | benchmarks))
    lines = [USAGE]
    for heading, scripts in groups.items():
        if scripts:
            lines += ['', f'{heading}:']
        for name, path in scripts.items():
            lines.append(f'  {name:{width}}  {summary(path)}')
    return '\n'.join(lines)


def main() -> None:
    """Run the tool named first on the command line, or list all."""
    root = tools_root()
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
        print(listing(root))
        return
    name = sys.argv[1]
    scripts = list_tools(root) | list_benchmarks(root)
    if name not in scripts:
        if name in BENCHMARKS:
            sys.exit(
                f'{name} is part of the repository of mmseg_sparse and is '
                'not installed: run it from a clone'
            )
        sys.exit(f'no tool {name!r}: choose from {", ".join(scripts)}')
    path = str(scripts[name])
    sys.argv = [path, *sys.argv[2:]]
    sys.path.insert(0, str(scripts[name].parent))
    runpy.run_path(path, run_name='__main__')


if __name__ == '__main__':
    main()
