# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

"""Loads paste files with PasteDeploy and writes what it made of them.

read_paste.py FOLDER writes, as JSON, what became of each *.ini file in a folder: the tree of what its
factories made, or the error. Comments in it say what is loaded, "#load: app main" if there are none,
and what global configuration it gets, "#global: key=value". The folder itself is written as "@".

read_paste.py FILE NAME FACTORIES does so for one file, with stand-ins for the factories of a JSON list
of [protocol, name], where a name is module:attribute or distribution#entry.
"""

import itertools
import json
import os
import re
import sys
import tempfile
import types

from paste.deploy import loadwsgi

made = itertools.count(1)


def app(global_conf, /, **local):
    return {"app": next(made), "global": dict(global_conf), "local": local}


def filter(global_conf, /, **local):
    number = next(made)
    given = dict(global_conf)

    def wrap(behind):
        return {"filter": number, "global": given, "local": local, "next": behind}

    return wrap


def filter_app(behind, global_conf, /, **local):
    return {"filter_app": next(made), "global": dict(global_conf), "local": local, "next": behind}


def server(global_conf, /, **local):
    number = next(made)
    given = dict(global_conf)

    def serve(behind):
        return {"server": number, "global": given, "local": local, "app": behind}

    return serve


def runner(behind, global_conf, /, **local):
    return {"runner": next(made), "global": dict(global_conf), "local": local, "app": behind}


def urlmap(loader, global_conf, /, **local):
    number = next(made)
    parts = [[key, loader.get_app(name, global_conf=global_conf)] for key, name in local.items()]
    return {"composite": number, "global": dict(global_conf), "local": local, "parts": parts}


def pipeline(loader, global_conf, /, **local):
    number = next(made)
    names = local["keystone"].split()
    filters = [loader.get_filter(name) for name in names[:-1]]
    behind = loader.get_app(names[-1])
    for f in reversed(filters):
        behind = f(behind)
    return {"composite": number, "global": dict(global_conf), "local": local, "parts": [["keystone", behind]]}


def fail(global_conf, /, **local):
    raise ValueError("no luck")


stubs = {
    "app_factory": app, "composite_factory": urlmap, "filter_factory": filter, "filter_app_factory": filter_app,
    "server_factory": server, "server_runner": runner,
}


def provide(name, value):
    """Makes module:attribute importable."""
    module, _, attr = name.partition(":")
    parts = module.split(".")
    for i in range(len(parts)):
        full = ".".join(parts[:i + 1])
        if full not in sys.modules:
            sys.modules[full] = types.ModuleType(full)
            sys.modules[full].__path__ = []
            if i:
                setattr(sys.modules[".".join(parts[:i])], parts[i], sys.modules[full])
    target = sys.modules[module]
    *outer, last = attr.split(".")
    for part in outer:
        if not hasattr(target, part):
            setattr(target, part, types.SimpleNamespace())
        target = getattr(target, part)
    setattr(target, last, value)


def distribution(folder, name, entries):
    """Makes a distribution with entry points, a list of (protocol, entry, module:attribute)."""
    info = os.path.join(folder, "%s-1.0.dist-info" % re.sub("[-_.]+", "_", name))
    os.makedirs(info)
    with open(os.path.join(info, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name)
    with open(os.path.join(info, "entry_points.txt"), "w") as f:
        for protocol in sorted({e[0] for e in entries}):
            f.write("[paste.%s]\n" % protocol)
            for p, entry, target in entries:
                if p == protocol:
                    f.write("%s = %s\n" % (entry, target))


def corpus_stubs(folder):
    for name, value in {
        "stub:app": app, "stub:App.factory": app, "stub.sub:app": app, "stub:filter": filter,
        "stub:filter_app": filter_app, "stub:server": server, "stub:runner": runner, "stub:urlmap": urlmap,
        "stub:pipeline": pipeline, "stub:fail": fail,
    }.items():
        provide(name, value)
    distribution(folder, "Stub.Dist", [
        ("app_factory", "main", "stub:app"), ("app_factory", "both", "stub:app"), ("composite_factory", "both", "stub:urlmap"),
        ("composit_factory", "old", "stub:urlmap"), ("composite_factory", "urlmap", "stub:urlmap"),
        ("filter_factory", "main", "stub:filter"), ("filter_factory", "two", "stub:filter"),
        ("filter_app_factory", "two", "stub:filter_app"), ("filter_app_factory", "wrap", "stub:filter_app"),
        ("server_factory", "main", "stub:server"), ("server_runner", "run", "stub:runner"),
    ])


def listed_stubs(folder, factories):
    dists = {}
    for protocol, name in factories:
        stub = stubs[protocol]
        if protocol == "composite_factory" and "pipeline_factory" in name:
            stub = pipeline
        if "#" not in name:
            provide(name, stub)
            continue
        dist, _, entry = name.partition("#")
        target = "standin_%s:%s_%s" % (re.sub(r"\W", "_", dist), protocol, entry)
        provide(target, stub)
        dists.setdefault(dist, []).append((protocol, entry, target))
    for dist, entries in dists.items():
        distribution(folder, dist, entries)


def load(path, kind, name, global_conf):
    global made
    made = itertools.count(1)
    try:
        result = getattr(loadwsgi, "load" + kind)("config:" + path, name=name, global_conf=global_conf or None)
        if kind != "app":
            result = result({"app": 0})
        json.dumps(result)  # what is left a function is no application
        return {"tree": result}
    except (Exception, RecursionError) as e:
        text = "" if isinstance(e, RecursionError) else str(e.args[0] if e.args else e)
        return {"refused": type(e).__name__, "text": text}


def case(path):
    kind, name, global_conf = "app", "main", {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("#load:"):
                kind, _, name = line[len("#load:"):].strip().partition(" ")
            elif line.startswith("#global:"):
                key, _, value = line[len("#global:"):].strip().partition("=")
                global_conf[key] = value
    return kind, name, global_conf


def main():
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        if len(sys.argv) == 2:
            corpus_stubs(folder)
            here = os.path.abspath(sys.argv[1])
            results = {}
            for path in sorted(p for p in os.listdir(here) if p.endswith(".ini")):
                results[path] = load(os.path.join(here, path), *case(os.path.join(here, path)))
        else:
            here = os.path.dirname(os.path.abspath(sys.argv[1]))
            with open(sys.argv[3]) as f:
                listed_stubs(folder, json.load(f))
            results = load(os.path.abspath(sys.argv[1]), "app", sys.argv[2], {})
        text = json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False)
        print(text.replace(here, "@"))


main()
