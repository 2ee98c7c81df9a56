// One measure with one of Node's libraries: `node client.mjs MEASURE PEER --server 127.0.0.1:PORT [flags]`,
// and its figures as one line of JSON. `node client.mjs --list` tells the peers.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import PartySocket from "partysocket/ws";
import ReconnectingWebSocket from "reconnecting-websocket";
import WebSocket from "ws";

/** Ends the program: 1 a failure, 2 bad usage, 3 a pair that is not supported. */
function stop(status, why) {
  console.error(`client.mjs: ${why}`);
  process.exit(status);
}

// ---- The peers, each with its own settings, as its documentation shows it ----

const reconnecting = (Library) => (url) => ({
  socket: new Library(url, [], { WebSocket }),
  listen: (socket, take) => socket.addEventListener("message", (event) => take(event.data)),
});

const peers = {
  ws: {
    measures: { pipelined, flood, large, memory },
    open: (url) => ({
      socket: new WebSocket(url),
      listen: (socket, take) => socket.on("message", (data, isBinary) => take(isBinary ? null : data)),
    }),
  },
  "reconnecting-websocket": { measures: { pipelined, flood, large }, open: reconnecting(ReconnectingWebSocket) },
  partysocket: { measures: { pipelined, flood, large }, open: reconnecting(PartySocket) },
};

/** An open connection of this peer; a loss of it ends the program, for a message may be lost with it. */
function connect(peer, url) {
  const { socket, listen } = peer.open(url);
  const connection = { send: (text) => socket.send(text), take: (data) => stop(1, `a message that was not asked for: ${data}`) };
  listen(socket, (data) => connection.take(data));
  return new Promise((resolve) => {
    socket.addEventListener("open", () => resolve(connection));
    socket.addEventListener("error", (event) => stop(1, `connection failed: ${event.message}`));
    socket.addEventListener("close", (event) => stop(1, `connection lost: code ${event.code}`));
  });
}

// ---- Messages: ten digits of their number, a space, filler; every one is checked ----

const DIGITS = 10;

function messages(bytes) {
  const tail = ` ${"x".repeat(bytes - DIGITS - 1)}`;
  const zero = "0".charCodeAt(0);
  const expected = Buffer.from("0".repeat(DIGITS) + tail);
  let next = 0;
  return {
    text: (number) => String(number).padStart(DIGITS, "0") + tail,
    /** Ends the program where this is not the next message, whole: a string of the DOM's way, or a buffer of ws's own. */
    check(data) {
      const isNext = typeof data === "string" ? isText(data) : Buffer.isBuffer(data) && data.equals(expected);
      if (!isNext) stop(1, `message ${next} lost, doubled or altered: ${String(data).slice(0, 40)}`);
      next += 1;
      for (let at = DIGITS - 1, carry = true; carry && at >= 0; at -= 1) {
        carry = expected[at] === zero + 9;
        expected[at] = carry ? zero : expected[at] + 1;
      }
    },
  };

  function isText(data) {
    for (let at = 0; at < DIGITS; at += 1) if (data.charCodeAt(at) !== expected[at]) return false;
    return data.length === bytes && data.endsWith(tail);
  }
}

/** The same for large ones: the number again in each block, and a filler that differs from place to place. */
function largeMessages(bytes) {
  const BLOCK = 4096;
  const PERIOD = 23;
  const filler = String.fromCharCode(...Array.from({ length: PERIOD }, (_, place) => "a".charCodeAt(0) + place));
  const whole = filler.repeat(Math.ceil(bytes / PERIOD)).slice(0, bytes);
  const blocks = Array.from({ length: Math.ceil(bytes / BLOCK) }, (_, number) => whole.slice(number * BLOCK, (number + 1) * BLOCK));
  const tails = blocks.map((block, number) => (number === 0 ? ` ${block.slice(DIGITS + 1)}` : block.slice(DIGITS)));
  const due = [];
  let next = 0;
  return {
    text(number) {
      const digits = String(number).padStart(DIGITS, "0");
      due.push(tails.map((tail, place) => (blocks[place].length < DIGITS ? blocks[place] : digits + tail)).join(""));
      return due.at(-1);
    },
    check(data) {
      const came = Buffer.isBuffer(data) ? data.toString("latin1") : data; // all of it is ASCII
      if (came !== due.shift()) stop(1, `message ${next} lost, doubled or altered: ${String(came).slice(0, 40)}`);
      next += 1;
    },
  };
}

// ---- The measures: each returns its figures ----

async function pipelined(peer, { url, messages: count, "in-flight": window, bytes }) {
  const connection = await connect(peer, url());
  return { messages: count, bytes, ...(await timed((done) => echoed(connection, count, window, messages(bytes), 0, done))) };
}

async function flood(peer, { url, messages: count, bytes }) {
  const connection = await connect(peer, url());
  return { messages: count, bytes, ...(await timed((done) => pushed(connection, count, bytes, done))) };
}

async function large(peer, { url, messages: count, "warm-up": before, "in-flight": window, bytes }) {
  const connection = await connect(peer, url());
  const numbered = largeMessages(bytes);
  const { seconds } = await timed((done) => echoed(connection, before, window, numbered, 0, done));
  return { messages: count, bytes, warm_up_seconds: seconds,
    ...(await timed((done) => echoed(connection, count, window, numbered, before, done))) };
}

async function memory(peer, { url, connections: count, burst, "at-once": atOnce, settle, bytes }) {
  const baseline = residentBytes();
  const figures = await timed(async (done) => {
    const connections = [];
    await each(count, atOnce, async (number) => (connections[number] = await connect(peer, url(number))));
    await each(count, atOnce, (number) => new Promise((echoed) => {
      const { text, check } = messages(bytes);
      connections[number].take = (data) => echoed(check(data));
      connections[number].send(text(0));
    }));
    await pause(1000);
    const after_echo_bytes = residentBytes();
    await each(count, atOnce, (number) => new Promise((taken) => pushed(connections[number], burst, bytes, taken)));
    await pause(settle * 1000);
    done({ after_echo_bytes, after_burst_bytes: residentBytes() });
  });
  return { connections: count, baseline_bytes: baseline, ...figures };
}

// ---- Their parts ----

/** Sends so many messages, of which a window is under way, and takes their echoes. Their numbers begin with `first`. */
function echoed(connection, count, window, { text, check }, first, done) {
  let sent = 0;
  let received = 0;
  connection.take = (data) => {
    check(data);
    received += 1;
    if (sent < count) connection.send(text(first + sent++));
    if (received === count) done();
  };
  while (sent < Math.min(window, count)) connection.send(text(first + sent++));
}

/** Asks the server for so many messages and takes them all. */
function pushed(connection, count, bytes, done) {
  const { check } = messages(bytes);
  let received = 0;
  connection.take = (data) => {
    check(data);
    received += 1;
    if (received === count) done();
  };
  connection.send(`go ${count} ${bytes}`);
}

/** The figures that the part calls `done` with, and how long it took until then, by the clock and of the processor. */
async function timed(part) {
  const started = process.hrtime.bigint();
  const before = process.cpuUsage();
  const figures = await new Promise((resolve, reject) => Promise.resolve(part(resolve)).catch(reject));
  const { user, system } = process.cpuUsage(before);
  return { seconds: Number(process.hrtime.bigint() - started) / 1e9, cpu_seconds: (user + system) / 1e6, ...figures };
}

/** Does this for each number below the count, so many at once. */
async function each(count, atOnce, act) {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < count) await act(next++);
  }));
}

/** What the process holds, less the pages that are a file's or shared. */
function residentBytes() {
  return 1024 * Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), "utf8")).version;

// ---- The command line ----

const defaults = {
  pipelined: { messages: 200_000, "in-flight": 1024, bytes: 32 },
  flood: { messages: 2_000_000, bytes: 128 },
  large: { messages: 20_000, "warm-up": 20_000, "in-flight": 4, bytes: 65_536 },
  memory: { connections: 2000, burst: 1000, "at-once": 32, settle: 3, bytes: 128 },
};
const ADDRESSES = 8;

/** The measure's settings, and `url(n)`: connections go to eight addresses in turn, so that their ports suffice. */
function settings(measure, flags) {
  const [, host, port] = /^([\d.]+):(\d+)$/.exec(flags.server ?? "") ?? stop(2, "--server ADDRESS:PORT is missing");
  const chosen = { ...defaults[measure] };
  for (const [name, value] of Object.entries(flags)) {
    if (name === "server") continue;
    if (!(name in chosen)) stop(2, `${measure} has no --${name}`);
    if (!/^\d+$/.test(value) || (Number(value) === 0 && name !== "settle")) stop(2, `--${name} ${value} is no count`);
    chosen[name] = Number(value);
  }
  if (chosen.bytes < 16) stop(2, `--bytes ${chosen.bytes}: at least 16`);
  const spread = host === "127.0.0.1";
  return { ...chosen, url: (number = 0) => `ws://${spread ? `127.0.0.${1 + (number % ADDRESSES)}` : host}:${port}/` };
}

function commandLine() {
  const names = ["server", ...new Set(Object.values(defaults).flatMap(Object.keys))];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  try {
    return parseArgs({ allowPositionals: true, options: { ...options, list: { type: "boolean" } } });
  } catch (error) {
    return stop(2, error.message);
  }
}

const { values: { list, ...flags }, positionals: [measure, name] } = commandLine();
if (list) {
  const told = Object.entries(peers).map(([name, { measures }]) => ({ name, version: version(name), measures: Object.keys(measures) }));
  console.log(JSON.stringify({ peers: told }));
} else {
  if (!measure || !name) stop(2, "usage: node client.mjs MEASURE PEER --server ADDRESS:PORT [flags]; or --list");
  const run = peers[name]?.measures[measure];
  if (!run) stop(3, `${measure} is not supported for ${name}`);
  console.log(JSON.stringify({ measure, peer: name, ...(await run(peers[name], settings(measure, flags))) }));
}
process.exit(0);
