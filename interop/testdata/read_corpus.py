# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""Reads configuration files with oslo.config and writes what it made of them.

read_corpus.py SCHEMA FOLDER writes, as JSON, what became of each *.conf file in a folder. Comments
"#args:" and "#env:" in it say how the program is called, "@" is the file itself. Of the values only
those are written that differ from the values of a program without any configuration.

read_corpus.py SCHEMA FILE writes what log_opt_values logs for a file.

read_corpus.py SCHEMA --sample writes the options as oslo-config-generator does.

SCHEMA is a JSON file that declares the options.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import sys

from oslo_config import cfg, generator, types

logging.disable(logging.CRITICAL)


def make_type(d):
    kind = d["type"]
    kw = {}
    for name in ("min", "max", "choices", "regex", "ignore_case", "max_length", "quotes", "bounds", "version", "schemes"):
        if name in d:
            kw[name] = d[name]
    if kind == "list":
        if "item" in d:
            kw["item_type"] = make_type(d["item"])
        return types.List(**kw)
    if kind == "dict":
        if "item" in d:
            kw["value_type"] = make_type(d["item"])
        return types.Dict(**kw)
    if kind == "range":
        return types.Range(inclusive=not d.get("exclusive"), **kw)
    return {
        "string": types.String, "bool": types.Boolean, "int": types.Integer, "float": types.Float,
        "port": types.Port, "ip": types.IPAddress, "hostname": types.Hostname,
        "hostaddress": types.HostAddress, "hostdomain": types.HostDomain, "uri": types.URI,
    }[kind](**kw)


def make_opt(d):
    kw = {}
    for name in ("default", "short", "secret", "mutable", "help", "sample_default", "advanced", "required"):
        if name in d:
            kw[name] = d[name]
    if "deprecated" in d:
        kw["deprecated_opts"] = [cfg.DeprecatedOpt(n, group=g) for g, n in d["deprecated"]]
    if "removal" in d:
        kw["deprecated_for_removal"] = True
        kw["deprecated_reason"] = d["removal"]
    if d.get("multi") and d["type"] == "string":
        return cfg.MultiStrOpt(d["name"], **kw)
    if d.get("multi"):
        return cfg.MultiOpt(d["name"], item_type=make_type(d), **kw)
    if d["type"] == "bool":
        return cfg.BoolOpt(d["name"], **kw)
    return cfg.Opt(d["name"], type=make_type(d), **kw)


def show(value):
    if isinstance(value, dict):
        value = {k: value[k] for k in sorted(value)}
    return repr(value)


def declare(schema):
    conf = cfg.ConfigOpts()
    for d in schema:
        opt = make_opt(d)
        if d.get("cli"):
            conf.register_cli_opt(opt, group=d.get("group"))
        else:
            conf.register_opt(opt, group=d.get("group"))
    return conf


def read(schema, args, env):
    conf = declare(schema)
    os.environ.update(env)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            conf(args, project="corpus", prog="corpus", default_config_files=[], default_config_dirs=[])
    except (Exception, SystemExit) as e:
        return {"refused": type(e).__name__}
    else:
        values = {}
        for d in schema:
            dest = d["name"].replace("-", "_")
            group = d.get("group")
            try:
                value = show(conf[group][dest] if group else conf[dest])
            except Exception as e:
                value = "error"
            values["%s.%s" % (group or "DEFAULT", dest)] = value
        return {"values": values}
    finally:
        for name in env:
            del os.environ[name]


def case(path):
    args, env = ["--config-file", "@"], {}
    with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
        for line in f:
            if line.startswith("#args:"):
                args = line[len("#args:"):].split()
            elif line.startswith("#env:"):
                name, _, value = line[len("#env:"):].strip().partition("=")
                env[name] = value
    return [a.replace("@", path) for a in args], env


class Lines(logging.Logger):
    def log(self, level, msg, *args):
        print(msg % args if args else msg)


def dump(schema, path):
    conf = declare(schema)
    conf(["--config-file", path], project="corpus", prog="corpus", default_config_files=[], default_config_dirs=[])
    conf.log_opt_values(Lines("dump"), logging.DEBUG)


def corpus(schema, folder):
    nothing = read(schema, [], {})
    results = {"": nothing}
    os.chdir(folder)
    for path in sorted(p for p in os.listdir(".") if p.endswith(".conf")):
        args, env = case(path)
        result = read(schema, args, env)
        if "values" in result:
            result["values"] = {k: v for k, v in result["values"].items() if nothing["values"][k] != v}
        results[path] = result
    json.dump(results, sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
    print()


def sample(schema):
    generator.rst2txt = None  # what it does without that optional package
    formatter = generator._OptFormatter(argparse.Namespace(wrap_width=70, minimal=False, summarize=False))
    groups = {}
    for d in schema:
        groups.setdefault(d.get("group", "DEFAULT"), []).append(make_opt(d))
    for i, (group, opts) in enumerate(groups.items()):
        if i:
            formatter.write("\n\n")
        formatter.format_group(group)
        for opt in opts:
            formatter.write("\n")
            formatter.format(opt, group)


def main():
    with open(sys.argv[1]) as f:
        schema = json.load(f)
    if sys.argv[2] == "--sample":
        return sample(schema)
    if os.path.isdir(sys.argv[2]):
        corpus(schema, sys.argv[2])
    else:
        dump(schema, sys.argv[2])


main()
