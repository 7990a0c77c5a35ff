"""What became of a command whose judgement took longer than the answer could wait?"""

from litestar import get

from console.callers import ANYONE, Call, let_in, services_of_call
from console.commanding import Judged
from console.problems import unknown


@get("/api/v1/commands/{command_id:str}", summary="What became of a command", tags=["commands"])
async def result(request: Call, command_id: str) -> Judged:
    """Of my own. waiting: it is not judged yet, or there is none of that id."""
    caller, services = await let_in(request, ANYONE), services_of_call(request)
    found = await services.reader.result(command_id)
    if found is None:
        return Judged(outcome="waiting", command_id=command_id)
    if found.by != caller.principal:
        raise unknown("command", command_id)
    return Judged(
        outcome=found.outcome, command_id=command_id, code=found.code, reason=found.reason, effect=found.effect
    )


ROUTES = [result]
