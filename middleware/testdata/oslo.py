# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""Serves the cases of a JSON file through oslo.middleware, the one that the header Case names.

Usage: oslo.py CASES. Writes the port it listens on to standard output, and serves until it is ended.
"""

import io
import json
import logging
import socketserver
import sys
import warnings
from wsgiref import simple_server

warnings.simplefilter("ignore")
logging.disable()

from oslo_config import cfg  # noqa: E402
import oslo_middleware  # noqa: E402
from oslo_middleware import base  # noqa: E402
from oslo_middleware import cors  # noqa: E402
from oslo_middleware import healthcheck  # noqa: E402
from oslo_middleware import http_proxy_to_wsgi  # noqa: E402

FILTERS = {
    "request_id": oslo_middleware.RequestId.factory,
    "catch_errors": oslo_middleware.CatchErrors.factory,
    "sizelimit": oslo_middleware.RequestBodySizeLimiter.factory,
    "http_proxy_to_wsgi": http_proxy_to_wsgi.HTTPProxyToWSGI.factory,
    "cors": cors.filter_factory,
    "healthcheck": healthcheck.Healthcheck.factory,
}


def application(spec):
    def app(environ, start_response):
        size = 0
        if spec.get("read"):
            size = len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or -1)))
        if spec.get("raise"):
            raise RuntimeError("raised")
        headers = [tuple(h) for h in spec.get("headers", [])]
        body = spec.get("body", "")
        if spec.get("echo"):
            headers.append(("Content-Type", "text/plain; charset=UTF-8"))
            body = "scheme=%s host=%s client=%s prefix=%s body=%d" % (
                environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ["REMOTE_ADDR"], environ["SCRIPT_NAME"], size)
        if spec["status"] != 204:
            headers.append(("Content-Length", str(len(body))))
        start_response("%d Status" % spec["status"], headers)
        return [body.encode()]
    return app


def built(case):
    # What a filter is told stays in the global options otherwise.
    cfg.CONF.reset()
    for group in ("oslo_middleware", "healthcheck", "cors"):
        if group in cfg.CONF._groups:
            for name in list(cfg.CONF._groups[group]._opts):
                cfg.CONF.clear_override(name, group=group)
    if case["filter"] == "healthcheck_app":
        return oslo_middleware.Healthcheck.app_factory({}, **case.get("conf", {}))
    app = FILTERS[case["filter"]]({}, **case.get("conf", {}))(application(case["app"]))
    # An error of a body that is read reaches a filter around this one, as there is in each pipeline.
    return base.ConfigurableMiddleware(app) if case["filter"] == "sizelimit" else app


def dechunk(stream):
    body = b""
    while True:
        size = int(stream.readline(), 16)
        body += stream.read(size)
        stream.readline()
        if size == 0:
            return io.BytesIO(body)


def serve(environ, start_response):
    case = CASES[environ.pop("HTTP_CASE")]
    environ["SERVER_PORT"] = str(8774)
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
        environ["wsgi.input"] = dechunk(environ["wsgi.input"])
        environ["wsgi.input_terminated"] = True
        environ.pop("CONTENT_LENGTH", None)
    return built(case)(environ, start_response)


class Handler(simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass

    def get_environ(self):
        environ = super().get_environ()
        # wsgiref makes an absent type a present one.
        if self.headers.get("content-type") is None:
            environ.pop("CONTENT_TYPE", None)
        if self.headers.get("content-length") is None:
            environ.pop("CONTENT_LENGTH", None)
        return environ


CASES = json.load(open(sys.argv[1]))
cfg.CONF([], project="mainstay", default_config_files=[])
server = simple_server.make_server("127.0.0.1", 0, serve, handler_class=Handler)
print(server.server_port, flush=True)
server.serve_forever()
