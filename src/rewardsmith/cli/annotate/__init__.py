"""`rewardsmith annotate`: labels from people, from the first task to rows that training takes. One file a command."""

from __future__ import annotations

import typer

from rewardsmith.cli.annotate import add, ask, create, export, import_project, judge, link, report, serve

app = typer.Typer(
    help="Collect preferences from people: a labelling server, its projects, its quality.", no_args_is_help=True
)

app.command("create")(create.create)
app.command("add")(add.add)
app.command("link")(link.link)
app.command("serve")(serve.serve)
app.command("ask")(ask.ask)
app.command("judge")(judge.judge)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("import")(import_project.import_project)
