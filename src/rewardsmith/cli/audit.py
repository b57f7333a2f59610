"""`rewardsmith audit`: what would an optimiser find in this reward model?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rewardsmith.cli.options import Cache, Json
from rewardsmith.cli.output import console, print_json, print_table


def audit(
    model: Annotated[str, typer.Argument(help="Checkpoint folder or hub id, of this tool or another.")],
    data: Annotated[str, typer.Argument(help="A prepared folder (its held-out side), or any file of pairs.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write the report here.")] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option("--probe", metavar="NAME", help="Only these: `format.bullets`, or a family: `format`."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", metavar="TEXTS", help="Most texts to score for the probes.", min=1)
    ] = None,
    pressure: Annotated[
        str | None,
        typer.Option("--pressure", metavar="FILE", help="Rated answers, many to a prompt: the best-of-n curve."),
    ] = None,
    fresh: Annotated[
        str | None, typer.Option("--fresh", metavar="FILE", help="Labelled pairs of a new policy's answers.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="MODEL", help="The policy that the reward is meant for.")
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Search for phrases that raise the reward of bad answers.")
    ] = False,
    search_texts: Annotated[
        int | None,
        typer.Option("--search-texts", metavar="TEXTS", help="With --search: most texts to score for it (4,000)."),
    ] = None,
    transfer: Annotated[
        str | None,
        typer.Option("--transfer", metavar="MODEL", help="With --search: does this model fall for them too?"),
    ] = None,
    problems: Annotated[
        str | None,
        typer.Option("--problems", metavar="FILE", help="Problems with answers: the user asserts a wrong one."),
    ] = None,
    persona: Annotated[
        str | None, typer.Option("--persona", metavar="FILE", help="Prompts with and without a persona.")
    ] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the pair file.")] = None,
    rating: Annotated[str | None, typer.Option("--rating", help="Rated rows: the attribute to compare by.")] = None,
    split: Annotated[str, typer.Option("--split", help="Hub data: for example `test[:10%]`.")] = "train",
    cache: Cache = None,
    precision: Annotated[
        Literal["auto", "float32", "bf16"], typer.Option(help="Inside the network; `auto` is what is faster here.")
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Accuracy and shortcuts, and what the reward does when answers are changed in ways that should (not) matter."""
    from rewardsmith.audit.audit import BUDGET
    from rewardsmith.audit.audit import as_json as audit_json
    from rewardsmith.audit.report.probes_table import probes_table
    from rewardsmith.audit.report.summary_table import findings_table, summary_table
    from rewardsmith.pipeline.audit import audit_model
    from rewardsmith.pipeline.further_parts import Further

    source = {"layout": layout, "rating": rating, "split": split}
    done = audit_model(
        model,
        data=data,
        out=out,
        source=source,
        probes=probe or (),
        budget=budget or BUDGET,
        further=Further(
            pressure=pressure,
            fresh=fresh,
            policy=policy,
            search=search,
            search_texts=search_texts,
            transfer=transfer,
            problems=problems,
            persona=persona,
        ),
        cache=cache,
        precision=precision,
    )
    if as_json:
        print_json(audit_json(done))
        return
    print_table(summary_table(done.evaluation))
    print_table(probes_table(done))
    print_table(findings_table(done.evaluation))
    if out is not None:
        console().print(f"Report: {out / 'report.html'}", soft_wrap=True)
