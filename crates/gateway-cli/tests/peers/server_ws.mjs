// A WebSocket server of npm's `ws`, steered fault by fault over stdin by tests/peers.rs: server_ws.mjs PORT.
import { WebSocketServer } from 'ws';
import { Steering } from './steer.mjs';

const steering = new Steering();
const wss = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  verifyClient: steering.verifyClient,
  autoPong: false,
});

// Echoes, but for an application's ping, which gets its pong.
function answer(text) {
  try {
    const value = JSON.parse(text);
    if (value?.type === 'ping') return JSON.stringify({ ...value, type: 'pong' });
  } catch {
    // not JSON: a message like any other
  }
  return text;
}

wss.on('connection', (ws, req) => {
  steering.opened(ws, req);
  steering.pong(ws);
  ws.on('message', (data, isBinary) => {
    if (!steering.muted) ws.send(isBinary ? data : answer(data.toString()));
  });
});

steering.listen(wss, () => {
  for (const ws of wss.clients) ws.close(1001, 'going away');
  wss.close(() => process.exit(0));
});
