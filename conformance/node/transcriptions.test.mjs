// Transcriptions, translations and models through OpenAI's client for Node.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { baseURL, client, model, onlyAmanuensis, sound } from './helpers.mjs';

const transcribe = async (options = {}, name = 'english.wav') =>
  client.audio.transcriptions.create({ file: await sound(name), model, ...options });

test('The json answer has a text and a usage', async () => {
  const answer = await transcribe();
  assert.ok(answer.text.trim());
  assert.equal(typeof answer, 'object');
});

test('The usage is the length of the sound', onlyAmanuensis, async () => {
  const { usage } = await transcribe();
  assert.equal(usage.type, 'duration');
  assert.ok(usage.seconds >= 3.7 && usage.seconds <= 4.8, String(usage.seconds));
});

for (const response_format of ['text', 'srt', 'vtt']) {
  test(`${response_format} comes as a string`, async () => {
    const answer = await transcribe({ response_format });
    assert.equal(typeof answer, 'string');
    assert.ok(answer.trim());
    if (response_format === 'srt') assert.match(answer, /^1\n\d\d:\d\d:\d\d,\d{3} --> /);
    if (response_format === 'vtt') assert.match(answer, /^WEBVTT\n\n/);
  });
}

test('verbose_json has segments and words', async () => {
  const answer = await transcribe({ response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'], language: 'en', prompt: 'Servers.', temperature: 0 });
  assert.equal(answer.language, 'english');
  assert.ok(answer.segments.length > 0 && answer.words.length > 0);
  for (const { word, start, end } of answer.words) {
    assert.equal(word, word.trim());
    assert.ok(start <= end && end <= answer.duration + 0.05);
  }
});

test('The text is the same in every format', async () => {
  const squeeze = (text) => text.split(/\s+/).filter(Boolean).join(' ');
  const { text } = await transcribe();
  assert.equal(squeeze(await transcribe({ response_format: 'text' })), squeeze(text));
  assert.equal((await transcribe({ response_format: 'verbose_json' })).text, text);
});

test('A file can be read from the disk as it is sent', async () => {
  const file = createReadStream(join(process.env.CONFORMANCE_REPOSITORY, 'samples', 'english.mp3'));
  const answer = await client.audio.transcriptions.create({ file, model });
  assert.equal(answer.text, (await transcribe({}, 'english.mp3')).text);
});

test('A chunking strategy as the client sends it, one field for each member, is taken', onlyAmanuensis, async () => {
  const chunking_strategy = { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 200 };
  assert.ok((await transcribe({ chunking_strategy }, 'two-voices.wav')).text.trim());
});

test('A chunking strategy can be auto', onlyAmanuensis, async () => {
  assert.ok((await transcribe({ chunking_strategy: 'auto' }, 'two-voices.wav')).text.trim());
});

test('The request id and the headers can be read', async () => {
  const { response, request_id } = await client.audio.transcriptions.create({ file: await sound('english.wav'), model }).withResponse();
  assert.ok(request_id);
  assert.match(response.headers.get('openai-processing-ms'), /^\d+$/);
});

test('A translation is a text', async () => {
  const answer = await client.audio.translations.create({ file: await sound('german.wav'), model });
  assert.ok(answer.text.trim());
});

test('A translation in verbose_json is in English', async () => {
  const answer = await client.audio.translations.create({ file: await sound('german.wav'), model, response_format: 'verbose_json' });
  assert.equal(answer.language, 'english');
});

test('Models are listed, and each can be retrieved', async () => {
  const models = [];
  for await (const one of client.models.list()) models.push(one);
  assert.ok(models.length > 0);
  for (const one of models) {
    assert.equal(one.object, 'model');
    assert.equal(typeof one.created, 'number');
    assert.deepEqual(await client.models.retrieve(one.id), one);
  }
});

test('Several requests at once each get their own answer', async () => {
  const names = ['english.wav', 'german.wav', 'english-numbers.wav'];
  const one = [];
  for (const name of names) one.push((await transcribe({}, name)).text);
  const together = await Promise.all(names.map((name) => transcribe({}, name)));
  assert.deepEqual(together.map(({ text }) => text), one);
});

test('A form made by fetch is taken as well', async () => {
  const form = new FormData();
  form.set('file', await sound('english.wav'));
  form.set('model', model);
  const headers = process.env.API_KEY ? { authorization: `Bearer ${process.env.API_KEY}` } : {};
  const response = await fetch(`${baseURL}/audio/transcriptions`, { method: 'POST', body: form, headers });
  assert.equal(response.status, 200);
  assert.equal((await response.json()).text, (await transcribe()).text);
});
