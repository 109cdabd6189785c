"""Small asymmetric inputs of pixel-adaptive refinement."""

import torch

from tests.helpers.dfr_cases import F64
from tests.reference import afa as reference

KERNEL = dict(dilations=(1, 3), w_rgb=0.7, w_pos=0.4, w_mix=0.2)
OPTIONS = dict(num_iters=3, **KERNEL)


def make_case(n=2, classes=4, height=7, width=10, dtype=F64):
    prob = (torch.randn(n, classes, height, width, dtype=F64) * 2).softmax(1)
    image = torch.randn(n, 3, height, width, dtype=F64)
    image[:, 1] *= 40
    return prob.to(dtype), image.to(dtype)


def slow(prob, image, **options):
    return torch.stack(
        [
            reference.pixel_adaptive_refine(p, i, **options)
            for p, i in zip(prob, image, strict=True)
        ]
    )


def close(found, wanted, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)
