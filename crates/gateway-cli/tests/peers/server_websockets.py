"""A WebSocket server of Python's `websockets`, steered fault by fault over stdin by tests/peers.rs.

    server_websockets.py PORT          (0: any free port; the first line on stdout says which)

Everything that it says is one JSON object a line. Each command is answered by {"done": COMMAND, "opens": N}
after it was carried out; {"seen": ...} lines log the connections. The commands are the same in every peer:

    for connections to come, queued, one each:
      reject STATUS [RETRY-AFTER]   answer the upgrade with STATUS
      redirect                      answer the upgrade with 302 and a Location
      stall                         take the connection, never answer the upgrade
      accept-then-drop N            N times: upgrade, then end the stream at once without a close frame
      accept-then-close N CODE      N times: upgrade, then close at once with CODE
    for the connection that is open:
      drop                          reset (RST)
      fin                           end of stream (FIN) without a close frame
      truncate                      half a frame, then FIN
      silent                        stop reading and answering, keep the socket
      mute                          go on reading, answer nothing more
      garbage                       a frame with a reserved opcode
      bad-text                      a text message that is not UTF-8
      big BYTES                     a text message of BYTES bytes
      close CODE [REASON]           the closing handshake
    for the server:
      status                        nothing but the answer
      shutdown                      the library's own orderly shutdown, then exit
"""

import asyncio
import http
import json
import socket
import struct
import sys
from collections import deque

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

RESERVED_OPCODE = b"\x83\x00"
NOT_UTF8 = b"\x81\x02\xc3\x28"
HALF_A_FRAME = b"\x81\x7e\x01\x00half"


def say(**line):
    print(json.dumps(line), flush=True)


class Peer:
    def __init__(self):
        self.opens = 0
        self.current = None
        self.muted = set()
        self.silenced = []
        self.plans = deque()
        self.after_open = {}
        self.ending = asyncio.Event()

    async def process_request(self, connection, request):
        """The library's hook at the upgrade: None goes on with it, a response refuses it."""
        plan = self.plans.popleft() if self.plans else ["open"]
        match plan:
            case ["reject", status, *retry_after]:
                say(seen="upgrade", answered=int(status))
                response = connection.respond(http.HTTPStatus(int(status)), "refused\n")
                for seconds in retry_after:
                    response.headers["Retry-After"] = seconds
                return response
            case ["redirect"]:
                say(seen="upgrade", answered=302)
                response = connection.respond(http.HTTPStatus.FOUND, "elsewhere\n")
                response.headers["Location"] = "/elsewhere"
                return response
            case ["stall"]:
                say(seen="upgrade", answered=None)
                await self.ending.wait()
            case ["open"]:
                pass
            case _:
                self.after_open[connection] = plan
        return None

    async def handle(self, connection):
        self.opens += 1
        n = self.opens
        self.current = connection
        for old in self.silenced:
            old.transport.abort()
        self.silenced.clear()
        say(seen="open", n=n)
        match self.after_open.pop(connection, None):
            case ["drop"]:
                connection.transport.write_eof()
            case ["close", code]:
                await connection.close(int(code))
        try:
            async for message in connection:
                if connection not in self.muted:
                    await connection.send(answer(message))
        except ConnectionClosed:
            pass
        self.muted.discard(connection)
        say(seen="close", n=n, code=connection.close_code)

    async def obey(self, command, server):
        connection = self.current
        match command.split(" ", 2):
            case ["reject", *rest]:
                self.plans.append(["reject", *" ".join(rest).split()])
            case ["redirect"]:
                self.plans.append(["redirect"])
            case ["stall"]:
                self.plans.append(["stall"])
            case ["accept-then-drop", times]:
                self.plans.extend([["drop"]] * int(times))
            case ["accept-then-close", times, code]:
                self.plans.extend([["close", code]] * int(times))
            case ["drop"]:
                raw = connection.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.transport.abort()
            case ["fin"]:
                connection.transport.write_eof()
            case ["truncate"]:
                connection.transport.write(HALF_A_FRAME)
                connection.transport.write_eof()
            case ["silent"]:
                connection.transport.pause_reading()
                self.silenced.append(connection)
            case ["mute"]:
                self.muted.add(connection)
            case ["garbage"]:
                connection.transport.write(RESERVED_OPCODE)
            case ["bad-text"]:
                connection.transport.write(NOT_UTF8)
            case ["big", size]:
                # Not awaited: the client may close before it has read everything.
                self.sending = asyncio.ensure_future(send_quietly(connection, "x" * int(size)))
            case ["close", code, *reason]:
                await connection.close(int(code), *reason)
            case ["status"]:
                pass
            case ["shutdown"]:
                say(done=command, opens=self.opens)
                self.ending.set()
                server.close()
                await server.wait_closed()
                sys.exit(0)
            case _:
                say(error=f"no such command: {command}")
                return
        say(done=command, opens=self.opens)


async def send_quietly(connection, text):
    try:
        await connection.send(text)
    except ConnectionClosed:
        pass


def answer(message):
    """Echoes, but for an application's ping, which gets its pong."""
    try:
        value = json.loads(message)
    except ValueError:
        return message
    if isinstance(value, dict) and value.get("type") == "ping":
        return json.dumps({**value, "type": "pong"})
    return message


async def main():
    peer = Peer()
    server = await serve(
        peer.handle,
        "127.0.0.1",
        int(sys.argv[1]),
        process_request=peer.process_request,
        ping_interval=None,
        open_timeout=None,
        close_timeout=1,
    )
    say(seen="listening", port=server.sockets[0].getsockname()[1])
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        await peer.obey(line.decode().strip(), server)


asyncio.run(main())
