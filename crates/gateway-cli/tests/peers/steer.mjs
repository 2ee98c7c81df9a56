// What the npm peers share: the commands on stdin (listed in server_websockets.py) over a WebSocketServer of `ws`.
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { STATUS_CODES } from 'node:http';

const RESERVED_OPCODE = Buffer.from([0x83, 0x00]);
const NOT_UTF8 = Buffer.from([0x81, 0x02, 0xc3, 0x28]);
const HALF_A_FRAME = Buffer.from([0x81, 0x7e, 0x01, 0x00, 0x68, 0x61, 0x6c, 0x66]);

export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// The login token that is good: at first the one in the file that the environment variable TOKEN_FILE names. After
// `expire` it is another one, which the file has once a login with an old one was refused.
export class Tokens {
  #good = JSON.parse(readFileSync(process.env.TOKEN_FILE)).token;

  expire() {
    this.#good = randomUUID();
  }

  // Whether this login is accepted.
  judge(login) {
    if (login?.token === this.#good) return true;
    writeFileSync(process.env.TOKEN_FILE, JSON.stringify({ token: this.#good }));
    return false;
  }
}

export class Steering {
  opens = 0;
  muted = false; // of the connection that is open
  more = {}; // commands of this peer alone
  #current = null; // { ws, socket }
  #silenced = [];
  #stalled = [];
  #plans = [];
  #afterOpen = new WeakMap(); // request → plan

  // The library's hook at the upgrade (option verifyClient): answers, refuses or keeps still.
  verifyClient = ({ req }, answer) => {
    const [verb, ...rest] = this.#plans.shift() ?? ['open'];
    if (verb === 'reject') {
      const [status, retryAfter] = rest;
      say({ seen: 'upgrade', answered: Number(status) });
      const headers = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
      answer(false, Number(status), STATUS_CODES[status], headers);
    } else if (verb === 'redirect') {
      say({ seen: 'upgrade', answered: 302 });
      answer(false, 302, STATUS_CODES[302], { Location: '/elsewhere' });
    } else if (verb === 'stall') {
      say({ seen: 'upgrade', answered: null });
      this.#stalled.push(req.socket);
    } else {
      if (verb !== 'open') this.#afterOpen.set(req, [verb, ...rest]);
      answer(true);
    }
  };

  // Handles a new connection. `plans` are what a peer does to a login, by name.
  opened(ws, req) {
    const n = ++this.opens;
    this.#current = { ws, socket: req.socket };
    this.muted = false;
    for (const old of this.#silenced.splice(0)) old.terminate();
    say({ seen: 'open', n });
    ws.on('error', () => {}); // what a client does wrong ends in 'close', with its code
    ws.on('close', (code) => say({ seen: 'close', n, code }));
    const [verb, code] = this.#afterOpen.get(req) ?? [];
    if (verb === 'drop') req.socket.end();
    if (verb === 'close') ws.close(Number(code));
    return verb;
  }

  // Answers WebSocket pings explicitly (option autoPong is off), so that `mute` can leave them unanswered.
  pong(ws) {
    ws.on('ping', (data) => this.muted || ws.pong(data));
  }

  listen(wss, shutdown) {
    wss.on('listening', () => {
      say({ seen: 'listening', port: wss.address().port });
      const lines = createInterface({ input: process.stdin });
      lines.on('line', (line) => this.#obey(line.trim(), shutdown));
      lines.on('close', () => process.exit(0));
    });
  }

  #plan(times, ...plan) {
    for (let i = 0; i < Number(times); i++) this.#plans.push(plan);
  }

  async #obey(command, shutdown) {
    const { ws, socket } = this.#current ?? {};
    const [verb, first, ...rest] = command.split(' ');
    const commands = {
      reject: () => this.#plan(1, 'reject', first, ...rest),
      redirect: () => this.#plan(1, 'redirect'),
      stall: () => this.#plan(1, 'stall'),
      'accept-then-drop': () => this.#plan(first, 'drop'),
      'accept-then-close': () => this.#plan(first, 'close', ...rest),
      'refuse-login': () => this.#plan(1, 'refuse-login'),
      'ignore-login': () => this.#plan(1, 'ignore-login'),
      drop: () => socket.resetAndDestroy(),
      fin: () => socket.end(),
      truncate: () => socket.end(HALF_A_FRAME),
      silent: () => {
        ws.pause();
        this.#silenced.push(ws);
      },
      mute: () => {
        this.muted = true;
      },
      garbage: () => socket.write(RESERVED_OPCODE),
      'bad-text': () => socket.write(NOT_UTF8),
      big: () => ws.send('x'.repeat(Number(first)), () => {}),
      close: () => (first ? ws.close(Number(first), rest.join(' ')) : ws.close()),
      status: () => {},
      shutdown: () => {
        for (const socket of this.#stalled) socket.destroy();
        shutdown();
      },
      ...this.more,
    };
    if (!(verb in commands)) return say({ error: `no such command: ${command}` });
    const waiting = commands[verb](first);
    if (waiting instanceof Promise) await waiting;
    say({ done: command, opens: this.opens });
  }
}
