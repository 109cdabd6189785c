import math

import pytest
import torch

from mmseg_sparse.functional import local_aggregate
from tests.helpers.dfr_cases import Operators
from tests.helpers.measure import kept_bytes, largest_tensor
from tests.reference import blpseg as reference

F64 = torch.float64


def make_case(n=2, classes=3, channels=5, height=5, width=8, dtype=F64):
    """Return logits, feature and known, which leaves pixels of each out."""
    logits = torch.randn(n, classes, height, width, dtype=F64) * 3
    feature = torch.randn(n, channels, height, width, dtype=F64) * 0.8
    known = torch.rand(n, height, width) < 0.6
    known[:, 0, 0], known[:, -1, -1] = True, False
    return logits.to(dtype), feature.to(dtype), known


def relative(found, wanted):
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize('given', ['both', 'feature', 'distance'])
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('classes', [1, 3, 41])
def test_equals_reference(given, masked, classes):
    """Table III and V; more classes than channels, too."""
    logits, feature, known = make_case(classes=classes)
    options = dict(
        sigma=None if given == 'feature' else 1.7,
        known=known if masked else None,
    )
    feature = None if given == 'distance' else feature
    leaves = [t.requires_grad_() for t in (logits, feature) if t is not None]
    fast = local_aggregate(logits, feature, **options)
    slow = reference.local_aggregate(logits, feature, **options)
    assert fast.dtype == F64
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-10)
    weight = torch.randn_like(fast)
    found = torch.autograd.grad(fast, leaves, weight)
    wanted = torch.autograd.grad(slow, leaves, weight)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_by_hand():
    # Two pixels, 1 apart, f = 1 and 2, sigma 2: for j = 0 the scores are
    # 1 - 0 and 2 - 1/8, for j = 1 they are 2 - 1/8 and 4 - 0. So with
    # a = e^(7/8), b = e^(17/8): y_0 = (x_0 + a x_1) / (1 + a),
    # y_1 = (x_0 + b x_1) / (1 + b).
    logits = torch.tensor([[[[10.0], [20.0]]]], dtype=F64)
    feature = torch.tensor([[[[1.0], [2.0]]]], dtype=F64)
    out = local_aggregate(logits, feature, sigma=2.0).flatten().tolist()
    a, b = math.exp(7 / 8), math.exp(17 / 8)
    wanted = [(10 + 20 * a) / (1 + a), (10 + 20 * b) / (1 + b)]
    assert out == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize('masked', [False, True])
def test_gradcheck(masked):
    logits, feature, known = make_case(height=3, width=4)
    sigma = torch.tensor(1.3, dtype=F64)
    leaves = [t.requires_grad_() for t in (logits, feature, sigma)]

    def aggregate(logits, feature, sigma):
        return local_aggregate(
            logits, feature, sigma=sigma, known=known if masked else None
        )

    assert torch.autograd.gradcheck(aggregate, leaves)


def test_a_learned_sigma_is_a_number_with_a_gradient():
    logits, feature, known = make_case()
    sigma = torch.tensor(1.7, dtype=torch.float32, requires_grad=True)
    learned = local_aggregate(logits, feature, sigma=sigma, known=known)
    number = local_aggregate(logits, feature, sigma=sigma.item(), known=known)
    torch.testing.assert_close(learned, number)
    learned.square().sum().backward()
    assert sigma.grad.dtype == torch.float32
    assert sigma.grad.abs() > 0


def test_excluded_pixels_have_no_influence_and_no_gradient():
    logits, feature, known = make_case()
    hole = ~known[:, None]
    before = local_aggregate(logits, feature, sigma=2.0, known=known)
    for value in (1e9, math.nan, math.inf):
        spoilt = logits.masked_fill(hole, value).requires_grad_()
        out = local_aggregate(spoilt, feature, sigma=2.0, known=known)
        assert torch.equal(out, before)
        out.sum().backward()
        assert torch.isfinite(spoilt.grad).all()
        assert torch.equal(spoilt.grad.abs().sum(1) > 0, known)
    # As receivers they have a feature of their own; the others do not see it.
    spoilt = feature.masked_fill(hole, 1e3)
    out = local_aggregate(logits, spoilt, sigma=2.0, known=known)
    kept = known[:, None].expand_as(out)
    assert torch.equal(out[kept], before[kept])


def test_pixels_that_receive_nothing_keep_their_logits():
    logits, feature, known = make_case(n=3)
    receiving = torch.rand(3, 5, 8) < 0.3
    receiving[2] = False
    leaves = (logits.requires_grad_(), feature.requires_grad_())
    everything = local_aggregate(logits, feature, sigma=1.7, known=known)
    wanted = torch.where(receiving[:, None], everything, logits)
    found = local_aggregate(
        logits, feature, sigma=1.7, known=known, receiving=receiving
    )
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    weight = torch.randn_like(found)
    torch.testing.assert_close(
        torch.autograd.grad(found, leaves, weight),
        torch.autograd.grad(wanted, leaves, weight),
        rtol=1e-9,
        atol=1e-9,
    )
    nobody = torch.zeros_like(receiving)
    found = local_aggregate(logits, feature, sigma=1.7, receiving=nobody)
    assert torch.equal(found, logits)
    with pytest.raises(ValueError, match=r'receiving \(3, 5, 8\) of bool'):
        local_aggregate(logits, feature, sigma=1.7, receiving=nobody.int())


def test_an_image_that_gives_nothing_stays_as_it_is():
    logits, feature, known = make_case()
    known[1] = False
    logits.requires_grad_()
    feature.requires_grad_()
    out = local_aggregate(logits, feature, sigma=2.0, known=known)
    assert torch.equal(out[1], logits[1])
    assert not torch.isclose(out[0], logits[0]).all()
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    assert torch.equal(logits.grad[1], weight[1])
    assert torch.isfinite(logits.grad).all()
    assert feature.grad[0].abs().sum() > 0
    assert (feature.grad[1] == 0).all()


def test_one_pixel_takes_its_own():
    logits, feature, _ = make_case(height=1, width=1)
    out = local_aggregate(logits, feature, sigma=2.0)
    torch.testing.assert_close(out, logits)


def test_images_do_not_meet():
    logits, feature, known = make_case(n=3)
    batch = local_aggregate(logits, feature, sigma=2.0, known=known)
    for k in range(3):
        part = slice(k, k + 1)
        one = local_aggregate(
            logits[part], feature[part], sigma=2.0, known=known[part]
        )
        torch.testing.assert_close(one, batch[part], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('classes', [4, 60])
def test_neither_pass_makes_a_matrix_of_pixels(masked, classes):
    logits, feature, known = make_case(
        1, classes, 12, 32, 48, dtype=torch.float32
    )
    logits.requires_grad_()
    feature.requires_grad_()
    known = known if masked else None

    def run():
        out = local_aggregate(logits, feature, sigma=3.0, known=known)
        out.square().sum().backward()

    pixels = 32 * 48
    assert largest_tensor(run) <= pixels * max(64, 16)
    assert logits.grad.abs().sum() > 0
    with Operators() as operators:
        run()
    fused = [name for name in operators.names if 'flash' in name]
    assert len(fused) == 2, operators.names
    kept = kept_bytes(
        lambda: local_aggregate(logits, feature, sigma=3.0, known=known)
    )
    assert kept < 4 * pixels * (5 * max(64, 16) + classes + 50)


@pytest.mark.parametrize('given', ['both', 'feature', 'distance'])
def test_float32_is_precise_on_a_large_map(given):
    """Beside the exact form; positions reach 100 / 3 of sigma."""
    logits, feature, _ = make_case(1, 21, 16, 40, 100)
    sigma = None if given == 'feature' else 3.0
    feature = None if given == 'distance' else feature
    wanted = reference.local_aggregate(logits, feature, sigma=sigma)
    narrow = None if feature is None else feature.float()
    found = local_aggregate(logits.float(), narrow, sigma=sigma)
    assert found.dtype == torch.float32
    assert relative(found, wanted) < 1e-5


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_narrow_dtypes_are_widened(dtype):
    logits, feature, known = make_case()
    exact = local_aggregate(logits, feature, sigma=2.0, known=known)
    narrow = logits.to(dtype).requires_grad_()
    out = local_aggregate(narrow, feature.to(dtype), sigma=2.0, known=known)
    assert out.dtype == torch.float32
    assert relative(out, exact) < 2e-2
    out.sum().backward()
    assert narrow.grad.dtype == dtype


def test_autocast_computes_in_float32():
    logits, feature, known = make_case(dtype=torch.float32)
    plain = local_aggregate(logits, feature, sigma=2.0, known=known)
    with torch.autocast('cpu', torch.bfloat16):
        cast = local_aggregate(logits, feature, sigma=2.0, known=known)
    assert torch.equal(cast, plain)


def test_inputs_stay_as_they_were():
    tensors = [*make_case(), torch.tensor(2.0)]
    copies = [t.clone() for t in tensors]
    logits, feature, known, sigma = tensors
    logits.requires_grad_()
    out = local_aggregate(logits, feature, sigma=sigma, known=known)
    out.sum().backward()
    assert all(map(torch.equal, tensors, copies))


@pytest.mark.cuda
def test_runs_on_cuda():
    logits, feature, known = make_case(dtype=torch.float32)
    cpu = local_aggregate(logits, feature, sigma=2.0, known=known)
    gpu = local_aggregate(
        logits.cuda(), feature.cuda(), sigma=2.0, known=known.cuda()
    )
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-5, atol=1e-5)


def test_errors_name_what_is_wrong():
    logits, feature, known = make_case()
    with pytest.raises(ValueError, match=r'logits \(N, K, H, W\), got \(2, '):
        local_aggregate(logits[:, 0], feature, sigma=2.0)
    with pytest.raises(ValueError, match=r'feature \(2, C, 5, 8\), got \(1, '):
        local_aggregate(logits, feature[:1], sigma=2.0)
    with pytest.raises(ValueError, match=r'feature \(2, C, 5, 8\), got'):
        local_aggregate(logits, feature[:, :, :4], sigma=2.0)
    with pytest.raises(ValueError, match='nothing is left to compare'):
        local_aggregate(logits, None, sigma=None)
    for sigma in (0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f'positive and .*, got {sigma}'):
            local_aggregate(logits, feature, sigma=sigma)
    with pytest.raises(ValueError, match=r'0-dim tensor, got shape \(1,\)'):
        local_aggregate(logits, feature, sigma=torch.ones(1))
    with pytest.raises(ValueError, match=r'known \(2, 5, 8\) of bool, got'):
        local_aggregate(logits, feature, sigma=2.0, known=known[:1])
    with pytest.raises(ValueError, match=r'got .* of torch\.float32'):
        local_aggregate(logits, feature, sigma=2.0, known=known.float())
