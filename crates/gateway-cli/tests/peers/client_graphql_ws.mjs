// The client of npm's `graphql-ws`. Its arguments and its output are those of report.mjs.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { check, connections, end, say, token, url } from './report.mjs';

let ready = 0;
// The library's own deadline for the login sends a Close, and waits for its answer. For pings it has none.
let unacknowledged;
let unanswered;
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  lazy: false,
  connectionParams: { token },
  keepAlive: 50,
  retryAttempts: 1_000,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  shouldRetry: (event) => event.code !== 4403,
  onNonLazyError: () => {},
  on: {
    opened: () => {
      unacknowledged = setTimeout(() => client.terminate(), 2_000);
    },
    ping: (received) => {
      if (!received) unanswered = setTimeout(() => client.terminate(), 2_000);
    },
    pong: (received) => {
      if (received) clearTimeout(unanswered);
    },
    connected: () => {
      clearTimeout(unacknowledged);
      say('ready');
      ready += 1;
      query(ready);
    },
    closed: (event) => {
      clearTimeout(unacknowledged);
      clearTimeout(unanswered);
      if (event.code !== 4403) return say('lost', { code: event.code });
      say('refused', { why: event.reason });
      end();
    },
  },
});

function query(number) {
  const query = `{ hello(number: ${number}) }`;
  let answer;
  client.subscribe(
    { query },
    {
      next: (next) => {
        answer = next;
      },
      error: (error) => {
        throw error;
      },
      complete: () => {
        check(answer, { data: { query } });
        say('echo');
        if (number === connections) afterPong();
      },
    },
  );
}

// A pong for a ping of `keepAlive` shows that the server answers them.
function afterPong() {
  const off = client.on('pong', (received) => {
    if (!received) return;
    off();
    end();
  });
}
