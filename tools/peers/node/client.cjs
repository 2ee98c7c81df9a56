// The client of reconnecting-websocket's README for Node with ws: connects, sends a message each second,
// prints nothing. All settings are the library's own.
const ReconnectingWebSocket = require("reconnecting-websocket");
const WebSocket = require("ws");

const socket = new ReconnectingWebSocket(process.argv[2], [], { WebSocket });

// As its documentation advises against a queue without a bound, nothing is sent while it is away.
setInterval(() => {
  if (socket.readyState === ReconnectingWebSocket.OPEN) socket.send("hello");
}, 1000);
