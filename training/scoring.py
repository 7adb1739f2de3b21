"""Word errors, and a quick look at how a model in training does."""

import torch

SR = 16000


def word_errors(reference, heard):
    """(insertions, deletions and substitutions between two lists of words, words in the reference)."""
    distance = list(range(len(heard) + 1))
    for i, wanted in enumerate(reference, 1):
        previous, distance[0] = distance[0], i
        for j, got in enumerate(heard, 1):
            previous, distance[j] = distance[j], min(distance[j] + 1, distance[j - 1] + 1, previous + (wanted != got))
    return distance[-1], len(reference)


@torch.no_grad()
def greedy(model, memory, prefix, end, limit):
    """Rows chosen after `prefix` for each window, without a cache."""
    tokens = torch.tensor([prefix] * memory.shape[0], device=memory.device)
    done = torch.zeros(memory.shape[0], dtype=torch.bool, device=memory.device)
    for _ in range(limit):
        hidden, _ = model.decoder(tokens, memory, torch.arange(tokens.shape[1], device=memory.device)[None])
        chosen = model.logits(hidden[:, -1]).argmax(-1)
        chosen[done] = end
        tokens = torch.cat([tokens, chosen[:, None]], 1)
        done |= chosen == end
        if done.all():
            break
    return tokens[:, len(prefix) :].tolist()


@torch.no_grad()
def quick_score(model, front_end, vocab, held_out, decode, count, seconds=8):
    """Word error rate as written (case and punctuation count) on short English utterances, and three examples."""
    model.eval()
    items = [item for item in held_out.by_lang["en"] if item["n"] < (seconds - 0.5) * SR][:count]
    prefix = [vocab.sot, vocab.row("<|en|>"), vocab.transcribe, vocab.notime]
    errors, words, examples = 0, 0, []
    for i in range(0, len(items), 16):
        part = items[i : i + 16]
        audio = torch.zeros(len(part), seconds * SR)
        for row, item in enumerate(part):
            audio[row, : item["n"]] = torch.from_numpy(held_out.audio(item))
        chosen = greedy(model, model.encoder(front_end(audio.to(front_end.window.device))), prefix, vocab.eot, 30)
        for item, rows in zip(part, chosen):
            heard = decode([vocab.to_full(row) for row in rows if row < vocab.n_used])
            wrong, total = word_errors(item["text"].split(), heard.split())
            errors, words = errors + wrong, words + total
            examples.append((item["text"], heard.strip()))
    model.train()
    return errors / words, examples[:3]
