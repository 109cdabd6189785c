"""BLPSeg as its paper writes it: dense matrices and loops, float64."""

import math

import torch


def similarity(feature, positions, sigma, known):
    """A of eq. 4, N x N for one image, with eq. 5; i runs over rows.

    Args:
        feature: f, D x N, or None: without P_low.
        positions: s, N x 2.
        sigma: None: without P_dis.
        known: Bool N, the pixels i (and k) that take part.
    """
    count = len(positions)
    p_low = torch.ones(count, count, dtype=torch.float64)
    if feature is not None:
        scores = feature.T @ feature
        scores = scores - scores.max(0).values  # of numerator and sum alike
        p_low = scores.exp() / scores.exp().sum(0)
    p_dis = torch.ones(count, count, dtype=torch.float64)
    if sigma is not None:
        apart = positions[:, None] - positions[None, :]
        p_dis = torch.exp(-apart.square().sum(-1) / (2 * sigma**2))
    both = p_low * p_dis * known[:, None]
    return both / both.sum(0)


def local_aggregate(logits, feature, *, sigma, known=None):
    """Eq. 3-5, image by image; an image that nothing is taken from stays."""
    n, _, height, width = logits.shape
    positions = torch.tensor(
        [[y, x] for y in range(height) for x in range(width)],
        dtype=torch.float64,
    )
    out = []
    for image in range(n):
        x_in = logits[image].flatten(1)
        f = None if feature is None else feature[image].flatten(1)
        taking = torch.ones(height * width, dtype=torch.bool)
        if known is not None:
            taking = known[image].flatten()
        x_out = x_in
        if taking.any():
            x_out = x_in @ similarity(f, positions, sigma, taking)
        out.append(x_out.view(logits.shape[1:]))
    return torch.stack(out)


def low_level_feature(image, weight, bias, scale, shift, *, eps=1e-5):
    """f of section III-B: a strided convolution and layer normalisation.

    Args:
        image: N x 3 x H x W, multiples of the stride.
        weight: D x 3 x stride x stride, with bias D.
        scale: D, of the layer normalisation, with shift D.
    """
    n, _, height, width = image.shape
    channels, _, stride, _ = weight.shape
    out = torch.zeros(
        n, channels, height // stride, width // stride, dtype=torch.float64
    )
    for i in range(n):
        for y in range(height // stride):
            for x in range(width // stride):
                rows = slice(y * stride, y * stride + stride)
                columns = slice(x * stride, x * stride + stride)
                patch = image[i, :, rows, columns]
                f = [
                    float((weight[d] * patch).sum() + bias[d])
                    for d in range(channels)
                ]
                mean = sum(f) / channels
                var = sum((v - mean) ** 2 for v in f) / channels
                for d in range(channels):
                    norm = (f[d] - mean) / math.sqrt(var + eps)
                    out[i, d, y, x] = norm * scale[d] + shift[d]
    return out


def softmax(scores):
    top = max(scores)
    total = sum(math.exp(s - top) for s in scores)
    return [math.exp(s - top) / total for s in scores]


def prob_of(maps, image, y, x):
    """Probabilities of one pixel from scores N x C x H x W."""
    return softmax(maps[image, :, y, x].tolist())


def annotation_loss(
    scribble_logits, labels, valid, *, empty_weight, ignore_index=255
):
    """Eq. 1-2 over the valid pixels of a batch."""
    n, classes, height, width = scribble_logits.shape
    total, count = 0.0, 0
    for image in range(n):
        for y in range(height):
            for x in range(width):
                if not valid[image, y, x]:
                    continue
                count += 1
                p = prob_of(scribble_logits, image, y, x)
                label = int(labels[image, y, x])
                if label == ignore_index:
                    total -= empty_weight * math.log(p[classes - 1])
                else:
                    total -= math.log(p[label])
    return total / max(count, 1)


def blp_loss(
    logits,
    scribble_logits,
    labels,
    *,
    gamma,
    normalizer,
    ignore_index=255,
):
    """Eq. 9-11, mean over the images; None for p_scrib: it is 1."""
    n, _, height, width = logits.shape
    losses = []
    for image in range(n):
        total, counts, weights = 0.0, 0, 0.0
        for y in range(height):
            for x in range(width):
                c = int(labels[image, y, x])
                if c == ignore_index:
                    continue
                p_seg = prob_of(logits, image, y, x)[c]
                p_scrib = 1.0
                if scribble_logits is not None:
                    p_scrib = prob_of(scribble_logits, image, y, x)[c]
                delta = (1 - p_scrib * p_seg) ** gamma
                total -= delta * math.log(p_seg)
                counts += 1
                weights += delta
        divisor = {'labels': counts, 'weights': weights}[normalizer]
        losses.append(total / divisor if counts else 0.0)
    return sum(losses) / n


def self_training_labels(
    logits,
    labels,
    *,
    confidence,
    candidates=None,
    present=None,
    valid=None,
    ignore_index=255,
):
    """Section IV-B and the release, one pixel at a time.

    ``confidence`` is a pair: the mean probability of a class's own pixels is
    its threshold, between the two.
    """
    n, classes, height, width = logits.shape
    best = {}
    for image in range(n):
        shown = set(labels[image].unique().tolist()) - {ignore_index}
        if present is not None:
            shown = {c for c in range(classes) if present[image, c]}
        for y in range(height):
            for x in range(width):
                place = (image, y, x)
                if (
                    not shown
                    or labels[place] != ignore_index
                    or (valid is not None and not valid[place])
                    or (candidates is not None and not candidates[place])
                ):
                    continue
                p = prob_of(logits, image, y, x)
                c = max(shown, key=lambda c: p[c])
                best[place] = (c, p[c])
    threshold = {}
    for c in range(classes):
        found = [p for k, p in best.values() if k == c]
        mean = sum(found) / len(found) if found else 0.0
        threshold[c] = min(max(mean, confidence[0]), confidence[1])
    out = labels.clone()
    for place, (c, p) in best.items():
        if p >= threshold[c]:
            out[place] = c
    return out
