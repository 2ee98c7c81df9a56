// A server of npm's `socket.io`, steered over stdin by tests/peers.rs: server_socket_io.mjs PORT. It echoes the event
// `echo`. Its logins need a token (Tokens of steer.mjs, command `expire`); `refuse-login` refuses the next one,
// `ignore-login` leaves it unanswered. `disconnect` puts the client out of the namespace, `kick` closes the connection as
// well, and `heartbeats N` waits for N answers to its pings.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { Steering, Tokens } from './steer.mjs';

const steering = new Steering();
const tokens = new Tokens();
const logins = new WeakMap(); // connection → what to do to its login
let current = null; // the socket that is in the namespace

// The library's own server of WebSocket connections, which is made with its options.
class SteeredServer extends WebSocketServer {
  constructor(options) {
    super({ ...options, verifyClient: steering.verifyClient, autoPong: false });
  }

  handleUpgrade(req, socket, head, upgraded) {
    super.handleUpgrade(req, socket, head, (ws) => {
      logins.set(ws, steering.opened(ws, req));
      steering.pong(ws);
      upgraded(ws, req);
    });
  }
}

const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  wsEngine: SteeredServer,
  pingInterval: 100,
  pingTimeout: 1_900,
});

io.use((socket, next) => {
  const plan = logins.get(socket.conn.transport.socket);
  if (plan === 'ignore-login') return;
  if (plan === 'refuse-login') return next(new Error('not authorized'));
  next(tokens.judge(socket.handshake.auth) ? undefined : new Error('token expired'));
});

io.on('connection', (socket) => {
  current = socket;
  socket.on('echo', (text) => steering.muted || socket.emit('echo', text));
});

function heartbeats(count) {
  const { conn } = current;
  let left = Number(count);
  return new Promise((resolve) => {
    conn.on('heartbeat', () => --left === 0 && resolve());
  });
}

steering.more = {
  expire: () => tokens.expire(),
  disconnect: () => current.disconnect(),
  kick: () => current.disconnect(true),
  heartbeats,
};
steering.listen(http, () => io.close(() => process.exit(0)));
http.listen(Number(process.argv[2]), '127.0.0.1');
