"""The dense CRF energy of Tang et al., pair by pair, float64."""

import itertools
import math


def kernel(image, i, j, sigma_rgb, sigma_xy):
    """W of a pair of pixels (y, x) in (3, H, W)."""
    shade = sum(
        (channel[i] - channel[j]).item() ** 2 / sigma_rgb**2
        for channel in image
    )
    place = ((i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2) / sigma_xy**2
    return math.exp(-(shade + place) / 2)


def pairs(valid):
    """All pairs (i, j) of valid pixels of one image, i = j as well."""
    places = itertools.product(*map(range, valid.shape))
    inside = [place for place in places if valid[place]]
    return itertools.product(inside, repeat=2)


def dense_crf_energy(prob, image, *, sigma_rgb, sigma_xy, gate, valid):
    """Mean over images of the sum of g_i W_ij S_ik (1 - S_jk)."""
    total = 0.0
    for p, colours, g, inside in zip(prob, image, gate, valid, strict=True):
        for i, j in pairs(inside):
            weight = kernel(colours, i, j, sigma_rgb, sigma_xy)
            for s in p:
                total += (g[i] * weight * s[i] * (1 - s[j])).item()
    return total / len(prob)


def one_sided_gradient(prob, image, *, sigma_rgb, sigma_xy, gate, valid):
    """Minus 2 g_i W_ij S_jk, summed over j, over the number of images."""
    gradient = prob.new_zeros(prob.shape)
    for n in range(len(prob)):
        for i, j in pairs(valid[n]):
            weight = kernel(image[n], i, j, sigma_rgb, sigma_xy)
            push = -2 * gate[n][i] * weight * prob[(n, slice(None), *j)]
            gradient[(n, slice(None), *i)] += push / len(prob)
    return gradient
