"""Vision transformers with the tensors of timm's deit_tiny_patch16_224 and deit3_small_patch16_224:
patches of 16x16, a class token, 12 blocks with the norm in front, heads of 64 channels.

drop_path, if given, is a rate and a seed: a training step draws the engine's random numbers."""

import torch
from torch import nn
from torch.nn import functional

from pytorch import philox

SIDE, CLASSES = 224, 1000  # what the originals are made for
PATCH, DEPTH, HEAD_WIDTH = 16, 12, 64
FAMILY = {"deit_tiny": (192, False), "deit3_small": (384, True)}  # width, DeiT III


def attend(q, k, v):
    scores = q @ k.transpose(2, 3) * HEAD_WIDTH**-0.5
    return scores.softmax(3) @ v


if hasattr(functional, "scaled_dot_product_attention"):  # PyTorch 2
    attend = functional.scaled_dot_product_attention


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        return self.proj(attend(q, k, v).transpose(1, 2).reshape(n, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x):
        return x * self.gamma


class Block(nn.Module):
    def __init__(self, width, scales):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width)
        self.ls1 = LayerScale(width) if scales else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)
        self.ls2 = LayerScale(width) if scales else nn.Identity()

    def forward(self, x, keep):
        x = x + keep(0) * self.ls1(self.attn(self.norm1(x)))
        return x + keep(1) * self.ls2(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, PATCH, PATCH)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    def __init__(self, width, is_deit3, channels, classes, patches):
        super().__init__()
        self.is_deit3, self.drop_path, self.steps = is_deit3, None, 0
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches + (not is_deit3), width))
        self.patch_embed = PatchEmbed(channels, width)
        self.blocks = nn.ModuleList(Block(width, is_deit3) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def tokens(self, x):
        x = self.patch_embed(x)
        token = self.cls_token.expand(len(x), -1, -1)
        if self.is_deit3:
            return torch.cat((token, x + self.pos_embed), 1)
        return torch.cat((token, x), 1) + self.pos_embed

    def keep(self, block, count):
        """Factors [n,1,1] of the block's branches."""
        if not self.training or not self.drop_path:
            return lambda which: 1
        rate, seed = self.drop_path[0] * block / (DEPTH - 1), self.drop_path[1]

        def factors(which):
            drawn = [philox.keeps_path(seed, self.steps, 2 * block + which, n, rate)
                     for n in range(count)]
            return (torch.tensor(drawn, dtype=self.cls_token.dtype) / (1 - rate))[:, None, None]

        return factors

    def forward(self, x):
        x = self.tokens(x)
        for i, block in enumerate(self.blocks):
            x = block(x, self.keep(i, len(x)))
        self.steps += self.training
        return self.head(self.norm(x)[:, 0])


def create(name, channels, classes, height=SIDE, width=SIDE):
    return VisionTransformer(*FAMILY[name], channels, classes, height // PATCH * (width // PATCH))


def more_multiply_adds(network, side):
    """Of attention, less what the engine leaves out: in the last block only the class token asks
    and goes on, because the classifier sees no other."""
    width, patches = network.norm.weight.numel(), (side // PATCH) ** 2
    tokens = patches + 1
    asking = (DEPTH - 1) * tokens + 1
    return 2 * width * tokens * asking - patches * 9 * width * width
