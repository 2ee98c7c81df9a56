// The client of npm's `socket.io-client`. Its arguments and its output are those of report.mjs.
import { io } from 'socket.io-client';
import { check, connections, end, say, token, url } from './report.mjs';

let ready = 0;
const socket = io(url.replace('ws:', 'http:'), {
  transports: ['websocket'],
  auth: { token },
  timeout: 2_000,
  reconnectionDelay: 50,
  reconnectionDelayMax: 50,
});

socket.on('connect', () => {
  say('ready');
  ready += 1;
  socket.emit('hello', ready, { deep: ['é'] });
});
socket.on('hello', (number, deep) => {
  check([number, deep], [ready, { deep: ['é'] }]);
  say('echo');
  if (ready === connections) more();
});
socket.on('disconnect', (why) => say('lost', { why }));
socket.on('connect_error', (error) => {
  if (!error.message.startsWith('not authorized')) return say('lost', { why: error.message });
  say('refused', { why: error.message });
  end();
});

// Acknowledgements, binary messages, and the server's pings.
async function more() {
  check(await socket.emitWithAck('sum', 1, 2), 1);
  socket.on('bytes', (bytes, text) => {
    check([[...bytes], text], [[0, 255], 'text']);
    socket.io.once('ping', async () => {
      check((await socket.emitWithAck('bytes', Buffer.from([7])))[0], 7);
      end();
    });
  });
  socket.emit('bytes', Buffer.from([0, 255]), 'text');
}
