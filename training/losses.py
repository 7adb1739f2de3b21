"""The training loss: tokens, and targets that only training has, made possible by espeak's timings."""

import torch
import torch.nn.functional as F

# decoder layer -> its cross-attention head that must look at the frames of the token being predicted
GUIDED = {1: 0, 2: 0}
# Frames: what is shorter, a full stop without a pause, takes some of its neighbours.
SHORTEST_SPAN = 2.0
# One in so many frames is drawn for the dense targets; all of them would cost more than the model.
TOKEN_SAMPLING, TIME_SAMPLING = 9, 11
FEWEST_SAMPLES = 400
TIME_WEIGHT = 0.3


def attention_loss(attention, spans, frames):
    """How far the guided heads' attention is from looking at all frames of the token alike, and at no others.

    It is not enough that a head looks at some frame of a word: engines find where a word begins and ends by where
    the attention of one token gives way to that of the next.
    """
    loss = torch.zeros((), device=spans.device)
    if not len(spans):
        return loss
    window, position, first, last = spans.unbind(1)
    window, position = window.long(), position.long()
    wider = (SHORTEST_SPAN - (last - first)).clamp(min=0) / 2
    first, last = (first - wider)[:, None], (last + wider)[:, None]
    time = torch.arange(frames, device=spans.device)[None]
    wanted = (torch.minimum(last, time + 1.0) - torch.maximum(first, time.float())).clamp(0, 1)
    some = (wanted.sum(1) > 0).float()
    wanted = wanted / wanted.sum(1, keepdim=True).clamp(min=1e-6)
    sharpness = torch.xlogy(wanted, wanted).sum(1)
    for layer, head in GUIDED.items():
        weights = attention[layer][window, head, position].float()
        apart = (sharpness - (wanted * (weights + 1e-6).log()).sum(1)) * some
        loss = loss + apart.sum() / some.sum().clamp(min=1) / len(GUIDED)
    return loss


def spoken_token_loss(model, frames, labels):
    """The token being spoken in a frame and the one before it, read through the tied embedding."""
    embedding = model.decoder.embed_tokens.weight
    loss = torch.zeros((), device=frames.device)
    count = max(FEWEST_SAMPLES, len(frames) // TOKEN_SAMPLING)
    for row, head in ((1, model.word_head), (2, model.prev_head)):
        wanted = labels[:, row].flatten()
        known = torch.nonzero(wanted >= 0)[:, 0]
        if len(known):
            drawn = known[torch.randint(len(known), (count,), device=frames.device)]
            logits = F.linear(head(frames[drawn]), embedding).float()
            loss = loss + F.cross_entropy(logits, wanted[drawn].long()) / 2
    return loss


def frame_time_loss(model, frames, count, offset):
    """The timestamp of a frame, read through the timestamp rows of the embedding."""
    first = model.cfg["ts_row"]
    samples = max(FEWEST_SAMPLES, len(frames) // TIME_SAMPLING)
    drawn = torch.randint(len(frames), (samples,), device=frames.device)
    wanted = drawn % count + (0 if offset is None else offset[drawn // count])
    rows = model.decoder.embed_tokens.weight[first : first + 1501]
    return F.cross_entropy(F.linear(model.time_head(frames[drawn]), rows).float(), wanted)


def losses(model, mel, batch, phone_weight, word_weight, guide_weight):
    """(the loss to descend, its parts and the token accuracy by name), all on the device of `mel`."""
    device = mel.device

    def moved(array):
        return None if array is None else torch.from_numpy(array).to(device, non_blocking=True)

    labels, offset, spans = moved(batch.labels), moved(batch.offset), moved(batch.spans)
    inputs, targets = moved(batch.inputs), moved(batch.targets)
    memory = model.encoder(mel, offset)
    positions = torch.arange(inputs.shape[1], device=device)[None]
    hidden, attention = model.decoder(inputs, memory, positions, GUIDED)
    kept = targets >= 0
    logits = model.logits(hidden).flatten(0, 1).float()
    count = min(labels.shape[2], memory.shape[1])
    labels, heard = labels[:, :, :count], memory[:, :count]
    frames = heard.reshape(-1, memory.shape[-1])
    phones = model.phone_head(heard).flatten(0, 1).float()
    parts = {
        "tokens": F.cross_entropy(logits, targets.flatten(), ignore_index=-1),
        "phones": F.cross_entropy(phones, labels[:, 0].flatten().long()),
        "words": spoken_token_loss(model, frames, labels),
        "times": frame_time_loss(model, frames, count, offset),
        "attention": attention_loss(attention, spans, memory.shape[1]),
    }
    total = (
        parts["tokens"]
        + phone_weight * parts["phones"]
        + word_weight * parts["words"]
        + guide_weight * parts["attention"]
        + TIME_WEIGHT * parts["times"]
    )
    parts["accuracy"] = (logits.argmax(-1) == targets.flatten())[kept.flatten()].float().mean()
    return total, {name: part.detach() for name, part in parts.items()}
