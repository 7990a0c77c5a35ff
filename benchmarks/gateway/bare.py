"""The peer: a Litestar handler that parses a body of fixes and answers; no token, broker, limits, log or counters.

`python -m benchmarks.gateway.bare PORT`, with the server's settings of the gateway.
"""

import sys
from typing import Any

import msgspec
import uvicorn
import uvloop
from litestar import Litestar, Request, Response, post

from schemas.fix import decode_fixes


@post("/v1/fixes", status_code=202)
async def parse_only(request: Request[Any, Any, Any]) -> Response[bytes]:
    """202 with the number of fixes in the body."""
    fixes = decode_fixes(await request.body())
    return Response(msgspec.json.encode({"accepted": len(fixes)}), media_type="application/json")


async def _serve(port: int) -> None:
    app = Litestar([parse_only], openapi_config=None, request_max_body_size=None)
    await uvicorn.Server(
        uvicorn.Config(app, port=port, http="httptools", ws="none", log_config=None, access_log=False)
    ).serve()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
