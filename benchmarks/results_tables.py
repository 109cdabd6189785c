"""Write the results tables of the READMEs from the metafiles.

model-index.yml names the metafiles. Each has a README.md beside it, in which
the text between the two comments

    <!-- results -->
    <!-- /results -->

is replaced. A model in a metafile may have results of own runs and the numbers
printed in its paper:

    Results:
      - Task: Semantic Segmentation
        Dataset: CamVid
        Labeled Pixels (%): 4.25
        Bound: {mIoU: NAME OF A MODEL, aAcc: NAME OF A MODEL}
        Metrics: {mIoU: 53.48, aAcc: 81.46}     # the mean of the runs
        Runs:
          - {Seed: 0, mIoU: 53.48, aAcc: 81.46, Commit: 1a2b3c4, Log: PATH}
    Paper Results:
      Dataset: PASCAL VOC 2012
      Metrics: {mIoU: 79.49}
      Table: SASFormer, table 2

Bound names the fully supervised model that a metric is measured against, Log
is a file of this repository or a URL. Runs may also have the metrics of
OPTIONAL, for which a table gets a column where one of its results has them.
The IoU of each class is taken from those logs that have it.

docs/results.md is checked as well, and rewritten from docs/results/SUITE.json,
which the tool benchmark writes.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

START, END = '<!-- results -->', '<!-- /results -->'
METRICS = ('mIoU', 'aAcc')
#: Metrics that a run may have -> title of their column.
OPTIONAL = {'volume/mDice': 'mDice of volumes'}
RUN_KEYS = {'Seed', 'Commit', 'Log', *METRICS}


def load_index(root: Path) -> dict[Path, list[dict[str, Any]]]:
    """Return the models of each metafile that model-index.yml imports.

    Raises:
        FileNotFoundError: If the index or a metafile is missing.
        ValueError: If two models have the same name.
    """
    import yaml

    index = yaml.safe_load((root / 'model-index.yml').read_text('utf-8'))
    metafiles, seen = {}, set()
    for name in index['Import']:
        path = root / name
        models = yaml.safe_load(path.read_text('utf-8'))['Models']
        for model in models:
            if model['Name'] in seen:
                raise ValueError(f'{path}: {model["Name"]} is listed twice')
            seen.add(model['Name'])
        metafiles[path] = models
    return metafiles


def check_result(
    model: dict[str, Any], result: dict[str, Any], root: Path
) -> None:
    """Refuse a result that does not say where it comes from.

    Raises:
        ValueError: If a run lacks a key, its log is not there, a seed comes
            twice, or ``Metrics`` is not the mean of the runs.
    """
    name = model['Name']
    for key in ('Dataset', 'Labeled Pixels (%)', 'Metrics', 'Runs'):
        if result.get(key) in (None, '', {}, []):
            raise ValueError(f'{name}: a result needs {key!r}')
    for run in result['Runs']:
        missing = sorted(RUN_KEYS - run.keys())
        if missing:
            raise ValueError(f'{name}: a run lacks {missing}: {run}')
        log = str(run['Log'])
        if not log.startswith('https://') and not (root / log).is_file():
            raise ValueError(f'{name}: no log, no row: {log} is not there')
    seeds = [run['Seed'] for run in result['Runs']]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f'{name}: a seed comes twice: {seeds}')
    for metric in (*METRICS, *optional_of(result)):
        mean = f'{statistics.mean(values_of(result, metric)):.2f}'
        found = f'{result["Metrics"].get(metric, float("nan")):.2f}'
        if found != mean:
            raise ValueError(
                f'{name}: Metrics says {metric} {found}, its runs {mean}'
            )


def values_of(result: dict[str, Any], metric: str) -> list[float]:
    """Return the values of a metric of all runs.

    Raises:
        ValueError: If some of the runs lack it.
    """
    runs = result['Runs']
    if not all(metric in run for run in runs):
        raise ValueError(f'some runs have {metric}, others do not: {runs}')
    return [float(run[metric]) for run in runs]


def optional_of(result: dict[str, Any]) -> list[str]:
    """Return the metrics of :data:`OPTIONAL` that a result has."""
    return [m for m in OPTIONAL if any(m in run for run in result['Runs'])]


def results_of(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the model's results, which mim also takes as one dict."""
    results = model.get('Results') or []
    return [results] if isinstance(results, dict) else results


def bound_of(
    model: dict[str, Any],
    result: dict[str, Any],
    metric: str,
    models: dict[str, dict[str, Any]],
) -> str:
    """Return a metric of the fully supervised model, '–' without one.

    Raises:
        ValueError: If there is no such model or it has no result.
    """
    from mmseg_sparse.benchmark.table import spread

    name = (result.get('Bound') or {}).get(metric)
    if name is None:
        return '–'
    for other in results_of(models.get(name, {})):
        if other['Dataset'] == result['Dataset']:
            return spread(values_of(other, metric))
    raise ValueError(
        f'{model["Name"]}: the bound {name!r} of {metric} has no result on '
        f'{result["Dataset"]}'
    )


def link(model: dict[str, Any], folder: Path) -> str:
    """Return a Markdown link to the config, as seen from the README."""
    path = Path(model['Config']).relative_to(folder)
    return f'[{model["Name"]}]({path.as_posix()})'


def log_link(log: str, root: Path, folder: Path) -> str:
    """Return a Markdown link to a log, as seen from the README's folder."""
    if log.startswith('https://'):
        return f'[log]({log})'
    up = '../' * len(folder.relative_to(root).parts)
    return f'[log]({up}{log})'


def own_rows(
    models: list[dict[str, Any]],
    everything: dict[str, dict[str, Any]],
    root: Path,
    folder: Path,
    optional: list[str],
) -> list[tuple[str, ...]]:
    """Return a row for every own result, with these optional metrics."""
    from mmseg_sparse.benchmark.table import spread

    rows = []
    for model in models:
        for result in results_of(model):
            check_result(model, result, root)
            runs = result['Runs']
            commits = dict.fromkeys(str(run['Commit']) for run in runs)
            rows.append(
                (
                    link(model, folder.relative_to(root)),
                    result['Dataset'],
                    model['Metadata']['Annotation'],
                    f'{result["Labeled Pixels (%)"]} %',
                    ', '.join(str(run['Seed']) for run in runs),
                    *(spread(values_of(result, name)) for name in METRICS),
                    *(
                        spread(values_of(result, name))
                        if name in optional_of(result)
                        else '–'
                        for name in optional
                    ),
                    *(
                        bound_of(model, result, metric, everything)
                        for metric in METRICS
                    ),
                    ', '.join(commits),
                    ', '.join(
                        log_link(str(run['Log']), root, folder) for run in runs
                    ),
                )
            )
    return rows


def block(
    models: list[dict[str, Any]],
    everything: dict[str, dict[str, Any]],
    root: Path,
    folder: Path,
) -> str:
    """Return what stands between the two comments of a README."""
    from mmseg_sparse.benchmark.table import markdown_table

    lines = ['Own runs, on the validation images:', '']
    results = [result for model in models for result in results_of(model)]
    optional = [
        name for name in OPTIONAL
        if any(name in optional_of(r) for r in results if r.get('Runs'))
    ]  # fmt: skip
    rows = own_rows(models, everything, root, folder, optional)
    if rows:
        header = (
            'config', 'dataset', 'labels', 'labelled pixels', 'seeds',
            *METRICS, *(OPTIONAL[name] for name in optional),
            'bound mIoU', 'bound aAcc', 'commit', 'log',
        )  # fmt: skip
        lines += markdown_table(header, rows)
        lines += class_tables(models, root, folder)
    else:
        lines.append('No runs yet.')
    printed = [
        (
            link(model, folder.relative_to(root)),
            paper['Dataset'],
            model['Metadata']['Annotation'],
            f'{paper["Metrics"]["mIoU"]:.2f}',
            paper['Table'],
        )
        for model in models
        if (paper := model.get('Paper Results'))
    ]
    if printed:
        lines += ['', "The paper's numbers, as printed there:", '']
        header = ('config', 'dataset', 'labels', 'mIoU', 'printed in')
        lines += markdown_table(header, printed)
    return '\n'.join([START, '', *lines, '', END])


def class_tables(
    models: list[dict[str, Any]], root: Path, folder: Path
) -> list[str]:
    """Return a table of the IoU of each class for each data set."""
    from mmseg_sparse.benchmark.logs import read_log
    from mmseg_sparse.benchmark.table import markdown_table

    tables: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for model in models:
        for result in results_of(model):
            for run in result['Runs']:
                log = root / str(run['Log'])
                if not log.is_file():
                    continue
                found = {
                    key.removeprefix('IoU/').replace('_', ' '): value
                    for key, value in read_log(log).metrics.items()
                    if key.startswith('IoU/')
                }
                if found:
                    name = link(model, folder.relative_to(root))
                    row = (f'{name}, seed {run["Seed"]}', found)
                    tables.setdefault(result['Dataset'], []).append(row)
    lines = []
    for dataset, rows in tables.items():
        classes = dict.fromkeys(name for _, found in rows for name in found)
        lines += ['', f'IoU of each class on {dataset}, from the logs:', '']
        lines += markdown_table(
            ('config', *classes),
            [
                (name, *(f'{found[c]:.2f}' if c in found else '–'
                         for c in classes))
                for name, found in rows
            ],
        )  # fmt: skip
    return lines


def results_page(root: Path) -> str | None:
    """Return docs/results.md as its JSON files want it, if there is one.

    Raises:
        ValueError: If it has no block for one of them.
    """
    from mmseg_sparse.benchmark import report

    page = root / report.PAGE
    if not page.is_file():
        return None
    text = page.read_text('utf-8')
    for path in sorted((root / report.JSON).glob('*.json')):
        content = json.loads(path.read_text('utf-8'))
        marks = report.marks(content['suite'])
        text = report.replace_block(text, report.block(content), page, *marks)
    return text


def main(arguments: list[str] | None = None) -> int:
    """Write or check the tables; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='write nothing; exit with 1 if a table is out of date',
    )
    parser.add_argument(
        '--root',
        type=Path,
        default=Path(__file__).resolve().parents[1],
        help='folder of model-index.yml',
    )
    args = parser.parse_args(arguments)
    from mmseg_sparse.benchmark import report

    metafiles = load_index(args.root)
    everything = {m['Name']: m for ms in metafiles.values() for m in ms}
    pages = {}
    for metafile, models in metafiles.items():
        readme = metafile.with_name('README.md')
        new = block(models, everything, args.root, metafile.parent)
        old = readme.read_text('utf-8')
        pages[readme] = report.replace_block(old, new, readme, START, END)
    results = results_page(args.root)
    if results is not None:
        pages[args.root / report.PAGE] = results
    stale = [p for p, new in pages.items() if p.read_text('utf-8') != new]
    if not args.check:
        for page in stale:
            page.write_text(pages[page], 'utf-8')
    for readme in stale:
        state = 'is out of date' if args.check else 'written'
        print(f'{readme.relative_to(args.root)} {state}')
    return int(args.check and bool(stale))


if __name__ == '__main__':
    sys.exit(main())
