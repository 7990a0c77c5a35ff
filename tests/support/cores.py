"""What a core's changelog would hold."""

from pipeline.step import Change, Core


def changes(core: Core) -> list[Change]:
    """All that it gives out, drawn at once."""
    return [change for piece in core.changed() for change in piece]
