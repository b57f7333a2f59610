"""Projects of each kind in a real store, and browsers without scripts: clients that keep cookies and send forms."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from starlette.testclient import TestClient

from rewardsmith.annotate.app import create_app
from rewardsmith.annotate.raters import Role
from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, user

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_BODY = re.compile(r'<form id="vote".*?</form>', re.DOTALL)

GUIDELINES = "# What we ask\n\nChoose the answer that you would **rather** have."
PROJECTS = {
    "pairs": ProjectSettings(name="pairs", title="Helpful answers", kind="pair", guidelines=GUIDELINES),
    "axes": ProjectSettings(
        name="axes",
        kind="pair",
        axes=("helpful", "truthful", "harmless"),
        rationale="required",
        guidelines=GUIDELINES,
    ),
    "ranks": ProjectSettings(name="ranks", kind="ranking", guidelines=GUIDELINES),
    "ratings": ProjectSettings(name="ratings", kind="attributes", attributes={"depth": (0, 4), "style": (1, 3)}),
    "steps": ProjectSettings(name="steps", kind="first_error", rationale="off"),
}


def make_task(kind: Any, id: str, *, prompt: str = "", texts: tuple[str, ...] = ()) -> Task:
    """A task whose texts name it."""
    n = {"pair": 2, "ranking": 4}.get(kind, 1)
    said = texts or tuple(f"Answer {'ABCD'[i]} to {id}." for i in range(n))
    steps = ("There are 3 boxes.", "3 × 4 = 12.", "So 13.") if kind == "first_error" else ()
    return Task(id, kind, (user(prompt or f"Question {id}?"),), tuple((assistant(text),) for text in said), steps=steps)


def add_project(store: LabelStore, project: ProjectSettings, *, n_tasks: int = 3) -> None:
    """A project with so many tasks, t0 asked first."""
    store.create_project(project)
    add_tasks(store, project, n_tasks)


def add_tasks(store: LabelStore, project: ProjectSettings, n_tasks: int) -> None:
    """Tasks t0, t1, …; the priorities keep their order."""
    tasks = [make_task(project.kind, f"t{i}") for i in range(n_tasks)]
    store.add_tasks(project.name, tasks)
    store.set_priorities(project.name, {task.id: (float(n_tasks - i), "") for i, task in enumerate(tasks)})


def link(store: LabelStore, project: str, name: str, role: Role = "rater") -> str:
    """The token of a new rater's access link."""
    return store.make_link(project, store.add_rater(project, name, role).id)


def browser(store: LabelStore, settings: ServerSettings | None = None, **options: Any) -> TestClient:
    """A browser that nobody has signed in; it does not follow redirects."""
    app = create_app(store, settings)
    return TestClient(app, headers=HTML, follow_redirects=False, raise_server_exceptions=False, **options)


def signed_in(store: LabelStore, project: str, name: str, role: Role = "rater") -> TestClient:
    """The browser of a new rater."""
    client = browser(store)
    assert client.post(f"/a/{link(store, project, name, role)}").status_code == 303
    return client


def hidden(html: str) -> dict[str, str]:
    """The hidden fields of the form that votes."""
    form = _BODY.search(html)
    return {name: unescape(value) for name, value in _HIDDEN.findall(form.group() if form else html)}


def fields(client: TestClient, project: str, path: str = "") -> dict[str, str]:
    """The hidden fields of the task's page."""
    return hidden(client.get(f"/p/{project}{path}").text)


def vote(client: TestClient, project: str, **said: str) -> Any:
    """Vote on the task that the page shows; the reply."""
    return client.post(f"/p/{project}/votes", data={**fields(client, project), **said})
