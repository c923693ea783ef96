"""Why ops of torch have no rule: which of MXNet 1.9.1's ops were tried, and where they fall short.

The hints of refusals and docs/operators.md say it in these words.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

WAY_OUT = "write it with other ops, convert the part before it (--tap), or give a rule for it (--plugin)"
_SIGNS = (
    "the signs of the vectors are LAPACK's choice: linalg.syevd and linalg.gelqf give others than torch's "
    "routine (the values alone convert: svdvals, eigvalsh)"
)
_SPECIAL = (
    "of special functions MXNet has erf, erfinv, gamma and gammaln; a series of these and of arithmetic is "
    "as long as its argument is large, and a symbol has one length"
)
_DEGREE = (
    "the recurrence has as many steps as the largest degree, which must be known: a constant, or a number; "
    "MXNet's symbols have no loop over values (contrib.while_loop needs a bound, and gives padded outputs)"
)
_BITS = "the bits of a float: MXNet casts values and has no op that reads their bits"
_SIZE = (
    "a size that hangs on the values: contrib.boolean_mask gives one, but no shape is inferred behind it, "
    "and mx.mod.Module does not bind it"
)
_GROUPS: dict[str, str] = {
    "svd linalg_svd linalg_eigh eigh symeig": _SIGNS,
    "linalg_eig linalg_eigvals eig": "complex results, which MXNet lacks",
    "linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve": (
        "linalg.potrf factors positive definite matrices, linalg.gelqf by reflections; LAPACK's sytrf "
        "chooses pivots of one or two rows by the values"
    ),
    "igamma igammac special_gammainc special_gammaincc special_zeta special_i0e special_i1 special_i1e i0 "
    "special_erfcx special_ndtri special_log_ndtr special_airy_ai special_bessel_j0 special_bessel_j1 "
    "special_bessel_y0 special_bessel_y1 special_modified_bessel_i0 special_modified_bessel_i1 "
    "special_modified_bessel_k0 special_modified_bessel_k1 special_scaled_modified_bessel_k0 "
    "special_scaled_modified_bessel_k1 special_spherical_bessel_j0": _SPECIAL,
    "special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v "
    "special_chebyshev_polynomial_w special_shifted_chebyshev_polynomial_t "
    "special_shifted_chebyshev_polynomial_u special_shifted_chebyshev_polynomial_v "
    "special_shifted_chebyshev_polynomial_w special_hermite_polynomial_h special_hermite_polynomial_he "
    "special_laguerre_polynomial_l special_legendre_polynomial_p": _DEGREE,
    "nextafter hash_tensor": _BITS,
    "as_strided_scatter": (
        "a write to addresses: MXNet's scatter_nd and contrib.index_copy write to places along axes, and "
        "slices of overlapping windows have no order"
    ),
    "unique unique_consecutive nonzero argwhere masked_select bincount": _SIZE,
    "stft istft fft_fft fft_ifft fft_rfft": (
        "complex numbers, which MXNet lacks; contrib.fft runs on GPUs only, and keeps the parts side by side"
    ),
    "geqrf linalg_lu lu linalg_lu_factor linalg_lu_factor_ex": (
        "linalg.det and linalg.inverse factor inside and give no factors; without pivots, or empty, it is "
        "not written with other ops either"
    ),
    "_upsample_bilinear2d_aa": (
        "contrib.BilinearResize2D takes sizes or scales, not scales that contradict the sizes; write it with "
        "F.interpolate(antialias=True)"
    ),
}


@functools.cache
def reasons() -> Mapping[str, str]:
    """The reason for each op, by its canonical name."""
    return {name: reason for names, reason in _GROUPS.items() for name in names.split()}


def way_out(op: str) -> str:
    """The hint of a refused op without a rule."""
    reason = reasons().get(op)
    return f"{reason}; {WAY_OUT}" if reason else WAY_OUT


RANDOM = frozenset(
    [
        "rand",
        "randn",
        "randint",
        "rand_like",
        "randn_like",
        "randint_like",
        "randperm",
        "bernoulli",
        "multinomial",
        "normal",
        "poisson",
        "uniform",
        "cauchy",
        "exponential",
        "geometric",
        "log_normal",
        "random",
        "gumbel_softmax",
        "fractional_max_pool2d",
        "fractional_max_pool2d_with_indices",
        "fractional_max_pool3d",
        "fractional_max_pool3d_with_indices",
        "svd_lowrank",
        "pca_lowrank",
    ]
)
