// What the npm clients share: client_*.mjs URL TOKEN CONNECTIONS. A client logs in with the token, and prints a line
// for each thing that it meets: `ready` after a login, `echo` after the answer to a message, `lost`, and `refused`
// after a refused login, which ends the program. After the echo on the last of its CONNECTIONS it ends, too.
export const [url, token, connections] = [process.argv[2], process.argv[3], Number(process.argv[4])];

export function say(seen, more = {}) {
  process.stdout.write(`${JSON.stringify({ seen, ...more })}\n`);
}

export function end() {
  process.exit(0);
}

export function check(is, expected) {
  const [left, right] = [JSON.stringify(is), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${left}, not ${right}`);
}

process.on('unhandledRejection', (error) => {
  throw error;
});
