"""The training loss: tokens, and targets that only training has, made possible by espeak's timings."""

import torch
import torch.nn.functional as F

# decoder layer -> its cross-attention head that must look at the frames of the token being predicted
GUIDED = {1: 0, 2: 0}
# Frames and labels drawn per step for the dense targets; all of them would cost more than the model.
TOKEN_SAMPLES, TIME_SAMPLES = 500, 400
TIME_WEIGHT = 0.3


def attention_loss(attention, spans, frames):
    """How much of the guided heads' attention lies outside the frames of the token (one frame of tolerance)."""
    if not spans:
        return torch.zeros(())
    window, position, first, last = (torch.tensor(column) for column in zip(*spans))
    time = torch.arange(frames)[None]
    inside = ((time >= first[:, None] - 1.0) & (time <= last[:, None] + 1.0)).float()
    some = inside.sum(1) > 0
    loss = torch.zeros(())
    for layer, head in GUIDED.items():
        weights = attention[layer][window, head, position]
        loss = loss - ((weights * inside).sum(1)[some] + 1e-6).log().mean() / len(GUIDED)
    return loss


def spoken_token_loss(model, frames, labels):
    """The token being spoken in a frame and the one before it, read through the tied embedding."""
    embedding = model.decoder.embed_tokens.weight
    loss = torch.zeros(())
    for row, head in ((1, model.word_head), (2, model.prev_head)):
        wanted = labels[:, row].flatten()
        known = torch.nonzero(wanted >= 0)[:, 0]
        if len(known):
            drawn = known[torch.randint(len(known), (TOKEN_SAMPLES,))]
            loss = loss + F.cross_entropy(F.linear(head(frames[drawn]), embedding), wanted[drawn]) / 2
    return loss


def frame_time_loss(model, frames, count, offset):
    """The timestamp of a frame, read through the timestamp rows of the embedding."""
    first = model.cfg["ts_row"]
    drawn = torch.randint(frames.shape[0], (TIME_SAMPLES,))
    wanted = drawn % count + (0 if offset is None else offset[drawn // count])
    rows = model.decoder.embed_tokens.weight[first : first + 1501]
    return F.cross_entropy(F.linear(model.time_head(frames[drawn]), rows), wanted)


def losses(model, mel, batch, phone_weight, word_weight, guide_weight):
    """(the loss to descend, its parts and the token accuracy by name)"""
    _, labels, offset, inputs, targets, spans = batch
    memory = model.encoder(mel, offset)
    hidden, attention = model.decoder(inputs, memory, torch.arange(inputs.shape[1])[None], GUIDED)
    kept = targets >= 0
    logits = model.logits(hidden[kept])
    count = min(labels.shape[2], memory.shape[1])
    labels, heard = labels[:, :, :count], memory[:, :count]
    frames = heard.reshape(-1, memory.shape[-1])
    parts = {
        "tokens": F.cross_entropy(logits, targets[kept]),
        "phones": F.cross_entropy(model.phone_head(heard).flatten(0, 1), labels[:, 0].flatten()),
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
    parts["accuracy"] = (logits.argmax(-1) == targets[kept]).float().mean()
    return total, {name: part.item() for name, part in parts.items()}
