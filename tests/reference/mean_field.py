"""Mean field of a dense CRF, Kraehenbuehl and Koltun 2011, float64 loops."""

import math

from tests.reference.dense_crf import kernel, pairs


def weights(image, valid, *, sigma_rgb, sigma_xy, smooth_sigma, normalize):
    """Both kernels of each pair, with i = j and divided or as printed."""
    flat = 0 * image
    found = []
    for colours, rgb, xy in (
        (image, sigma_rgb, sigma_xy),
        (flat, 1.0, smooth_sigma),
    ):
        k = {(i, j): kernel(colours, i, j, rgb, xy) for i, j in pairs(valid)}
        if normalize:
            total = {}
            for (i, _), one in k.items():
                total[i] = total.get(i, 0.0) + one
            k = {
                (i, j): one / math.sqrt(total[i] * total[j])
                for (i, j), one in k.items()
            }
        else:
            k = {(i, j): one for (i, j), one in k.items() if i != j}
        found.append(k)
    return found


def mean_field(
    prob, image, valid, present, *, weight, smooth_weight, num_iters,
    min_prob, **kernels,
):  # fmt: skip
    """Algorithm 1 of one image (C, H, W) with the Potts model."""
    classes = [c for c in range(len(prob)) if present[c]]
    both = weights(image, valid, **kernels)
    pixels = [tuple(one) for one in valid.nonzero().tolist()]
    unary = {
        (i, c): -math.log(max(prob[(c, *i)].item(), min_prob))
        for i in pixels
        for c in classes
    }
    q = softmax({key: -value for key, value in unary.items()}, classes)
    for _ in range(num_iters):
        energy = dict(unary)
        for w, k in zip((weight, smooth_weight), both, strict=True):
            for (i, j), one in k.items():
                for c in classes:
                    for other in classes:
                        if other != c:
                            energy[i, c] += w * one * q[j, other]
        q = softmax({key: -value for key, value in energy.items()}, classes)
    out = prob.clone()
    for i in pixels:
        for c in range(len(prob)):
            out[(c, *i)] = q.get((i, c), 0.0)
    return out


def softmax(scores, classes):
    """Normalise the exponentials of {(pixel, class): score}."""
    total = {}
    for (i, _), score in scores.items():
        total[i] = total.get(i, 0.0) + math.exp(score)
    return {(i, c): math.exp(s) / total[i] for (i, c), s in scores.items()}
