// Drives the page in headless Chromium: node run.mjs BUILT CHROMIUM VOXELS QUERY
//
// The page leads: what it posts to /turn becomes a line of standard output, and the next line of standard input its
// answer. What it posts to /voxels/N is written to the file N in VOXELS. All ends when standard input does.
// Playwright starts and ends the browser, and keeps out of the page, where it would follow every request.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { pipeline } from 'node:stream/promises';

// The page talks to whatever server is measured without asking it for CORS headers. Nothing is asked for twice, so nothing
// is cached, as if the server forbade it. WebGL is rendered by software, and not missing: on its limits depends which
// data type a volume gets.
const FLAGS = ['--disable-web-security', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
  '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-extensions', '--disk-cache-size=1'];
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

const [built, executablePath, voxels, query] = process.argv.slice(2);
const { chromium } = createRequire(path.join(built, 'package.json'))('playwright-core');
const input = readline.createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(`${line}\n`);

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/turn') {
    const parts = [];
    for await (const part of request) parts.push(part);
    say(Buffer.concat(parts));
    const { value, done } = await lines.next();
    if (!done) response.end(value);
  } else if (pathname.startsWith('/voxels/')) {
    await pipeline(request, fs.createWriteStream(path.join(voxels, path.basename(pathname))));
    response.end();
  } else {
    const file = path.join(built, 'dist', pathname);
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
    await pipeline(fs.createReadStream(file), response);
  }
}

// Shared memory is memory, not files in /tmp, as in everyone's browser.
const launched = chromium.launch({ executablePath, args: FLAGS, ignoreDefaultArgs: ['--disable-dev-shm-usage'] });
input.on('close', async () => (await launched).close());
const browser = await launched;
browser.on('disconnected', () => process.exit());
const server = http.createServer((request, response) => answer(request, response).catch(() => response.destroy()));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const session = await browser.newBrowserCDPSession();
session.on('Target.targetCrashed', () => say('{"error": "the page crashed"}'));
await session.send('Target.setDiscoverTargets', { discover: true });
await session.send('Target.createTarget', { url: `http://127.0.0.1:${server.address().port}/index.html?${query}` });
