// A line of JSON for every check, for the table; `node --test` writes what this yields into a file.

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') {
      continue;
    }
    // A file counts as a check of its own only where it could not be run at all.
    const isFile = data.name.endsWith('.mjs');
    if (data.details?.type === 'suite' || (isFile && type === 'test:pass')) {
      continue;
    }
    // The file of the tests that a crash tells of is the test itself.
    const file = (data.file || data.name).split('/').pop();
    const error = data.details?.error;
    yield `${JSON.stringify({
      part: `node ${file.replace('.test.mjs', '')}`,
      check: data.name,
      result: data.skip !== undefined ? 'skip' : type === 'test:pass' ? 'pass' : 'fail',
      reason: data.skip !== undefined ? String(data.skip) : error ? String(error.cause?.message || error.message) : '',
    })}\n`;
  }
}
