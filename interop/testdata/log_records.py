# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""Logs records through oslo.log: log_records.py CONFIG-FILE LOG-FILE, records as JSON on standard input."""

import json
import sys
import time

from oslo_config import cfg
from oslo_context import context
from oslo_log import log

job = json.load(sys.stdin)
conf = cfg.ConfigOpts()
log.register_options(conf)
conf(['--config-file', sys.argv[1], '--log-file', sys.argv[2]], project='prog')
log.setup(conf, 'prog')
time.time = lambda: job['created']
for record in job['records']:
    extra = dict(record.get('extra') or {})
    if record.get('context'):
        extra['context'] = context.RequestContext(overwrite=False, **record['context'])
        vars(context._request_store).clear()  # the first one stays there, for the lines without
    log.getLogger(record['name']).log(record['level'], record['message'], **extra)
