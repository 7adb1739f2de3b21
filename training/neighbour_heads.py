"""Gives two heads per encoder layer a fixed starting point: attend a few frames back / ahead.

Whisper's encoder sees positions only through the sinusoids added after the conv stem, so attention to neighbours has
to be learned.  Query and key projections that read the sinusoids and rotate them by `offset` frames make the score
sum_f cos(w_f * (i + offset - j)), which peaks at j = i + offset.  Training may change them freely afterwards.
"""

import math

import torch

OFFSETS = [(-4, 4), (-7, 7), (-12, 12), (-16, 16)]


@torch.no_grad()
def set_local_heads(model, mel, peak=7.0, pairs=32):
    enc = model.encoder
    d = enc.pos.shape[1]
    half = d // 2
    w = torch.exp(-math.log(10000) / (half - 1) * torch.arange(pairs).float())
    for layer, offs in zip(enc.layers, OFFSETS):
        seen = {}
        hook = layer.self_attn_layer_norm.register_forward_hook(lambda m, i, o: seen.update(x=o))
        enc(mel)
        hook.remove()
        x = seen["x"]
        t = torch.arange(x.shape[1]).float()[:, None] * w[None]
        amp = (
            2 * (x[..., :pairs] * t.sin()).mean((0, 1)) + 2 * (x[..., half : half + pairs] * t.cos()).mean((0, 1))
        ) / 2
        amp = amp.clamp(min=0.05)
        hd = d // layer.self_attn.h
        s = math.sqrt(peak * math.sqrt(hd) / float((amp**2).sum()))
        print("position amplitude", round(float(amp.mean()), 3), "scale", round(s, 2), flush=True)
        for h, o in enumerate(offs):
            q, k = torch.zeros(hd, d), torch.zeros(hd, d)
            c, sn = torch.cos(w * o), torch.sin(w * o)
            for m in range(pairs):
                k[2 * m, m] = k[2 * m + 1, half + m] = s
                q[2 * m, m], q[2 * m, half + m] = s * c[m], s * sn[m]
                q[2 * m + 1, half + m], q[2 * m + 1, m] = s * c[m], -s * sn[m]
            a = layer.self_attn
            a.q_proj.weight[h * hd : (h + 1) * hd] = q
            a.k_proj.weight[h * hd : (h + 1) * hd] = k
            a.q_proj.bias[h * hd : (h + 1) * hd] = 0
