"""The program `fenceline`: one command a part, machine-readable output on stdout, logs on stderr."""

from importlib import import_module

import click

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module in fenceline.commands, what it does)
    "demo": ("demo", "the whole system on this machine, with devices on the move"),
    "doctor": ("doctor", "what is missing, and the command that mends it"),
    "worker": ("worker", "judge what comes in"),
    "topics": ("topics", "make, list and describe the topics"),
    "tap": ("tap", "see what goes by on a topic"),
    "notifier": ("notifier", "carry messages out: SMS, push, e-mail, webhooks"),
    "project": ("project", "keep what the console shows, in Redis"),
    "rebuild": ("rebuild", "empty what the console shows; it is filled anew from the topics"),
    "examiner": ("examiner", "have the pictures of check-ins measured"),
    "gateway": ("gateway", "take in positions over HTTP and MQTT"),
    "console": ("console", "the duty desk and the person's page, with their API"),
    "link": ("link", "make a link that signs somebody in, once"),
    "token": ("token", "issue, revoke and list tokens"),
    "replay": ("replay", "judge a file of fixes, or history; try a draft of the rules"),
    "enroll": ("enroll", "take up pictures of a person's face as templates"),
    "verify": ("verify", "compare the faces in two pictures"),
    "identity": ("identity", "keys, plans' seeds and their audit; how often faces are told apart wrongly"),
    "explain": ("explain", "say why an incident was raised, in words and in a picture"),
    "load": ("load", "write fences, subjects, activations, leaves, rosters or plans to their topics"),
    "rules": ("rules", "show, check and publish the rules of scores, alerts and tasks"),
    "command": ("command", "acknowledge, resolve, confirm, decide ...: give a command"),
    "score": ("score", "where every point of a person went; ledgers made anew"),
    "alerts": ("alerts", "how often alerts are right"),
    "audit": ("audit", "verify the record of who did and read what"),
    "fences": ("fences", "check files of fences"),
}


class _Lazy(click.Group):
    """A group that imports a command's module when the command is called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"fenceline.commands.{COMMANDS[cmd_name][0]}").command
        assert isinstance(command, click.Command)  # noqa: S101  # a wrong table is a bug of ours, not of the user
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fenceline")
def main() -> None:
    """Watch over duties to be, or not to be, somewhere: from a device's fix to people who act."""
