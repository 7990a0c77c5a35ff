"""How does whoever watches the demo get in? By links: an officer to the desk, the followed person to their page."""

from collections.abc import Callable

from console.links import make_link
from fenceline.demo.office import JUSTICE, OFFICER
from fenceline.demo.stack import Stack
from fenceline.demo.town import Person
from fenceline.settings import read_settings


class Links:
    """Ways into the demo's console; new ones each time, as each works once."""

    def __init__(self, stack: Stack, followed: Person) -> None:
        self._settings = read_settings(stack.environ)
        self._url = stack.urls["console"]
        self._followed = followed

    async def tell(self, say: Callable[[str], None]) -> None:
        """Print a link of each kind."""
        desk = await make_link(self._settings, "officer", OFFICER, JUSTICE, self._url)
        person = await make_link(self._settings, "subject", self._followed.subject_id, JUSTICE, self._url)
        say("Look at it in a browser (each link signs in once, within 15 minutes):")
        say(f"  the duty desk, as {OFFICER}:  {desk}")
        say(f"  the page of case {self._followed.case_ref}:  {person}")
        say("")
