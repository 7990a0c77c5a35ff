"""`fenceline score`: where every point of a person went, and whether the ledger follows from the facts."""

import sys
from hashlib import sha256
from pathlib import Path

import click

from fenceline.asking import ask, say
from fenceline.settings import settings
from pipeline.scoring.explain import account
from pipeline.scoring.rules import ScoreRules, read_score_rules
from pipeline.scoring.sum import standing_lines
from schemas.message import Invalid, to_builtins

SAME, DIFFERENT, BAD_RULES = 0, 1, 2
NOT_FOUND = 1


@click.group()
def command() -> None:
    """Explain scores, and make them anew from the topics that they rest on."""


@command.command()
@click.argument("subject_id")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each entry, then the score.")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def explain(subject_id: str, as_json: bool, broker: str | None) -> None:
    """Tell where every point of SUBJECT_ID went: each entry with its effect and why, in English and Chinese.

    The effects add up from 100 to the score.

    \b
    Exit code: 0 told, 1 nothing is known of that person, 3 no broker.
    """
    from agents.topics import topics_there  # noqa: PLC0415  # --help need not wait for it
    from fenceline.scorebooks import reference, written  # noqa: PLC0415
    from gateway.frames import partition_of  # noqa: PLC0415

    broker = broker or settings().broker
    partitions = ask(broker, topics_there(broker)).get("score-entries", 0)
    if not partitions:
        click.echo(f"no topic score-entries at {broker}; make all with: fenceline topics create", err=True)
        sys.exit(3)
    ledgers = ask(broker, written(broker, [partition_of(subject_id, partitions)]))
    score = ledgers.scores.get(subject_id)
    if score is None:
        click.echo(f"nothing is known of the score of {subject_id}: no incident has touched it", err=True)
        sys.exit(NOT_FOUND)
    rules = ask(broker, reference(broker)).score.at(score.as_of)
    lines = account(standing_lines(ledgers.lines.get(subject_id, ())), rules, score.as_of)
    if as_json:
        for line in lines:
            say(to_builtins(line))
        say({**to_builtins(score), "explained": 100 + sum(line.effect for line in lines)})
        return
    for line in lines:
        click.echo(f"{line.effect:+4d}  {line.en}\n      {line.zh}")
    total = 100 + sum(line.effect for line in lines)
    click.echo(
        f"{score.points:4d}  {score.colour}, as of {score.as_of}" + ("" if total >= 0 else f" ({total}, shown as 0)")
    )
    if score.provisional:
        click.echo(f"      {score.points_if_confirmed} if all that is provisional were confirmed")


@command.command()
@click.option(
    "--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Draft rules (YAML) to try."
)
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def replay(rules: Path | None, broker: str | None) -> None:
    """Make all ledgers anew from incidents, leaves and commands, and compare them with the topic, byte by byte.

    With --rules: what every score would be by a draft; a line for each person who would have another.

    \b
    Exit code: 0 the same (or a draft tried), 1 different, 2 the draft cannot be used, 3 no broker.
    """
    broker = broker or settings().broker
    if rules is not None:
        try:
            _try(broker, read_score_rules(rules.read_text("utf-8")))
        except Invalid as why:
            click.echo(f"{rules}: {why}", err=True)
            sys.exit(BAD_RULES)
        return
    _compare(broker)


def _try(broker: str, draft: ScoreRules) -> None:
    from fenceline.scorebooks import made_anew, reference  # noqa: PLC0415  # --help need not wait for it

    now = ask(broker, made_anew(broker, ask(broker, reference(broker))))
    then = ask(broker, made_anew(broker, ask(broker, reference(broker, draft))))
    changed = 0
    for subject_id in sorted(now.scores.keys() | then.scores.keys()):
        before, after = now.scores.get(subject_id), then.scores.get(subject_id)
        old, new = (100 if one is None else one.points for one in (before, after))
        if old != new:
            changed += 1
            colour = after.colour if after is not None else draft.colour(100)
            say({"subject_id": subject_id, "points": old, "by_draft": new, "colour_by_draft": colour})
    say({"draft": draft.version, "subjects": len(now.scores.keys() | then.scores.keys()), "changed": changed})


def _compare(broker: str) -> None:
    from fenceline.scorebooks import made_anew, reference, written  # noqa: PLC0415  # --help need not wait for it

    found = ask(broker, written(broker))
    anew = ask(broker, made_anew(broker, ask(broker, reference(broker))))
    people = sorted(found.lines.keys() | anew.lines.keys())
    different = [name for name in people if found.canonical(name) != anew.canonical(name)]
    for name in different:
        say({"subject_id": name, "topic": len(found.lines.get(name, ())), "anew": len(anew.lines.get(name, ()))})
    digests = [sha256(b"".join(one.canonical(name) for name in people)).hexdigest() for one in (found, anew)]
    say(
        {
            "subjects": len(people),
            "entries": sum(len(standing_lines(lines)) for lines in anew.lines.values()),
            "different": len(different),
            "topic_sha256": digests[0],
            "anew_sha256": digests[1],
            "same": not different,
        }
    )
    sys.exit(DIFFERENT if different else SAME)
