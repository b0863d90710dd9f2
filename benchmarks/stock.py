"""What one gets for free: a stock Channels consumer, a group for each action, nothing stored.

It speaks as much of the protocol as the load needs: ``sub``, ``pub`` of an init, ``pub`` of a
success, which it tells everyone in the action's group together with an ``end``.
"""

import json
import sys
from typing import Any

import uvicorn
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            # the layer drops what is over its capacity, and without a word
            "CONFIG": {"capacity": 100_000},
        }
    }
)


class StockConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """As in the tutorial."""

    async def connect(self) -> None:
        """Accept; nobody is asked for a key."""
        self.action_of: dict[str, str] = {}
        self.groups_joined: set[str] = set()
        await self.accept("taskhub.v1")

    async def receive(self, text_data: str = "", bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        """A frame."""
        message = json.loads(text_data)
        if message["cmd"] == "sub":
            await self._join(message["action"])
            await self._say({"status": "ok", "id": message["id"]})
        elif message["event"] == "init":
            await self._join(message["action"])
            await self._tell(message["action"], message)
        else:
            action = self.action_of.pop(message["taskId"])
            await self._tell(action, message)
            await self._tell(action, {"event": "end", "taskId": message["taskId"]})

    async def _join(self, action: str) -> None:
        if action not in self.groups_joined:
            self.groups_joined.add(action)
            await self.channel_layer.group_add(_group(action), self.channel_name)

    async def _tell(self, action: str, message: dict[str, Any]) -> None:
        told = {"type": "task.event", "message": message}
        await self.channel_layer.group_send(_group(action), told)

    async def task_event(self, event: dict[str, Any]) -> None:
        """A message of the group."""
        message = event["message"]
        if message["event"] == "init":
            self.action_of[message["taskId"]] = message["action"]
        await self._say({"status": "ok", **message})

    async def _say(self, message: dict[str, Any]) -> None:
        await self.send(json.dumps(message, separators=(",", ":")))


def _group(action: str) -> str:
    return action.replace("/", ".").replace(":", ".")


if __name__ == "__main__":
    uvicorn.run(
        StockConsumer.as_asgi(),
        port=int(sys.argv[1]),
        loop="uvloop",
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
    )
