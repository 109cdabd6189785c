"""Write the results tables of the READMEs from the metafiles.

model-index.yml names the metafiles; beside each lies a README.md, whose text
between the two comments

    <!-- results -->
    <!-- /results -->

is rewritten. A model of a metafile may have own results and the numbers that
its paper prints:

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
is a file of this repository or a URL.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

START, END = '<!-- results -->', '<!-- /results -->'
METRICS = ('mIoU', 'aAcc')
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
    for metric in METRICS:
        mean = f'{mean_of(result, metric):.2f}'
        found = f'{result["Metrics"].get(metric, float("nan")):.2f}'
        if found != mean:
            raise ValueError(
                f'{name}: Metrics says {metric} {found}, its runs {mean}'
            )


def mean_of(result: dict[str, Any], metric: str) -> float:
    """Return the mean of a metric over the runs."""
    return statistics.mean(run[metric] for run in result['Runs'])


def spread(result: dict[str, Any], metric: str) -> str:
    """Return the mean, with the standard deviation of several runs."""
    text = f'{mean_of(result, metric):.2f}'
    values = [run[metric] for run in result['Runs']]
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2f}'
    return text


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
    name = (result.get('Bound') or {}).get(metric)
    if name is None:
        return '–'
    for other in results_of(models.get(name, {})):
        if other['Dataset'] == result['Dataset']:
            return spread(other, metric)
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


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ('---',) * len(header), *rows]
    return ['| ' + ' | '.join(line) + ' |' for line in lines]


def own_rows(
    models: list[dict[str, Any]],
    everything: dict[str, dict[str, Any]],
    root: Path,
    folder: Path,
) -> list[tuple[str, ...]]:
    """Return a row for every own result."""
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
                    *(spread(result, metric) for metric in METRICS),
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
    lines = ['Own runs, on the validation images:', '']
    rows = own_rows(models, everything, root, folder)
    if rows:
        header = (
            'config', 'dataset', 'labels', 'labelled pixels', 'seeds',
            'mIoU', 'aAcc', 'bound mIoU', 'bound aAcc', 'commit', 'log',
        )  # fmt: skip
        lines += table(header, rows)
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
        lines += table(header, printed)
    return '\n'.join([START, '', *lines, '', END])


def rewrite(text: str, new: str, path: Path) -> str:
    """Return the README with its block replaced.

    Raises:
        ValueError: If the two comments are not there once each, in order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in before + after:
        raise ValueError(f'{path} needs {START} and {END}, once each')
    return before + new + after


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
    metafiles = load_index(args.root)
    everything = {m['Name']: m for ms in metafiles.values() for m in ms}
    stale = []
    for metafile, models in metafiles.items():
        readme = metafile.with_name('README.md')
        old = readme.read_text('utf-8')
        new = block(models, everything, args.root, metafile.parent)
        new = rewrite(old, new, readme)
        if new != old:
            stale.append(readme)
            if not args.check:
                readme.write_text(new, 'utf-8')
    for readme in stale:
        state = 'is out of date' if args.check else 'written'
        print(f'{readme.relative_to(args.root)} {state}')
    return int(args.check and bool(stale))


if __name__ == '__main__':
    sys.exit(main())
