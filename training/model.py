"""Whisper in plain PyTorch, parameter names as in transformers' WhisperForConditionalGeneration."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def sinusoids(length, channels, max_timescale=10000):
    inc = math.log(max_timescale) / (channels // 2 - 1)
    inv = torch.exp(-inc * torch.arange(channels // 2).float())
    t = torch.arange(length).float()[:, None] * inv[None]
    return torch.cat([t.sin(), t.cos()], 1)


class AttendInBfloat16(torch.autograd.Function):
    """Attention whose backward pass multiplies a head at a time; PyTorch's takes 1.3 to 2.4 times as long on a CPU with AMX."""

    @staticmethod
    def forward(ctx, q, k, v):
        ctx.save_for_backward(q, k, v)
        return F.scaled_dot_product_attention(q, k, v)

    @staticmethod
    def backward(ctx, upstream):
        q, k, v = (tensor.flatten(0, 1) for tensor in ctx.saved_tensors)
        upstream = upstream.flatten(0, 1)
        scaled = q * q.shape[-1] ** -0.5
        of_q, of_k, of_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        weights = torch.empty(q.shape[1], k.shape[1], dtype=q.dtype)
        scratch, slope = torch.empty_like(weights), torch.empty_like(weights)
        for i in range(len(q)):
            torch.softmax(torch.mm(scaled[i], k[i].T, out=scratch), -1, out=weights)
            torch.mm(weights.T, upstream[i], out=of_v[i])
            torch.mm(upstream[i], v[i].T, out=scratch)
            torch._softmax_backward_data(scratch, weights, -1, weights.dtype, grad_input=slope)
            torch.mm(slope, k[i], out=of_q[i])
            torch.mm(slope.T, scaled[i], out=of_k[i])
        of_q *= q.shape[-1] ** -0.5
        batch, heads = ctx.saved_tensors[0].shape[:2]
        return tuple(tensor.unflatten(0, (batch, heads)) for tensor in (of_q, of_k, of_v))


def attend(q, k, v):
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and torch.is_grad_enabled():
        return AttendInBfloat16.apply(q, k, v)
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.q_proj, self.k_proj = nn.Linear(d, d), nn.Linear(d, d, bias=False)
        self.v_proj, self.out_proj = nn.Linear(d, d), nn.Linear(d, d)

    def split(self, x):
        b, t, d = x.shape
        return x.view(b, t, self.h, d // self.h).transpose(1, 2)

    def forward(self, x, causal=False):
        w = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        bias = torch.cat([self.q_proj.bias, torch.zeros_like(self.q_proj.bias), self.v_proj.bias])
        q, k, v = (self.split(y) for y in F.linear(x, w, bias).chunk(3, -1))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True) if causal else attend(q, k, v)
        return self.out_proj(o.transpose(1, 2).flatten(2))

    def cross(self, x, mem, want_weights):
        q = self.split(self.q_proj(x))
        w = torch.cat([self.k_proj.weight, self.v_proj.weight])
        bias = torch.cat([torch.zeros_like(self.v_proj.bias), self.v_proj.bias])
        k, v = (self.split(y) for y in F.linear(mem, w, bias).chunk(2, -1))
        if not want_weights:
            return self.out_proj(attend(q, k, v).transpose(1, 2).flatten(2)), None
        a = (q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5)).softmax(-1)
        return self.out_proj((a @ v).transpose(1, 2).flatten(2)), a


class EncoderLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(d, h), nn.LayerNorm(d)
        self.fc1, self.fc2, self.final_layer_norm = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.LayerNorm(d)

    def forward(self, x):
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class DecoderLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(d, h), nn.LayerNorm(d)
        self.encoder_attn, self.encoder_attn_layer_norm = Attention(d, h), nn.LayerNorm(d)
        self.fc1, self.fc2, self.final_layer_norm = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.LayerNorm(d)

    def forward(self, x, mem, want_weights):
        x = x + self.self_attn(self.self_attn_layer_norm(x), causal=True)
        c, a = self.encoder_attn.cross(self.encoder_attn_layer_norm(x), mem, want_weights)
        x = x + c
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), a


class Encoder(nn.Module):
    def __init__(self, d, h, n, n_mels=80):
        super().__init__()
        self.conv1 = nn.Conv1d(n_mels, d, 3, padding=1)
        self.conv2 = nn.Conv1d(d, d, 3, stride=2, padding=1)
        self.register_buffer("pos", sinusoids(1500, d))
        self.layers = nn.ModuleList(EncoderLayer(d, h) for _ in range(n))
        self.layer_norm = nn.LayerNorm(d)

    def forward(self, mel, offset=None):
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        t = x.shape[1]
        if offset is None:
            x = x + self.pos[:t]
        else:
            x = x + self.pos[offset[:, None] + torch.arange(t, device=x.device)[None]]
        for layer in self.layers:
            x = layer(x)
        return self.layer_norm(x)


class Decoder(nn.Module):
    def __init__(self, d, h, n, rows):
        super().__init__()
        self.embed_tokens = nn.Embedding(rows, d)
        self.embed_positions = nn.Embedding(448, d)
        self.layers = nn.ModuleList(DecoderLayer(d, h) for _ in range(n))
        self.layer_norm = nn.LayerNorm(d)

    def forward(self, tokens, mem, pos, weights_from=()):
        x = self.embed_tokens(tokens) + self.embed_positions(pos)
        att = {}
        for i, layer in enumerate(self.layers):
            x, a = layer(x, mem, i in weights_from)
            if a is not None:
                att[i] = a
        return self.layer_norm(x), att


class Whisper(nn.Module):
    def __init__(self, d=192, heads=3, enc=4, dec=3, rows=3000, n_phones=64, ts_row=None, unused_row=None, n_unused=0):
        super().__init__()
        self.cfg = dict(
            d=d,
            heads=heads,
            enc=enc,
            dec=dec,
            rows=rows,
            n_phones=n_phones,
            ts_row=ts_row,
            unused_row=unused_row,
            n_unused=n_unused,
        )
        self.encoder = Encoder(d, heads, enc)
        self.decoder = Decoder(d, heads, dec, rows)
        # training only: per encoder frame, the phone, the token being spoken and the one spoken before it
        self.phone_head = nn.Linear(d, n_phones)
        self.word_head, self.prev_head = nn.Linear(d, d), nn.Linear(d, d)
        self.time_head = nn.Linear(d, d)  # and the timestamp of the frame
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, std=(0.6 / m.weight.shape[1]) ** 0.5)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
        for block, n in ((self.encoder, enc), (self.decoder, dec)):
            for layer in block.layers:
                for name, m in layer.named_modules():
                    if name.endswith("out_proj") or name.endswith("fc2"):
                        m.weight.data.mul_((2 * n) ** -0.5)
        self.encoder.conv1.weight.data.mul_(2)
        self.encoder.conv2.weight.data.mul_(3)
        e = self.decoder.embed_tokens.weight.data
        nn.init.normal_(e, std=0.04)
        if ts_row is not None:  # neighbouring timestamps begin close to one another
            e[ts_row : ts_row + 1500] = 0.05 * sinusoids(1500, d) + 0.01 * torch.randn(1500, d)
        self.decoder.embed_positions.weight.data = 0.03 * sinusoids(448, d) + 0.003 * torch.randn(448, d)

    def logits(self, h):
        out = F.linear(h, self.decoder.embed_tokens.weight)
        if self.cfg["n_unused"]:
            bump = torch.zeros(out.shape[-1], device=out.device)
            bump[self.cfg["unused_row"]] = math.log(self.cfg["n_unused"])
            out = out + bump
        return out
