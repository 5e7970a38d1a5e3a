"""The application: every route of one server process, and what they share."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from multiprocessing.util import Finalize

from flask import Flask

from doneyet.cycle_search import no_cycle_search
from doneyet.logs import set_up_logs
from doneyet.settings import Settings
from doneyet.task_types import Registry, load_registry
from doneyet.tracing import Tracing, open_tracing
from http_server.keys.key_ring import KeyRing
from http_server.keys.session_cookie import SessionCookie
from http_server.keys.sessions import Sessions
from http_server.manager_factory import open_manager
from http_server.metrics.names import metric_prefix
from http_server.metrics.queue_metrics import QueueMetrics
from http_server.metrics.request_metrics import RequestMetrics
from http_server.metrics.webhook_metrics import WebhookMetrics
from http_server.middleware.access import Access
from http_server.middleware.access_log import access_log
from http_server.middleware.authentication import Authentication
from http_server.middleware.checked import with_checks
from http_server.middleware.client_address import ClientAddress
from http_server.middleware.client_name import ClientName
from http_server.middleware.observed import Observer, with_observers
from http_server.middleware.rate_limit import RateLimit
from http_server.middleware.root_path import with_root_path
from http_server.middleware.traced import with_spans
from http_server.routes.dashboard import Login, add_dashboard_routes
from http_server.routes.docs import add_docs_routes
from http_server.routes.events import add_event_routes
from http_server.routes.health import add_health_routes
from http_server.routes.listings import add_listing_routes
from http_server.routes.load import add_load_routes
from http_server.routes.metrics import add_metrics_routes
from http_server.routes.tasks import add_task_routes
from http_server.routes.types_by_id import TypesById
from http_server.serving.large_answers import LargeAnswers, with_large_answers
from http_server.serving.lifecycle import drain_on_signal
from http_server.serving.memory import keep_heap_small
from http_server.submit.service import SubmitService
from http_server.submit.view import SubmitView, add_submit_routes, with_fast_path
from http_server.wire.asker import asker_from, nobody
from http_server.wire.body_reader import BodyReader, tell_protocol
from http_server.wire.error_handlers import ErrorResponses, add_error_handlers
from task_manager.interface import TaskSubmitter

COLLECT_AFTER = 50_000
"""New objects before Python looks for cycles. The cache holds hundreds of thousands of objects that
are in none, and arrays of inputs make thousands at once: with the default (700) the search took
more than a quarter of the time of new arrays."""


def create_app(
    settings: Settings, manager: TaskSubmitter | None = None, registry: Registry | None = None
) -> Flask:
    """The WSGI application; begins to listen for news of finished tasks.

    Its `extensions["doneyet"]` is the `SubmitService`, whose `close` ends what was begun here.
    """
    registry = registry or load_registry(settings)
    manager = manager or open_manager(settings, registry)
    tracing = open_tracing(settings, "doneyet-server")
    service = SubmitService(manager, settings, registry, tracing)
    app = Flask("http_server", static_folder=None)
    app.extensions["doneyet"] = service
    app.url_map.merge_slashes = False  # its redirects are HTML
    app.extensions["bodies"] = bodies = BodyReader(settings)
    address_of = ClientAddress(settings).of
    asker_of = asker_from(settings) if manager.promises.fair else nobody(settings)
    client_of = ClientName(settings).of
    views = add_submit_routes(
        app, registry, service, bodies, settings, asker_of=asker_of, client_of=client_of
    )
    types = TypesById(registry, manager)
    add_task_routes(app, registry, service, types)
    add_listing_routes(app, registry, service)
    add_event_routes(app, service, types, asker_of)
    add_load_routes(app, registry, service)
    add_health_routes(app, service)
    add_docs_routes(app, registry, settings)
    observers: list[Observer] = []
    if settings.enable_metrics == "true":
        prefix = metric_prefix(settings)
        requests = RequestMetrics(prefix, service.cache.remembered)
        deliveries = service.keeper.deliveries if service.keeper is not None else {}
        requests.registry.register(WebhookMetrics(prefix, deliveries))
        add_metrics_routes(app, requests, QueueMetrics(manager, registry.types, prefix))
        observers.append(requests.observe)
    if settings.access_log == "on":
        observers.append(access_log(address_of))
    responses = ErrorResponses(service.outage, settings.root_path)
    add_error_handlers(app, responses)
    app.wsgi_app = with_fast_path(app.wsgi_app, views, responses)  # type: ignore[method-assign, assignment]
    _stand_before(app, settings, manager, views=views, observers=observers, tracing=tracing)
    service.start()
    return app


def _stand_before(
    app: Flask,
    settings: Settings,
    manager: TaskSubmitter,
    *,
    views: Mapping[str, SubmitView],
    observers: Sequence[Observer],
    tracing: Tracing | None,
) -> None:
    """Puts before the application what every request passes first; the outermost comes last."""
    rate = settings.client_rate
    access, login = Access(settings), None
    # First of all, so that a page of another site cannot use up what its visitor may ask for.
    checks = [access.problem]
    if settings.keys:  # before the limit, which is a key's
        ring = KeyRing(settings.keys)
        sessions = Sessions(ring, manager.shared_values(), SessionCookie(settings))
        paths = frozenset(views)
        login = Login(Authentication(ring, sessions, access, app.url_map, paths), sessions)
        checks.append(login.authentication.problem)
    if rate > 0 or settings.keys:
        checks.append(RateLimit(rate, ClientName(settings).of, manager.allow).problem)
    add_dashboard_routes(app, login)
    app.wsgi_app = with_checks(app.wsgi_app, checks)  # type: ignore[method-assign, assignment]
    if access.cors:  # around the checks, so that the pages can read why they are refused
        app.wsgi_app = access.cors.around(app.wsgi_app, access.is_own)  # type: ignore[method-assign, assignment]
    if observers:
        app.wsgi_app = with_observers(app.wsgi_app, observers)  # type: ignore[method-assign, assignment]
    app.wsgi_app = with_large_answers(app.wsgi_app, LargeAnswers())  # type: ignore[method-assign, assignment]
    if tracing is not None:
        app.wsgi_app = with_spans(app.wsgi_app, tracing.tracer)  # type: ignore[method-assign, assignment]
    if settings.root_path:  # last, so that nothing else sees it
        app.wsgi_app = with_root_path(app.wsgi_app, settings.root_path)  # type: ignore[method-assign, assignment]


def app_for_server(*, redis_was_away: bool = False) -> Flask:
    """The application of one granian worker process, from its environment's settings.

    Args:
        redis_was_away: when the program was started, which has said so.
    """
    settings = Settings.from_environment()
    set_up_logs(settings)
    keep_heap_small()
    with no_cycle_search():
        app = create_app(settings)
    service = app.extensions["doneyet"]
    if redis_was_away:
        service.outage.was_away()
    drain_on_signal(service.room)
    if service.tracing is not None:  # granian's processes end without what `atexit` has
        Finalize(None, service.tracing.close, exitpriority=0)
    tell_protocol()
    app.extensions["bodies"].watch()
    gc.set_threshold(COLLECT_AFTER)
    return app
