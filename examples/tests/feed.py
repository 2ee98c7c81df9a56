"""A token service and feeds, with Python's `websockets`, for tests/peers.rs. The first line on stdout is the port.

    GET /token   each answer has another token; the first answer is a 500
    /feed        accepts the newest token alone, and hangs up after it has greeted; sends `end` to the third
    /home        says that the next connection goes to /gone; the second time, to /away
    /gone        answers 503
    /away        sends `end`
"""

import asyncio
import http

from websockets.asyncio.server import serve

asked = opened = visits = 0


async def process_request(connection, request):
    """The library's hook before the upgrade: None goes on with it, a response ends it."""
    global asked
    if request.path == "/token":
        asked += 1
        if asked == 1:
            return connection.respond(http.HTTPStatus.INTERNAL_SERVER_ERROR, "once\n")
        return connection.respond(http.HTTPStatus.OK, f"token-{asked}\n")
    if request.path == "/feed" and request.headers.get("Authorization") != f"Bearer token-{asked}":
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "not the newest token\n")
    if request.path == "/gone":
        return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "gone\n")
    return None


async def handle(connection):
    global opened, visits
    path, authority = connection.request.path, connection.request.headers["Host"]
    if path == "/feed":
        opened += 1
        await connection.send(f"hello, token-{asked}")
        last = opened == 3
    else:
        visits += path == "/home"
        await connection.send(f"this is {path}")
        if path == "/home":
            await connection.send(f"moved to ws://{authority}/{'gone' if visits == 1 else 'away'}")
        last = path == "/away"
    if last:
        await connection.send("end")
        await connection.wait_closed()
    else:
        await connection.close(1012)


async def main():
    async with serve(handle, "127.0.0.1", 0, process_request=process_request) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
