// The client of npm's `home-assistant-js-websocket`. Its arguments and its output are those of report.mjs.
import { ERR_INVALID_AUTH, createConnection, createLongLivedTokenAuth } from 'home-assistant-js-websocket';
import WebSocket from 'ws';
import { check, connections, end, say, token, url } from './report.mjs';

globalThis.WebSocket = WebSocket;
let ready = 0;

function refused(error) {
  if (error !== ERR_INVALID_AUTH) throw new Error(`error ${error}`);
  say('refused');
  end();
}

async function onReady() {
  say('ready');
  ready += 1;
  check(await connection.sendMessagePromise({ type: 'get_states' }), []);
  say('echo');
  if (ready === connections) await more();
}

// An event, and a ping.
async function more() {
  const fired = new Promise((resolve) => {
    connection.subscribeEvents(resolve, 'hello').then(() =>
      connection.sendMessagePromise({ type: 'fire_event', event_type: 'hello', event_data: { a: 1 } }),
    );
  });
  check((await fired).data, { a: 1 });
  await connection.ping();
  end();
}

const auth = createLongLivedTokenAuth(url.replace('ws:', 'http:'), token);
const connection = await createConnection({ auth, setupRetry: 0 }).catch(refused);
connection.addEventListener('ready', onReady);
connection.addEventListener('disconnected', () => say('lost'));
connection.addEventListener('reconnect-error', (_, error) => refused(error));
await onReady();
