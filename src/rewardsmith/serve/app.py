"""The web application: guards around the routes of every wire format, over one set of models.

A request meets, from the outside to the inside:

1. `RequestLog`: it gets its id; whatever is raised becomes the error envelope; its log line and metrics are written.
2. `KeyGuard`: its key is looked up (401), before its body is read.
3. `RateGuard`: requests and tokens a second of its client (429).
4. `BodyLimit`: its body is read, no further than the limit and no longer than the time-out (413, 408).
5. The route: JSON (415, 400), the wire format (422), the number of texts (413), the model (404), its queue (429), its
   answer (413, 422, 503) before the deadline (504). When the client goes away, its texts leave the queue.
"""

from __future__ import annotations

import time

from fastapi import FastAPI

from rewardsmith import __version__
from rewardsmith.serve.models import ServedModels
from rewardsmith.serve.page.routes import page_paths, page_router
from rewardsmith.serve.protocols import embeddings, llamafactory, openrlhf, operate, pairs, rewards, tei, vllm
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.watch import Watch
from rewardsmith.web.guards import Guards, add_guards
from rewardsmith.web.keys import OPEN_PATHS
from rewardsmith.web.limits import Allowance
from rewardsmith.web.store import KeysFile

_ABOUT = """Rewards of conversations, in our own format and in those of vLLM, TEI, OpenAI, OpenRLHF and LLaMA-Factory.

A reward is a raw logit. It compares within one prompt and one model only. Texts go in as they are; messages, pairs and
answers to a prompt go through the model's chat template; the header `X-Rewardsmith-Rendering` says which."""


def create_app(models: ServedModels, settings: ServeSettings) -> FastAPI:
    """The application that serves `models`; it neither loads nor ends them.

    Whoever runs it calls `app.state.watch.close()` at the end, so that the traffic log is whole.

    Raises:
        SettingsError: The file of keys cannot be read, or the traffic log cannot be written.
    """
    watch = Watch(models, settings)
    # No /docs: its page loads scripts from a network that a server in a closed one does not have.
    app = FastAPI(title="rewardsmith", version=__version__, description=_ABOUT, docs_url=None, redoc_url=None)
    app.state.models = models
    app.state.watch = watch
    app.state.started_at = int(time.time())
    keys = None if settings.keys_file is None else KeysFile(settings.keys_file)
    add_guards(
        app,
        Guards(
            keys=keys or (lambda: None),
            allowance=Allowance(
                requests_per_s=settings.requests_per_s,
                tokens_per_s=settings.tokens_per_s,
                burst_s=settings.burst_s,
                max_texts=settings.max_texts,
            ),
            max_body_bytes=settings.max_body_bytes,
            body_timeout_s=settings.body_timeout_s,
            open_paths=OPEN_PATHS | page_paths() | {"/openapi.json"},
            on_finish=watch.metrics.observe_request,
            logs_texts=settings.log_texts,
        ),
    )
    # The page first: a model's card lies below the path of the model.
    app.include_router(page_router(needs_key=keys is not None))
    for module in (rewards, vllm, pairs, tei, embeddings, openrlhf, llamafactory):
        app.include_router(module.router)
    app.include_router(operate.health_router)
    app.include_router(operate.models_router)
    return app
