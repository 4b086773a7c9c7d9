"""Triton kernels for the blocks of a causal text transformer with few rows.

With few rows a step on a GPU is bound by reading the weights and by the number of launches. Each kernel here does what
otherwise takes two to five. No kernel uses atomic additions, so results repeat.

Letters of shapes: M rows (positions of all prompts), T positions of a prompt, P fixed positions before them, D token
width, H heads, E = D / H, I and O inputs and outputs of a product, S splits of a product's sum. Activations are in half
precision; the residual stream, its gradient, sums and statistics are in float32.

With EARLY (programmatic dependent launch, from Hopper on), a kernel starts while the one before it still runs, and reads
weights, which no kernel writes; it waits before it touches anything else.
"""

# Triton compiles this file itself: its own language is not what a type checker knows.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra import cuda

ROUND, ACTIVATE, DERIVE, PARTIAL = (tl.constexpr(i) for i in range(4))
"""What `matmul` stores: the result; its activation, and the result in `hidden`; the result times the activation's
derivative at `hidden`; float32 sums over a part of the inputs."""


@triton.jit
def matmul(
    x,
    weight,
    bias,
    hidden,
    out,
    rows,
    outputs,
    inputs,
    weight_output,
    weight_input,
    SPLIT: tl.constexpr,
    STORE: tl.constexpr,
    BIAS: tl.constexpr,
    QUICK: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    EARLY: tl.constexpr,
):
    """out [M, O] = x [M, I] times a weight with the strides `weight_output`, `weight_input`, plus bias [O].

    Each program sums SPLIT inputs; with STORE = PARTIAL, out is [S, M, O]. QUICK: OpenAI's activation, not GELU.
    """
    split, row_block = tl.program_id(1), tl.program_id(2)
    m = row_block * BM + tl.arange(0, BM)
    n = tl.program_id(0) * BN + tl.arange(0, BN)
    k = split * SPLIT + tl.arange(0, BK)
    inside = m < rows
    x_at = x + m[:, None] * inputs + k[None, :]
    w_at = weight + n[None, :] * weight_output + k[:, None] * weight_input
    total = tl.zeros((BM, BN), dtype=tl.float32)
    if BIAS:
        total += tl.load(bias + n)[None, :].to(tl.float32)
    if EARLY:
        cuda.gdc_launch_dependents()
    if SPLIT == BK:
        factors = tl.load(w_at)
        if EARLY:
            cuda.gdc_wait()
        total = tl.dot(tl.load(x_at, mask=inside[:, None], other=0.0), factors, total)
    else:
        if EARLY:
            cuda.gdc_wait()
        for start in range(0, SPLIT, BK):
            values = tl.load(x_at + start, mask=inside[:, None], other=0.0)
            factors = tl.load(w_at + start * weight_input)
            total = tl.dot(values, factors, total)
    at = m[:, None] * outputs + n[None, :]
    mask = inside[:, None]
    if STORE == PARTIAL:
        tl.store(out + split * rows * outputs + at, total, mask=mask)
    elif STORE == ACTIVATE:
        tl.store(hidden + at, total.to(hidden.dtype.element_ty), mask=mask)
        if QUICK:
            value = total / (1 + tl.exp(-1.702 * total))
        else:
            value = 0.5 * total * (1 + tl.erf(total * 0.7071067811865476))
        tl.store(out + at, value.to(out.dtype.element_ty), mask=mask)
    elif STORE == DERIVE:
        h = tl.load(hidden + at, mask=mask, other=0.0).to(tl.float32)
        if QUICK:
            gate = 1 / (1 + tl.exp(-1.702 * h))
            slope = gate * (1 + 1.702 * h * (1 - gate))
        else:
            slope = 0.5 * (1 + tl.erf(h * 0.7071067811865476)) + h * 0.3989422804014327 * tl.exp(-0.5 * h * h)
        tl.store(out + at, (total * slope).to(out.dtype.element_ty), mask=mask)
    else:
        tl.store(out + at, total.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _begin(EARLY: tl.constexpr):
    """Lets the next kernel start, and waits for the one before."""
    if EARLY:
        cuda.gdc_launch_dependents()
        cuda.gdc_wait()


@triton.jit
def add_and_norm(
    x,
    partial,
    bias,
    gamma,
    beta,
    x_out,
    normed,
    statistics,
    rows,
    width,
    eps,
    S: tl.constexpr,
    NORM: tl.constexpr,
    BD: tl.constexpr,
    EARLY: tl.constexpr,
):
    """x_out [M, D] = x plus the S parts of a branch [S, M, D] and its bias; with NORM also the layer norm of x_out.

    statistics [2, M]: mean and 1 / standard deviation. With S = 0 nothing is added, and x_out is not written.
    """
    _begin(EARLY)
    row = tl.program_id(0)
    d = tl.arange(0, BD)
    inside = d < width
    value = tl.load(x + row * width + d, mask=inside, other=0.0)
    if S > 0:
        value += tl.load(bias + d, mask=inside, other=0.0).to(tl.float32)
        for s in tl.static_range(S):
            value += tl.load(partial + (s * rows + row) * width + d, mask=inside, other=0.0)
        tl.store(x_out + row * width + d, value, mask=inside)
    if NORM:
        mean = tl.sum(value, 0) / width
        centered = tl.where(inside, value - mean, 0.0)
        scale = tl.rsqrt(tl.sum(centered * centered, 0) / width + eps)
        tl.store(statistics + row, mean)
        tl.store(statistics + rows + row, scale)
        weight = tl.load(gamma + d, mask=inside, other=0.0).to(tl.float32)
        shift = tl.load(beta + d, mask=inside, other=0.0).to(tl.float32)
        tl.store(normed + row * width + d, (centered * scale * weight + shift).to(normed.dtype.element_ty), mask=inside)


@triton.jit
def norm_backward(
    gradient,
    partial,
    x,
    statistics,
    gamma,
    out,
    out_half,
    rows,
    width,
    S: tl.constexpr,
    BD: tl.constexpr,
    EARLY: tl.constexpr,
):
    """out [M, D] = gradient plus that of the layer norm's input, from the S parts of that of its output [S, M, D].

    out_half: the same in half precision, for the next product.
    """
    _begin(EARLY)
    row = tl.program_id(0)
    d = tl.arange(0, BD)
    inside = d < width
    passed = tl.zeros((BD,), dtype=tl.float32)
    for s in tl.static_range(S):
        passed += tl.load(partial + (s * rows + row) * width + d, mask=inside, other=0.0)
    passed *= tl.load(gamma + d, mask=inside, other=0.0).to(tl.float32)
    mean, scale = tl.load(statistics + row), tl.load(statistics + rows + row)
    normed = tl.where(inside, (tl.load(x + row * width + d, mask=inside, other=0.0) - mean) * scale, 0.0)
    level, slope = tl.sum(passed, 0) / width, tl.sum(passed * normed, 0) / width
    value = tl.load(gradient + row * width + d, mask=inside, other=0.0) + scale * (passed - level - normed * slope)
    tl.store(out + row * width + d, value, mask=inside)
    tl.store(out_half + row * width + d, value.to(out_half.dtype.element_ty), mask=inside)


@triton.jit
def _probabilities(q, k, fixed_k, t, p, length, before, scale):
    """Attention of T positions to themselves, causal, and to P fixed ones: [T, T] and [T, P]."""
    own = tl.dot(q, tl.trans(k)) * scale
    own = tl.where((t[None, :] <= t[:, None]) & (t[None, :] < length), own, float("-inf"))
    fixed = tl.dot(q, tl.trans(fixed_k)) * scale
    fixed = tl.where(p[None, :] < before, fixed, float("-inf"))
    top = tl.maximum(tl.max(own, 1), tl.max(fixed, 1))[:, None]
    own, fixed = tl.exp(own - top), tl.exp(fixed - top)
    total = (tl.sum(own, 1) + tl.sum(fixed, 1))[:, None]
    return own / total, fixed / total


@triton.jit
def attend(
    qkv,
    fixed,
    out,
    length,
    before,
    heads,
    scale,
    E: tl.constexpr,
    BT: tl.constexpr,
    BP: tl.constexpr,
    EARLY: tl.constexpr,
):
    """out [R * T, D]: attention of each of R prompts, from qkv [R * T, 3 * D] and fixed keys and values [2, H, P, E]."""
    _begin(EARLY)
    prompt, head = tl.program_id(0), tl.program_id(1)
    t, e, p = tl.arange(0, BT), tl.arange(0, E), tl.arange(0, BP)
    width = heads * E
    inside = (t < length)[:, None]
    at = qkv + (prompt * length + t)[:, None] * (3 * width) + head * E + e[None, :]
    q = tl.load(at, mask=inside, other=0.0)
    k = tl.load(at + width, mask=inside, other=0.0)
    v = tl.load(at + 2 * width, mask=inside, other=0.0)
    fixed_at = fixed + (head * before + p)[:, None] * E + e[None, :]
    known = (p < before)[:, None]
    fixed_k = tl.load(fixed_at, mask=known, other=0.0)
    fixed_v = tl.load(fixed_at + heads * before * E, mask=known, other=0.0)
    own, old = _probabilities(q, k, fixed_k, t, p, length, before, scale)
    attended = tl.dot(own.to(v.dtype), v) + tl.dot(old.to(v.dtype), fixed_v)
    out_at = out + (prompt * length + t)[:, None] * width + head * E + e[None, :]
    tl.store(out_at, attended.to(out.dtype.element_ty), mask=inside)


@triton.jit
def attend_backward(
    qkv,
    fixed,
    gradient,
    out,
    length,
    before,
    heads,
    scale,
    E: tl.constexpr,
    BT: tl.constexpr,
    BP: tl.constexpr,
    EARLY: tl.constexpr,
):
    """out [R * T, 3 * D]: the gradient of `qkv`, from that of `attend`'s result [R * T, D]."""
    _begin(EARLY)
    prompt, head = tl.program_id(0), tl.program_id(1)
    t, e, p = tl.arange(0, BT), tl.arange(0, E), tl.arange(0, BP)
    width = heads * E
    inside = (t < length)[:, None]
    offset = (prompt * length + t)[:, None] * (3 * width) + head * E + e[None, :]
    q = tl.load(qkv + offset, mask=inside, other=0.0)
    k = tl.load(qkv + offset + width, mask=inside, other=0.0)
    v = tl.load(qkv + offset + 2 * width, mask=inside, other=0.0)
    fixed_at = fixed + (head * before + p)[:, None] * E + e[None, :]
    known = (p < before)[:, None]
    fixed_k = tl.load(fixed_at, mask=known, other=0.0)
    fixed_v = tl.load(fixed_at + heads * before * E, mask=known, other=0.0)
    passed = tl.load(gradient + (prompt * length + t)[:, None] * width + head * E + e[None, :], mask=inside, other=0.0)
    own, old = _probabilities(q, k, fixed_k, t, p, length, before, scale)
    own_slope, old_slope = tl.dot(passed, tl.trans(v)), tl.dot(passed, tl.trans(fixed_v))
    level = (tl.sum(own * own_slope, 1) + tl.sum(old * old_slope, 1))[:, None]
    own_slope = (own * (own_slope - level) * scale).to(q.dtype)
    old_slope = (old * (old_slope - level) * scale).to(q.dtype)
    to_q = tl.dot(own_slope, k) + tl.dot(old_slope, fixed_k)
    to_k = tl.dot(tl.trans(own_slope), q)
    to_v = tl.dot(tl.trans(own.to(q.dtype)), passed)
    tl.store(out + offset, to_q.to(out.dtype.element_ty), mask=inside)
    tl.store(out + offset + width, to_k.to(out.dtype.element_ty), mask=inside)
    tl.store(out + offset + 2 * width, to_v.to(out.dtype.element_ty), mask=inside)
