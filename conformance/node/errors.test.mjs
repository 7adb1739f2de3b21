// Errors, as OpenAI's client for Node throws them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { client, model, onlyAmanuensis, otherClient, refused, sound } from './helpers.mjs';

const { CONFORMANCE_KEYS, CONFORMANCE_KEYS_URL } = process.env;
const keyed = CONFORMANCE_KEYS && CONFORMANCE_KEYS_URL ? {} : { skip: 'no server with keys was started (CONFORMANCE_KEYS is not set)' };
const key = (name) => JSON.parse(readFileSync(CONFORMANCE_KEYS))[name];

const transcribe = async (options, through = client) =>
  through.audio.transcriptions.create({ file: await sound('english.wav'), model, ...options });

test('A bad request is a BadRequestError with all four keys and a request id', async () => {
  const error = await refused(transcribe({ temperature: 7 }));
  assert.ok(error instanceof OpenAI.BadRequestError, error.constructor.name);
  assert.deepEqual(Object.keys(error.error).sort(), ['code', 'message', 'param', 'type']);
  assert.equal(error.type, 'invalid_request_error');
  assert.match(error.message, /temperature/);
  assert.ok(error.requestID);
});

test('An empty file is a BadRequestError', async () => {
  const file = await toFile(Buffer.alloc(0), 'empty.wav');
  assert.ok((await refused(transcribe({ file }))) instanceof OpenAI.BadRequestError);
});

test('An unknown model is a NotFoundError', async () => {
  const error = await refused(transcribe({ model: 'nobody' }));
  assert.ok(error instanceof OpenAI.NotFoundError, error.constructor.name);
  assert.equal(error.code, 'model_not_found');
});

test('An unknown model with a slash in its name is a NotFoundError that names it', async () => {
  const error = await refused(client.models.retrieve('nobody/nothing'));
  assert.ok(error instanceof OpenAI.NotFoundError, error.constructor.name);
  assert.equal(error.code, 'model_not_found');
  assert.match(error.message, /nobody\/nothing/);
});

test('An unknown path is a NotFoundError', async () => {
  assert.ok((await refused(client.get('/nowhere'))) instanceof OpenAI.NotFoundError);
});

test('An unknown field is a BadRequestError that names it', onlyAmanuensis, async () => {
  const error = await refused(transcribe({ nonsense: 1 }));
  assert.ok(error instanceof OpenAI.BadRequestError, error.constructor.name);
  assert.match(error.message, /nonsense/);
});

test('A wrong key is an AuthenticationError', keyed, async () => {
  const error = await refused(transcribe({ model: 'whisper-1' }, otherClient(CONFORMANCE_KEYS_URL, 'sk-wrong')));
  assert.ok(error instanceof OpenAI.AuthenticationError, error.constructor.name);
  assert.equal(error.code, 'invalid_api_key');
});

test('A key without the scope is a PermissionDeniedError', keyed, async () => {
  const error = await refused(transcribe({ model: 'whisper-1' }, otherClient(CONFORMANCE_KEYS_URL, key('only-metrics'))));
  assert.ok(error instanceof OpenAI.PermissionDeniedError, error.constructor.name);
});

test('A key with the scope is served', keyed, async () => {
  const answer = await transcribe({ model: 'whisper-1' }, otherClient(CONFORMANCE_KEYS_URL, key('only-transcribe')));
  assert.ok(answer.text.trim());
});

const limited = process.env.CONFORMANCE_LIMITS_URL ? {} : { skip: 'no server with small limits was started (CONFORMANCE_LIMITS_URL is not set)' };

// A server that closes the connection while the upload still comes is a broken connection to this client, and no answer.
test('An upload over the limit is an error with a status', limited, async () => {
  const file = await toFile(Buffer.alloc(6_000_000), 'big.wav');
  const error = await refused(transcribe({ file, model: 'whisper-1' }, otherClient(process.env.CONFORMANCE_LIMITS_URL, 'none')));
  // 429, if the checks before have used up what is allowed in a minute.
  assert.ok([413, 429].includes(error.status), `${error.constructor.name}: ${error.message}`);
});
