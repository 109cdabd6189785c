"""The doctor's report, as text and as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..labels.boundary_distance import BINS
from ..labels.label_map import NO_LABEL
from .examine import Examination
from .findings import SEVERITIES, Finding, percent
from .mask_rules import class_name

#: Increased whenever the form of the JSON changes.
VERSION = 1


def report_dict(
    found: Examination, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return the report as it goes into ``report.json``."""
    data, agreement = found.data, found.agreement
    means = agreement.mean_distance()
    kinds = Counter(item.supervision or 'unknown' for item in data.items)
    return {
        'version': VERSION,
        'tool': 'check_labels',
        'title': data.title,
        'split': data.split,
        'images': len(data.items),
        'label_files': len(found.usable),
        'images_without_label': sum(not f.labeled for f in found.usable),
        'supervision': dict(sorted(kinds.items())),
        'pixels': int(found.pixels.sum()),
        'labeled_pixels': int(found.pixels.sum() - found.pixels[NO_LABEL]),
        'labeled_share': found.labeled_share,
        'values': {
            str(v): int(found.raw[v]) for v in np.flatnonzero(found.raw)
        },
        'classes': class_rows(found),
        'dense': None if not agreement.images else {
            'folder': data.dense,
            'images': agreement.images,
            'compared': agreement.compared,
            'wrong': agreement.disagreeing,
            'on_void': agreement.on_void,
        },
        'position': None if means is None else {
            'bin_edges': [round(k / BINS, 4) for k in range(BINS + 1)],
            'labeled': agreement.labeled.tolist(),
            'all': agreement.every.tolist(),
            'mean_labeled': means[0],
            'mean_all': means[1],
        },
        **{
            f'{kind}s': sum(f.severity == kind for f in findings)
            for kind in SEVERITIES
        },
        'findings': [
            {
                'code': f.code,
                'severity': f.severity,
                'message': f.message,
                'mend': f.mend,
                'count': f.count,
                'files': [
                    {'file': file, 'detail': text} for file, text in f.files
                ],
            }
            for f in findings
        ],
    }  # fmt: skip


def class_rows(found: Examination) -> list[dict[str, Any]]:
    """Return what was found of each class, in order of the indices.

    Where the classes are not known, those are shown that occur.
    """
    names = found.data.classes
    number = len(names)
    if not names:
        present = np.flatnonzero(found.pixels[:NO_LABEL])
        number = int(present[-1]) + 1 if len(present) else 0
    labeled = int(found.pixels.sum() - found.pixels[NO_LABEL])
    confusion = found.agreement.confusion
    rows = []
    for index in range(number):
        pixels = int(found.pixels[index])
        row: dict[str, Any] = {
            'index': index,
            'name': class_name(names, index),
            'images': int(found.images[index]),
            'pixels': pixels,
            'share': pixels / labeled if labeled else 0.0,
        }
        if found.agreement.images:
            compared = int(confusion[index].sum())
            wrong = compared - int(confusion[index, index])
            row['compared'] = compared
            row['wrong'] = wrong
            row['wrong_share'] = wrong / compared if compared else None
            row['mean_distance'] = _means(found, index)
        rows.append(row)
    return rows


def _means(found: Examination, index: int) -> dict[str, float | None]:
    sums = found.agreement.sums[:, index]
    numbers = found.agreement.numbers[:, index]
    return {
        key: float(s / n) if n else None
        for key, s, n in zip(('labeled', 'all'), sums, numbers, strict=True)
    }


def verdict(report: dict[str, Any]) -> str:
    """Return the number of findings of each severity, in words."""
    parts = []
    for kind in SEVERITIES:
        number = report[f'{kind}s']
        parts.append(f'{number} {kind}{"" if number == 1 else "s"}')
    return ', '.join(parts)


def summary(report: dict[str, Any]) -> list[str]:
    """Return the lines below the title."""
    lines = [
        f'{report["images"]} images, {report["label_files"]} readable label '
        f'files; {percent(report["labeled_share"])} of their pixels '
        'labelled; labels: '
        + ', '.join(f'{n} {k}' for k, n in report['supervision'].items())
    ]
    if report['dense']:
        dense = report['dense']
        lines.append(
            f'compared with the dense masks in {dense["folder"]}: '
            f'{dense["images"]} images, {dense["compared"]} labelled pixels, '
            f'{dense["wrong"]} of another class'
        )
    return lines


def report_text(report: dict[str, Any]) -> str:
    """Return the report as it is printed."""
    lines = [f'{report["title"]} ({report["split"]})', *summary(report)]
    lines += ['', *_table(report), '', f'Findings: {verdict(report)}']
    for finding in report['findings']:
        lines += ['', *_finding(finding)]
    return '\n'.join(lines) + '\n'


def _table(report: dict[str, Any]) -> list[str]:
    rows = report['classes']
    if not rows:
        return ['no class was found']
    width = max(5, *(len(row['name']) for row in rows))
    head = (
        f'{"":>4} {"class":{width}} {"images":>7} {"pixels":>12} {"share":>8}'
    )
    if report['dense']:
        head += f' {"wrong":>8} {"distance":>9} {"all":>5}'
    lines = [head]
    for row in rows:
        line = (
            f'{row["index"]:>4} {row["name"]:{width}} {row["images"]:>7} '
            f'{row["pixels"]:>12,} {percent(row["share"]):>8}'
        )
        if report['dense']:
            means = row['mean_distance']
            line += (
                f' {percent(row["wrong_share"]):>8}'
                f' {_number(means["labeled"]):>9} {_number(means["all"]):>5}'
            )
        lines.append(line)
    lines.append('pixels: labelled pixels; share: of all labelled pixels')
    if report['dense']:
        lines.append(
            'wrong: share of labels that the dense mask contradicts; distance '
            'and all: mean relative distance to the boundary, 0..1, of the '
            'labelled and of all pixels of the class'
        )
    return lines


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'


def _finding(finding: dict[str, Any]) -> list[str]:
    head = f'{finding["severity"]}: {finding["message"]}'
    if finding['count'] > 1 or finding['files']:
        head += f' [{finding["code"]}, {finding["count"]}]'
    else:
        head += f' [{finding["code"]}]'
    lines = [head]
    for item in finding['files']:
        detail = f': {item["detail"]}' if item['detail'] else ''
        lines.append(f'    {item["file"]}{detail}')
    more = finding['count'] - len(finding['files'])
    if finding['files'] and more > 0:
        lines.append(f'    and {more} more')
    lines.append(f'  to correct it: {finding["mend"]}')
    return lines
