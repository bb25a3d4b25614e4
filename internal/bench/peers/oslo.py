# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""oslo.service's own WSGI server under its ProcessLauncher, as nova and neutron run it.

usage: oslo.py HOST PORT WORKERS
"""

import eventlet

eventlet.monkey_patch()

import sys

from app import app
from oslo_config import cfg
from oslo_service import service, wsgi


class API(service.ServiceBase):
    """A server that is bound in the launcher and serves in each worker."""

    def __init__(self, conf, host, port):
        self.server = wsgi.Server(conf, "bench", app, host=host, port=port)

    def start(self):
        self.server.start()

    def stop(self):
        self.server.stop()

    def wait(self):
        self.server.wait()

    def reset(self):
        self.server.reset()


def main():
    host, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    conf = cfg.ConfigOpts()
    conf([], project="bench", default_config_files=[], default_config_dirs=[])
    launcher = service.launch(conf, API(conf, host, port), workers=workers)
    launcher.wait()


if __name__ == "__main__":
    main()
