// WeCom's own published crypto package against the running server, so that we do not only agree with ourselves.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import wecom from '@wecom/crypto';

const { decrypt, encrypt, getSignature } = wecom;
const root = path.resolve(import.meta.dirname, '../..');
const token = 'IndependentToken1';
const key = 'kJ7bQx2mNf9LwZr4TtYc0VhDpGs6AeUoKi3RyWq8BzE';
const corpId = 'ww0123456789abcdef';
const agentId = '1000002';

let server;
let folder;
let address;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'jiefeng-'));
  const config = path.join(folder, 'jiefeng.toml');
  writeFileSync(config, `
[server]
listen = "127.0.0.1:0"
[storage]
url = "sqlite://${folder}/jiefeng.db"
[console]
listen = "off"
[[apps]]
name = "support"
corp_id = "${corpId}"
agent_id = ${agentId}
token = "${token}"
encoding_aes_key = "${key}"
`);
  server = spawn(process.env.JIEFENG_BIN, ['serve', '--config', config], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  address = await new Promise((resolve, reject) => {
    let log = '';
    server.stderr.setEncoding('utf8');
    server.stderr.on('data', (text) => {
      log += text;
      const ready = log.match(/address=(127\.0\.0\.1:\d+)/);
      if (ready) resolve(ready[1]);
    });
    server.on('exit', () => reject(new Error(`the server ended early:\n${log}`)));
  });
});

after(() => {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
});

function signedQuery(ciphertext) {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = String(Math.floor(Math.random() * 1e9));
  const signature = getSignature(token, timestamp, nonce, ciphertext);
  return new URLSearchParams({ msg_signature: signature, timestamp, nonce });
}

function field(xml, name) {
  const found = xml.match(new RegExp(`<${name}>(?:<!\\[CDATA\\[)?([\\s\\S]*?)(?:\\]\\]>)?</${name}>`));
  assert.ok(found, `${name} is missing in ${xml}`);
  return found[1];
}

async function deliver(message) {
  const ciphertext = encrypt(key, message, corpId);
  const body = `<xml><ToUserName><![CDATA[${corpId}]]></ToUserName><AgentID><![CDATA[${agentId}]]></AgentID>`
    + `<Encrypt><![CDATA[${ciphertext}]]></Encrypt></xml>`;
  return fetch(`http://${address}/callback/support?${signedQuery(ciphertext)}`, { method: 'POST', body });
}

test('a URL verification made by the published package is answered', async () => {
  const ciphertext = encrypt(key, '4815162342', corpId);
  const query = signedQuery(ciphertext);
  query.set('echostr', ciphertext);
  const response = await fetch(`http://${address}/callback/support?${query}`);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '4815162342');
});

test('a question encrypted by the published package gets an answer that it can verify and decrypt', async () => {
  const message = `<xml><ToUserName><![CDATA[${corpId}]]></ToUserName><FromUserName><![CDATA[LiXiaoyu]]></FromUserName>`
    + '<CreateTime>1795312800</CreateTime><MsgType><![CDATA[text]]></MsgType>'
    + `<Content><![CDATA[加好友太频繁，加不了人了]]></Content><MsgId>4561255354251345929</MsgId><AgentID>${agentId}</AgentID></xml>`;
  const response = await deliver(message);
  assert.equal(response.status, 200);
  const envelope = await response.text();
  const ciphertext = field(envelope, 'Encrypt');
  const expected = getSignature(token, field(envelope, 'TimeStamp'), field(envelope, 'Nonce'), ciphertext);
  assert.equal(field(envelope, 'MsgSignature'), expected);
  const reply = decrypt(key, ciphertext);
  assert.equal(reply.id, corpId);
  assert.equal(field(reply.message, 'ToUserName'), 'LiXiaoyu');
  assert.match(field(reply.message, 'Content'), /24 小时/);
});

test('what the published package encrypted for another company is refused', async () => {
  const ciphertext = encrypt(key, '<xml></xml>', 'ww_another');
  const body = `<xml><Encrypt><![CDATA[${ciphertext}]]></Encrypt></xml>`;
  const response = await fetch(`http://${address}/callback/support?${signedQuery(ciphertext)}`, { method: 'POST', body });
  assert.equal(response.status, 403);
});
