"""The base model that the demo trains on: a small U-Net and a small text encoder with fixed random weights.

The classes and attributes carry the names LyCORIS presets look for (`ResnetBlock2D`, `Transformer2DModel`,
`CLIPAttention`, …), so the keys of the LoRA it makes look like those of a real one.
"""

from __future__ import annotations

import re
import zlib

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "demo"
LATENT_CHANNELS = 3
CONTEXT_WIDTH = 64
VOCABULARY = 512
MAX_TOKENS = 16
BASE_SEED = 1000  # the base is the same in every run, whatever --seed says: it stands for a downloaded model


class Attention(nn.Module):
    """Self-attention, or cross-attention when given a context of another width."""

    def __init__(self, width: int, context_width: int | None = None, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width or width, width, bias=False)
        self.to_v = nn.Linear(context_width or width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        source = hidden if context is None else context
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q(hidden), self.to_k(source), self.to_v(source))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.to_out[0](mixed.transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)])

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.net:
            hidden = layer(hidden)
        return hidden


class BasicTransformerBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = Attention(width)
        self.attn2 = Attention(width, CONTEXT_WIDTH)
        self.ff = FeedForward(width)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        hidden = hidden + self.attn1(self.norm1(hidden))
        hidden = hidden + self.attn2(self.norm2(hidden), context)
        return hidden + self.ff(self.norm3(hidden))


class Transformer2DModel(nn.Module):
    """One transformer block over the pixels of a feature map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.proj_in = nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([BasicTransformerBlock(width)])
        self.proj_out = nn.Linear(width, width)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        flat = self.proj_in(self.norm(hidden).flatten(2).transpose(1, 2))
        for block in self.transformer_blocks:
            flat = block(flat, context)
        return hidden + self.proj_out(flat).transpose(1, 2).unflatten(2, hidden.shape[2:])


class ResnetBlock2D(nn.Module):
    def __init__(self, width_in: int, width_out: int, time_width: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, width_in)
        self.conv1 = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, width_out)
        self.norm2 = nn.GroupNorm(8, width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(width_in, width_out, 1) if width_in != width_out else nn.Identity()

    def forward(self, hidden: Tensor, time: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(hidden)))
        inner = inner + self.time_emb_proj(functional.silu(time))[:, :, None, None]
        return self.conv_shortcut(hidden) + self.conv2(functional.silu(self.norm2(inner)))


class TimeEmbedding(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, timesteps: Tensor) -> Tensor:
        half = self.linear_1.in_features // 2
        rates = torch.exp(torch.arange(half, device=timesteps.device) * (-9.2 / half))
        angles = timesteps.float()[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], dim=1).to(self.linear_1.weight.dtype)
        return self.linear_2(functional.silu(self.linear_1(waves)))


class Downsample2D(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv(hidden)


class Upsample2D(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv(functional.interpolate(hidden, scale_factor=2.0, mode="nearest"))


class Stage(nn.Module):
    """One level of the U-Net: a resnet block, attention where wanted, and a change of size where wanted."""

    def __init__(self, width_in: int, width_out: int, time_width: int, *, attend: bool, resize: str = "") -> None:
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock2D(width_in, width_out, time_width)])
        self.attentions = nn.ModuleList([Transformer2DModel(width_out)] if attend else [])
        self.downsamplers = nn.ModuleList([Downsample2D(width_out)] if resize == "down" else [])
        self.upsamplers = nn.ModuleList([Upsample2D(width_out)] if resize == "up" else [])

    def forward(self, hidden: Tensor, time: Tensor, context: Tensor) -> Tensor:
        for resnet in self.resnets:
            hidden = resnet(hidden, time)
        for attention in self.attentions:
            hidden = attention(hidden, context)
        return hidden

    def resize(self, hidden: Tensor) -> Tensor:
        for layer in (*self.downsamplers, *self.upsamplers):
            hidden = layer(hidden)
        return hidden


class UNet2DConditionModel(nn.Module):
    """Predicts the noise in a noisy picture, given the timestep and the encoded caption."""

    def __init__(self, width: int = 32, time_width: int = 96) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(LATENT_CHANNELS, width, 3, padding=1)
        self.time_embedding = TimeEmbedding(time_width)
        self.down_blocks = nn.ModuleList(
            [
                Stage(width, width, time_width, attend=False, resize="down"),
                Stage(width, 2 * width, time_width, attend=True),
            ]
        )
        self.mid_block = Stage(2 * width, 2 * width, time_width, attend=True)
        self.up_blocks = nn.ModuleList(
            [
                Stage(4 * width, 2 * width, time_width, attend=True, resize="up"),
                Stage(3 * width, width, time_width, attend=True),
            ]
        )
        self.conv_norm_out = nn.GroupNorm(8, width)
        self.conv_out = nn.Conv2d(width, LATENT_CHANNELS, 3, padding=1)
        # Near zero, so that the untrained loss starts at 1; not zero, or nothing but conv_out could learn.
        nn.init.normal_(self.conv_out.weight, std=0.01)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        time = self.time_embedding(timesteps)
        hidden = self.conv_in(noisy)
        kept = []
        for stage in self.down_blocks:
            hidden = stage(hidden, time, context)
            kept.append(hidden)
            hidden = stage.resize(hidden)
        hidden = self.mid_block(hidden, time, context)
        for stage in self.up_blocks:
            hidden = stage(torch.cat([hidden, kept.pop()], dim=1), time, context)
            hidden = stage.resize(hidden)
        return self.conv_out(functional.silu(self.conv_norm_out(hidden)))


class CLIPAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, hidden: Tensor) -> Tensor:
        mixed = functional.scaled_dot_product_attention(self.q_proj(hidden), self.k_proj(hidden), self.v_proj(hidden))
        return self.out_proj(mixed)


class CLIPMLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(hidden)))


class TextLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn, self.mlp = CLIPAttention(width), CLIPMLP(width)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.self_attn(self.layer_norm1(hidden))
        return hidden + self.mlp(self.layer_norm2(hidden))


class TextModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(VOCABULARY, CONTEXT_WIDTH)
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList([TextLayer(CONTEXT_WIDTH)])})

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embeddings(tokens)
        for layer in self.encoder["layers"]:
            hidden = layer(hidden)
        return hidden


class CLIPTextModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.text_model = TextModel()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.text_model(tokens)


def tokens_of(caption: str) -> Tensor:
    """The caption's words as numbers: a hash stands for a vocabulary, 0 fills up."""
    words = re.findall(r"\w+", caption.lower())[:MAX_TOKENS]
    numbers = [1 + zlib.crc32(word.encode()) % (VOCABULARY - 1) for word in words]
    return torch.tensor(numbers + [0] * (MAX_TOKENS - len(numbers)))


def load_base() -> tuple[CLIPTextModel, UNet2DConditionModel]:
    """The built-in base model, the same every time; the run's own random numbers are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(BASE_SEED)
        return CLIPTextModel(), UNet2DConditionModel()
