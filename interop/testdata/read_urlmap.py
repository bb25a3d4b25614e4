# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""Sends requests to Paste's URL map and writes what the application behind it sees.

read_urlmap.py reads {"keys": [[key, ...], ...], "requests": [[scheme, host, path], ...]} and writes, for
each list of keys, what became of each request: [key, SCRIPT_NAME, PATH_INFO], or the status.
"""

import json
import sys

from paste import urlmap


def application(key):
    def app(environ, start_response):
        return [key, environ["SCRIPT_NAME"], environ["PATH_INFO"]]

    return app


def send(m, scheme, host, path):
    status = []
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "HTTP_HOST": host, "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "wsgi.url_scheme": scheme, "HTTP_ACCEPT": "text/plain",
    }
    answer = m(environ, lambda s, headers, exc_info=None: status.append(s))
    return int(status[0].split()[0]) if status else answer


def main():
    given = json.load(sys.stdin)
    results = []
    for keys in given["keys"]:
        m = urlmap.URLMap()
        for key in keys:
            m[urlmap.parse_path_expression(key)] = application(key)
        results.append([send(m, *request) for request in given["requests"]])
    json.dump(results, sys.stdout)


main()
