# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""The WSGI application that gunicorn and oslo.service run: one answer to every request."""

import os

BODY = os.environ["BENCH_BODY"].encode()


def app(environ, start_response):
    start_response(
        "200 OK",
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(BODY)))],
    )
    return [BODY]
