"""Why is there no answer? The ways in which a question to the read model ends."""


class Away(Exception):
    """Redis does not answer: 503 read_model_away."""


class Starting(Exception):
    """The read model is being filled, and would show less than there is: 503 starting."""


class Unknown(Exception):
    """There is none of that name. `what`: alert, task, subject ...: 404 unknown_<what>."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"there is no {what} {name}")
        self.what = what
        self.name = name


class OtherAgency(Exception):
    """It is there, but not for this agency: 403 other_agency."""
