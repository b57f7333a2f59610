"""`rewardsmith gate`: may this reward model be used for that? `rewardsmith report`: the answer for a meeting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import console, print_json, print_table

Audits = Annotated[
    list[Path], typer.Argument(metavar="AUDIT...", help="Folders of audits, evaluations or benchmarks of one model.")
]
PolicyName = Annotated[
    str, typer.Option("--policy", metavar="NAME|FILE", help="research, rerank, optimise, or a YAML file.")
]
Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="FOLDER", help="Stop unless these are the weights that were audited."),
]


def gate(
    audits: Audits,
    policy: PolicyName,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write the verdict here.")] = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Hold an audit against a policy. Missing evidence never passes.

    The exit code is 0 where the model passed, 7 where it failed, 8 where the evidence does not suffice.
    """
    from rewardsmith.gate.tables import headline, verdict_table
    from rewardsmith.gate.verdict import as_json as verdict_json
    from rewardsmith.pipeline.gate import gate_model

    verdict = gate_model(audits, policy=policy, out=out, model=model)
    if as_json:
        print_json(verdict_json(verdict))
    else:
        print_table(verdict_table(verdict))
        console().print(headline(verdict), soft_wrap=True)
    raise typer.Exit(verdict.exit_code)


def report(
    audits: Audits,
    policy: PolicyName,
    out: Out,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Write the release report card: an HTML page, a Hugging Face model card, and JSON.

    The exit code is 0 whatever the verdict: the card tells it. `rewardsmith gate` is for a pipeline to obey.
    """
    from rewardsmith.gate.store import PAGE_NAME
    from rewardsmith.gate.tables import headline
    from rewardsmith.gate.verdict import as_json as verdict_json
    from rewardsmith.pipeline.gate import report_model

    verdict = report_model(audits, policy=policy, out=out, model=model)
    if as_json:
        print_json(verdict_json(verdict))
        return
    console().print(headline(verdict), soft_wrap=True)
    console().print(f"Card: {out / PAGE_NAME}", soft_wrap=True)
