"""What the UNet's trainings share: noise schedule, losses, and attention that skips padding."""

from __future__ import annotations

import math
from typing import Any

import torch
from common import TOKENS
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention


def schedule() -> torch.Tensor:
    """Cumulative products of alphas: 1000 steps, betas linear from 0.00085 to 0.012."""
    return torch.cumprod(1 - torch.linspace(0.00085, 0.012, 1000), 0)


def spread_times(count: int) -> torch.Tensor:
    """Random times, one from each of count equal parts of the 1000, in random order."""
    parts = (torch.arange(count) + torch.rand(count)) / count
    return (1000 * parts).long().clamp(max=999)[torch.randperm(count)]


def noise_loss(error: torch.Tensor, t: torch.Tensor, ac: torch.Tensor) -> torch.Tensor:
    """Mean of squared errors [B], weighted by min(SNR, 5) / SNR.

    Source: Hang and others, Efficient Diffusion Training via Min-SNR Weighting Strategy (2023).
    """
    snr = ac[t] / (1 - ac[t])
    return (error * (5 / snr).clamp(max=1)).mean()


def variance_loss(
    v: torch.Tensor,
    noise_pred: torch.Tensor,
    noise: torch.Tensor,
    t: torch.Tensor,
    ac: torch.Tensor,
) -> torch.Tensor:
    """Divergence of the model's step from the true one; only v learns from it.

    Source: Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models (2021).
    """
    before = torch.where(t > 0, ac[(t - 1).clamp(min=0)], torch.ones(()))[:, None, None, None]
    now = ac[t][:, None, None, None]
    beta = 1 - now / before
    true_var = ((1 - before) / (1 - now) * beta).clamp(min=1e-6)
    log_true, log_beta = true_var.log(), beta.clamp(min=1e-6).log()
    log_var = (v + 1) / 2 * (log_beta - log_true) + log_true
    # Means differ by their noise term only: beta / sqrt(alpha (1 - ac)) times the error.
    shift = beta / ((1 - beta) * (1 - now)).sqrt() * (noise_pred.detach() - noise)
    kl = 0.5 * (log_var - log_true + (true_var + shift.square()) / log_var.exp() - 1)
    return kl.mean()


class ShortContext:
    """Attention over a shortened text, with the result of all 77 rows.

    Rows of padding are all alike, so the last row given stands for itself and all that are left
    out: its weight in the softmax is multiplied by their number.
    """

    def __init__(self) -> None:
        self.bias = 0.0

    def shorten(self, rows: int) -> None:
        """rows: text rows that will be given, of which the last is padding."""
        self.bias = math.log(TOKENS - rows + 1)

    def __call__(
        self, attn: Attention, hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor, **_: Any,
    ) -> torch.Tensor:  # fmt: skip
        batch, channels, height, width = hidden_states.shape
        x = attn.group_norm(hidden_states.flatten(2)).transpose(1, 2)
        rows = encoder_hidden_states.shape[1]
        key = torch.cat([attn.add_k_proj(encoder_hidden_states), attn.to_k(x)], 1)
        value = torch.cat([attn.add_v_proj(encoder_hidden_states), attn.to_v(x)], 1)

        def heads(y: torch.Tensor) -> torch.Tensor:
            return y.unflatten(2, (attn.heads, -1)).transpose(1, 2).flatten(0, 1)

        bias = x.new_zeros(key.shape[1])
        bias[rows - 1] = self.bias
        query = heads(attn.to_q(x))
        scores = torch.baddbmm(
            bias.to(query.dtype).expand(len(query), query.shape[1], -1),
            query, heads(key).transpose(1, 2), alpha=attn.scale,
        )  # fmt: skip
        out = torch.bmm(scores.softmax(-1).to(query.dtype), heads(value))
        out = out.unflatten(0, (batch, attn.heads)).transpose(1, 2).flatten(2)
        out = attn.to_out[0](out).transpose(1, 2).reshape(batch, channels, height, width)
        return out + hidden_states


def use_short_context(unet: UNet2DConditionModel) -> ShortContext:
    shared = ShortContext()
    unet.set_attn_processor(shared)
    return shared
