"""Build the documentation as a web site in build/site/html.

The pages are the repository's own: README.md, docs/, the README of each
method. They are copied to one folder with the same tree, so that the links
between them hold on the site as they do in the repository. The pages of the
interface are made of the docstrings of the public names.
"""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / 'build' / 'site' / 'pages'
#: What is copied, with everything that the pages link to.
COPIED = (
    'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE',
    'constraints.txt', 'docs/*.md', 'docs/images/**/*', 'docs/logs/**/*.json',
    'configs/**/*.md', 'configs/**/*.py', 'requirements/*.txt',
)  # fmt: skip
#: The packages of the interface and their titles.
INTERFACE = {
    'functional': 'Formulas',
    'models.segmentors': 'Segmentors',
    'models.decode_heads': 'Decode heads',
    'models.losses': 'Losses',
    'models.refiners': 'Refiners',
    'models.backbones': 'Backbones',
    'datasets': 'Datasets',
    'datasets.transforms': 'Transforms',
    'evaluation': 'Metrics',
    'engine.hooks': 'Hooks',
}


def public_names(package: Path) -> list[str]:
    """Return ``__all__`` of a package, read without importing it."""
    tree = ast.parse((package / '__init__.py').read_text('utf-8'))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == '__all__'
            for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    raise ValueError(f'{package} has no __all__')


def interface_page(name: str, title: str) -> str:
    """Return the page of a package: its public names in their order."""
    package = ROOT / 'mmseg_sparse' / Path(*name.split('.'))
    lines = [f'# {title}', '', f'`mmseg_sparse.{name}`', '']
    for public in public_names(package):
        # A function may be named as the module that it is imported from.
        module = [public] if (package / f'{public}.py').is_file() else []
        path = '.'.join(['mmseg_sparse', name, *module, public])
        lines += [f'::: {path}', '']
    return '\n'.join(lines)


def copy_pages() -> None:
    """Copy the pages and make those of the interface."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for pattern in COPIED:
        for path in filter(Path.is_file, sorted(ROOT.glob(pattern))):
            target = PAGES / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (PAGES / 'api').mkdir()
    for name, title in INTERFACE.items():
        page = PAGES / 'api' / f'{name}.md'
        page.write_text(interface_page(name, title), 'utf-8')


def main() -> int:
    """Build; a broken link or a missing name is an error."""
    copy_pages()
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet']
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0:
        print(ROOT / 'build' / 'site' / 'html' / 'index.html')
    return done.returncode


if __name__ == '__main__':
    sys.exit(main())
