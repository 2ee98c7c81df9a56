// A GraphQL server of npm's `graphql-ws` (subprotocol graphql-transport-ws), steered over stdin by tests/peers.rs:
// server_graphql_ws.mjs PORT. Its echo is the query { echo(text: "...") }. Its logins need a token (Tokens of steer.mjs,
// command `expire`); `refuse-login` answers the next connection_init with 4403, `ignore-login` leaves it unanswered. What
// a client does wrong closes with the library's own codes: 4400 (no message of the protocol), 4409 (an id in use), 4429
// (a second connection_init).
import { useServer } from 'graphql-ws/use/ws';
import { GraphQLObjectType, GraphQLNonNull, GraphQLSchema, GraphQLString } from 'graphql';
import { WebSocketServer } from 'ws';
import { Steering, Tokens } from './steer.mjs';

const never = () => new Promise(() => {});
const steering = new Steering();
const tokens = new Tokens();
steering.more = { expire: () => tokens.expire() };
const logins = new WeakMap(); // connection → what to do to its connection_init
const wss = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  verifyClient: steering.verifyClient,
  autoPong: false,
});

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      echo: {
        type: GraphQLString,
        args: { text: { type: new GraphQLNonNull(GraphQLString) } },
        resolve: (_, { text }) => (steering.muted ? never() : text),
      },
      wait: { type: GraphQLString, resolve: never },
    },
  }),
});

// Before useServer, so that a connection's plan is known when its connection_init comes.
wss.on('connection', (ws, req) => {
  logins.set(ws, steering.opened(ws, req));
  steering.pong(ws);
});

const graphql = useServer(
  {
    schema,
    connectionInitWaitTimeout: 10_000,
    onConnect: ({ connectionParams, extra }) => {
      const plan = logins.get(extra.socket);
      if (plan === 'ignore-login') return never();
      return plan !== 'refuse-login' && tokens.judge(connectionParams);
    },
    onPing: () => (steering.muted ? never() : undefined),
  },
  wss,
  0, // no pings of its own: silence is the peer's part here
);

steering.listen(wss, async () => {
  await graphql.dispose();
  process.exit(0);
});
