// Streams through OpenAI's client for Node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, longSound, model, onlyAmanuensis, sound, streamModel } from './helpers.mjs';

for (const name of ['english.wav', 'two-voices.wav', 'ten-sentences.opus']) {
  test(`Deltas come first, then done; joined they are its text, which is that of an answer without a stream (${name})`, async () => {
    const stream = await client.audio.transcriptions.create({ file: await sound(name), model: streamModel, stream: true });
    const received = [];
    for await (const event of stream) received.push(event);
    const done = received.pop();
    assert.equal(done.type, 'transcript.text.done');
    assert.ok(received.every(({ type }) => type === 'transcript.text.delta'));
    assert.equal(received.map(({ delta }) => delta).join(''), done.text);
    if (streamModel === model) {
      const { text } = await client.audio.transcriptions.create({ file: await sound(name), model });
      assert.equal(done.text, text);
    }
  });
}

test('The first words of a long recording come before the last', async () => {
  const begin = performance.now();
  let first;
  const stream = await client.audio.transcriptions.create({ file: await longSound(300), model: streamModel, stream: true });
  for await (const _ of stream) first ??= performance.now() - begin;
  const whole = performance.now() - begin;
  assert.ok(first < whole * 0.7, `the first event came after ${first} ms of ${whole} ms`);
});

test('A stream can be given up in the middle, and the server serves on', async () => {
  const stream = await client.audio.transcriptions.create({ file: await longSound(300), model: streamModel, stream: true });
  for await (const event of stream) {
    assert.equal(event.type, 'transcript.text.delta');
    break;
  }
  stream.controller.abort();
  assert.ok((await client.audio.transcriptions.create({ file: await sound('english.wav'), model })).text.trim());
});

test('A format that cannot be streamed is refused before the stream', onlyAmanuensis, async () => {
  await assert.rejects(
    client.audio.transcriptions.create({ file: await sound('english.wav'), model, stream: true, response_format: 'srt' }),
    { status: 400, type: 'invalid_request_error' },
  );
});
