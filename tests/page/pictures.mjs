// Pictures of pages for the documentation. What a page says is kept beside its picture, so that a page that has changed asks for a new one;
// pixels are not compared, because fonts differ.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';

const FOLDER = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
const FAULTY_SYSTEM = fileURLToPath(new URL('../it/faulty_system.c', import.meta.url));
export const IS_RENEWING = process.env.PICTURES === 'renew';
/** The navigation, which grows with every page, and what an edit of the knowledge changes. */
const NOT_COMPARED = '.side, .menu, .ranking, .as-table, [data-testid=evidence], [data-testid^=forms-]';
const SIZE = { width: 1080, height: 720 };
const LARGEST_BYTES = 60 * 1024;
const COLOURS = 48;
const DATE = Date.parse('2026-11-22T10:00:01+08:00');

/** What a program needs in its environment to be in a picture: its clock shows always the same day. */
export function pictureEnvironment() {
  if (!IS_RENEWING) return {};
  const folder = mkdtempSync(join(tmpdir(), 'jiefeng-clock-'));
  const library = join(folder, 'clock.so');
  execFileSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-O1', '-o', library, FAULTY_SYSTEM]);
  const wrong = Buffer.alloc(16);
  wrong.writeBigInt64LE(BigInt(Math.round((DATE - Date.now()) / 1000)));
  const numbers = join(folder, 'numbers');
  writeFileSync(numbers, wrong);
  return { LD_PRELOAD: library, FAULTY_SYSTEM: numbers };
}

/** What a page says, but for figures, times, and what is made anew every time. */
async function wordsOf(page) {
  const text = await page.evaluate((rest) => {
    const hidden = [...document.querySelectorAll(rest)].filter((element) => !element.hidden);
    for (const element of hidden) element.hidden = true;
    const words = document.body.innerText;
    for (const element of hidden) element.hidden = false;
    return words;
  }, NOT_COMPARED);
  return text
    .replace(/[0-9A-Za-z_-]{32,}/g, '…')
    .replace(/\b[0-9a-f]{8,}\b/g, '…')
    .replace(/[0-9][0-9.,:]*( ?(µs|ms|s|微秒|毫秒|秒))?/g, '#')
    .split('\n')
    .map((line) => line.trim())
    .filter((line, at, all) => line && (line !== '#' || all[at - 1] !== '#'))
    .join('\n')
    .concat('\n');
}

/** The pixels of a picture as places in a palette of the commonest colours. Runs in the page. */
async function reduced([source, most]) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  const pixels = canvas.getImageData(0, 0, width, height).data;
  const colours = new Uint32Array(width * height).map((_, at) => (pixels[4 * at] << 16) | (pixels[4 * at + 1] << 8) | pixels[4 * at + 2]);
  const counts = new Map();
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const palette = [...counts].sort(([, one], [, other]) => other - one).slice(0, most).map(([colour]) => colour);
  const parts = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];
  const distance = (one, other) => parts(one).reduce((sum, part, at) => sum + (part - parts(other)[at]) ** 2, 0);
  const nearest = new Map([...counts.keys()].map((colour) => {
    const distances = palette.map((known) => distance(colour, known));
    return [colour, distances.indexOf(Math.min(...distances))];
  }));
  return { width, height, palette: palette.map(parts), places: Array.from(colours, (colour) => nearest.get(colour)) };
}

/** A PNG with a palette: a fifth of what a browser writes. */
async function smallPng(page, png) {
  const source = `data:image/png;base64,${png.toString('base64')}`;
  const { width, height, palette, places } = await page.evaluate(reduced, [source, COLOURS]);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const lines = Buffer.alloc(height * (width + 1));
  for (let line = 0; line < height; line += 1) lines.set(places.slice(line * width, (line + 1) * width), line * (width + 1) + 1);
  const chunk = (name, data) => {
    const named = Buffer.concat([Buffer.from(name), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const chunks = [['IHDR', head], ['PLTE', Buffer.from(palette.flat())], ['IDAT', deflateSync(lines, { level: 9 })], ['IEND', Buffer.alloc(0)]];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks.map(([name, data]) => chunk(name, data))]);
}

/** Makes the pictures of a page in both languages when asked to; otherwise looks whether they are still true. */
export async function picture(page, name) {
  const { pathname, search } = new URL(page.url());
  const inLanguage = (tag) => page.goto(new URL(`/console/language/${tag}?back=${encodeURIComponent(pathname + search)}`, page.url()).href);
  const before = page.viewportSize();
  await page.setViewportSize(SIZE);
  const said = {};
  for (const [language, tag] of [['en', 'en'], ['zh', 'zh-CN']]) {
    await inLanguage(tag);
    said[`${name}.${language}`] = await wordsOf(page);
    if (!IS_RENEWING) continue;
    await mkdir(FOLDER, { recursive: true });
    await writeFile(join(FOLDER, `${name}.${language}.png`), await smallPng(page, await page.screenshot()));
    await writeFile(join(FOLDER, `${name}.${language}.txt`), said[`${name}.${language}`]);
  }
  await page.setViewportSize(before);
  for (const [which, words] of Object.entries(said)) {
    const then = await readFile(join(FOLDER, `${which}.txt`), 'utf8').catch(() => '');
    assert.equal(words, then, `docs/pictures/${which}.png shows the page as it was; run: bash tests/page/pictures`);
    const { size } = await stat(join(FOLDER, `${which}.png`));
    assert.ok(size <= LARGEST_BYTES, `docs/pictures/${which}.png has ${size} bytes, which is over ${LARGEST_BYTES}`);
  }
}
