"""TRL's formulas as its paper writes them, token by token, float64."""

import math


def linear(weight, bias, x):
    """A 1×1 convolution at one place: lists of numbers."""
    return [
        sum(w * value for w, value in zip(row, x, strict=True)) + b
        for row, b in zip(weight, bias, strict=True)
    ]


def layer_norm(weight, bias, x, eps):
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return [
        w * (value - mean) / math.sqrt(variance + eps) + b
        for w, b, value in zip(weight, bias, x, strict=True)
    ]


def softmax(x):
    top = max(x)
    e = [math.exp(value - top) for value in x]
    return [value / sum(e) for value in e]


def gelu(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def attention(queries, keys, values, heads):
    """Eq. 5 without its last convolution: softmax(s q k^T) v, each head."""
    width = len(queries[0]) // heads
    s = 1 / math.sqrt(width)
    out = []
    for q in queries:
        row = []
        for head in range(heads):
            part = range(head * width, (head + 1) * width)
            p = softmax([s * sum(q[c] * k[c] for c in part) for k in keys])
            row += [
                sum(a * v[c] for a, v in zip(p, values, strict=True))
                for c in part
            ]
        out.append(row)
    return out


def subsample(weights, x, hw_shape, ratio, eps):
    """Keys' and values' source: a strided convolution, then LN.

    Outside the map there are zeros.
    """
    if ratio == 1:
        return x
    height, width = hw_shape
    kernel, bias = weights['sr_weight'], weights['sr_bias']
    out = []
    for top in range(0, height, ratio):
        for left in range(0, width, ratio):
            cell = list(bias)
            for dy in range(ratio):
                for dx in range(ratio):
                    row, column = top + dy, left + dx
                    if row >= height or column >= width:
                        continue
                    token = x[row * width + column]
                    for o, filters in enumerate(kernel):
                        cell[o] += sum(
                            filters[c][dy][dx] * token[c]
                            for c in range(len(token))
                        )
            norm = weights['sr_norm_weight'], weights['sr_norm_bias']
            out.append(layer_norm(*norm, cell, eps))
    return out


def cross_block(x_in, h_in, first, second, hw_shape, *, heads, ratio, eps):
    """Eq. 3-5 and the text after them, of one image.

    Args:
        x_in: Tokens of the image stream, H·W lists of C numbers.
        h_in: Tokens of the heat-map stream.
        first: Weights of the image stream as nested lists: ``norm1``,
            ``q``, ``k``, ``v``, ``a``, ``norm2``, ``mlp1``, ``mlp2`` as
            pairs of weight and bias; ``sr_*`` where ``ratio`` is not 1.
        second: Those of the heat-map stream.
        hw_shape: H and W.
        heads: Number of heads.
        ratio: Subsampling of keys and values, 1 in the paper.
        eps: Of the layer norms.
    """
    x = [layer_norm(*first['norm1'], token, eps) for token in x_in]
    h = [layer_norm(*second['norm1'], token, eps) for token in h_in]
    x_small = subsample(first, x, hw_shape, ratio, eps)
    h_small = subsample(second, h, hw_shape, ratio, eps)
    results = []
    for weights, own, own_small, other_small, residual in (
        (first, x, x_small, h_small, x_in),
        (second, h, h_small, x_small, h_in),
    ):
        q = [linear(*weights['q'], token) for token in own]  # eq. 3
        k = [linear(*weights['k'], token) for token in own_small]
        v = [linear(*weights['v'], token) for token in other_small]  # eq. 4
        a = [
            linear(*weights['a'], token)
            for token in attention(q, k, v, heads)  # eq. 5
        ]
        out = []
        for token, attended in zip(residual, a, strict=True):
            r = [t + u for t, u in zip(token, attended, strict=True)]
            hidden = linear(
                *weights['mlp1'], layer_norm(*weights['norm2'], r, eps)
            )
            mlp = linear(*weights['mlp2'], [gelu(value) for value in hidden])
            out.append([t + u for t, u in zip(r, mlp, strict=True)])
        results.append(out)
    return results
