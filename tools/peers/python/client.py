"""The client of websockets' documentation: `async for websocket in connect(...)`.

Connects, sends a message each second, prints nothing. All settings are the library's own.
"""

import asyncio
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def talk(websocket: ClientConnection) -> None:
    while True:
        await websocket.send("hello")
        await asyncio.sleep(1)


async def main(url: str) -> None:
    async for websocket in connect(url):
        talking = asyncio.create_task(talk(websocket))
        try:
            async for _ in websocket:
                pass
        except ConnectionClosed:
            continue
        finally:
            talking.cancel()


asyncio.run(main(sys.argv[1]))
