"""How bodies are read and replies written: orjson both ways."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response


class JsonRequest(Request):
    """A request whose body is read by orjson.

    It refuses what the standard library takes and no model can read: NaN and infinities, half a surrogate pair, and
    nesting that is deeper than a thousand levels.
    """

    async def json(self) -> Any:
        """The body.

        Raises:
            JSONDecodeError: It is not JSON.
        """
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class JsonRoute(APIRoute):
    """A route whose requests are `JsonRequest`s."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json


def json_reply(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`content` as JSON. A float reads back as the very float32 that it was; NaN, of a step that was cut, is null."""
    return Response(orjson.dumps(content), status, headers=headers, media_type="application/json")
