"""SASFormer, eq. 2-7, one position, one class, one key at a time."""

import math

import torch


def attention_map(query, key, scale):
    """Eq. 2 for one image and one head: M x M' nested lists."""
    rows = []
    for q in query.tolist():
        scores = [
            scale * sum(a * b for a, b in zip(q, k, strict=True))
            for k in key.tolist()
        ]
        top = max(scores)
        weights = [math.exp(score - top) for score in scores]
        rows.append([w / sum(weights) for w in weights])
    return rows


def softmax(values):
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    return [w / sum(weights) for w in weights]


def bilinear(plane, height, width):
    """Resize one H x W plane; half-pixel centres, edges clamped."""
    source_h, source_w = plane.shape

    def taps(index, size, source):
        centre = (index + 0.5) * source / size - 0.5
        centre = max(centre, 0.0)
        low = min(int(centre), source - 1)
        return low, min(low + 1, source - 1), centre - low

    out = torch.zeros(height, width, dtype=torch.float64)
    for y in range(height):
        y0, y1, fy = taps(y, height, source_h)
        for x in range(width):
            x0, x1, fx = taps(x, width, source_w)
            out[y, x] = (1 - fy) * (
                (1 - fx) * plane[y0, x0] + fx * plane[y0, x1]
            ) + fy * ((1 - fx) * plane[y1, x0] + fx * plane[y1, x1])
    return out


def probabilities(logits, hw, resize):
    """Rows of class probabilities of one image on a grid."""
    if resize == 'prob':
        logits = logits.clone()
        for y in range(logits.shape[1]):
            for x in range(logits.shape[2]):
                scores = logits[:, y, x].tolist()
                logits[:, y, x] = torch.tensor(
                    softmax(scores), dtype=logits.dtype
                )
    planes = [bilinear(plane, *hw) for plane in logits]
    finish = softmax if resize == 'logits' else list
    return [
        finish([float(plane[y, x]) for plane in planes])
        for y in range(hw[0])
        for x in range(hw[1])
    ]


def nearest(mask, hw):
    """Values of one H x W map on a grid, row by row."""
    height, width = mask.shape
    return [
        mask[y * height // hw[0], x * width // hw[1]].item()
        for y in range(hw[0])
        for x in range(hw[1])
    ]


def distance(y, p, kind):
    pairs = list(zip(y, p, strict=True))
    if kind == 'l1':
        return sum(abs(a - b) for a, b in pairs)
    if kind == 'l2':
        return sum((a - b) ** 2 for a, b in pairs)
    if kind == 'kl':
        return sum(a * math.log(a / b) for a, b in pairs)
    return -sum(a * math.log(b) for a, b in pairs)


def propagate_image(layers, image, prob_key, known):
    """Eq. 3 and 4 for one image: mean over layers and heads of A P'.

    ``layers`` are tuples (query, key, scale); keys that are not known get no
    attention, the others' weights are divided by what is left.
    """
    maps = [
        attention_map(query[image, head], key[image, head], scale)
        for query, key, scale in layers
        for head in range(query.shape[1])
    ]
    # heads are averaged within a layer, layers within a stage
    shares = [
        1 / (len(layers) * query.shape[1])
        for query, key, scale in layers
        for head in range(query.shape[1])
    ]
    rows = []
    for m in range(len(maps[0])):
        row = [0.0] * len(prob_key[0])
        for weights, share in zip(maps, shares, strict=True):
            left = sum(w for w, k in zip(weights[m], known, strict=True) if k)
            for j, weight in enumerate(weights[m]):
                if known[j]:
                    for c, value in enumerate(prob_key[j]):
                        row[c] += share * weight / left * value
        rows.append(row)
    return rows


def attention_affinity(
    logits,
    stages,
    labels,
    *,
    distance_kind='l1',
    labeled=False,
    stage_reduction='sum',
    resize='logits',
    ignore_index=255,
    valid=None,
):
    """``stages``: a list of (layers, query_hw, key_hw) a stage."""
    if valid is None:
        valid = torch.ones_like(labels, dtype=torch.bool)
    losses = []
    for layers, query_hw, key_hw in stages:
        total, count = 0.0, 0
        for image in range(logits.shape[0]):
            prob_query = probabilities(logits[image], query_hw, resize)
            prob_key = probabilities(logits[image], key_hw, resize)
            inside = nearest(valid[image], query_hw)
            known = nearest(valid[image], key_hw)
            classes = nearest(labels[image], query_hw)
            propagated = propagate_image(layers, image, prob_key, known)
            for m, row in enumerate(propagated):
                if not inside[m]:
                    continue
                if classes[m] != ignore_index and not labeled:
                    continue
                total += distance(
                    softmax(row), softmax(prob_query[m]), distance_kind
                )
                count += 1
        losses.append(total / max(count, 1))
    mean = len(losses) if stage_reduction == 'mean' else 1
    return sum(losses) / mean
