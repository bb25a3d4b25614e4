// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/paste"
)

const graphFile = `
[composite:main]
use = egg:Paste#urlmap
/: versions
/v2.1/+: api
debug = yes

[composite:api]
use = call:nova.api.auth:pipeline_factory_v21
keystone = cors auth router
noauth2 = cors router

[pipeline:versions]
pipeline = cors version_app
filter-with = outer

[filter:cors]
use = shared
level = 2
[filter:shared]
paste.filter_factory = oslo_middleware.cors:filter_factory
[filter:outer]
paste.filter_factory = stub:filter
filter-with = cors
[filter:auth]
paste.filter_factory = stub:filter
[app:version_app]
paste.app_factory = stub:app
[app:router]
use = egg:Stub.Dist
[server:http]
use = egg:Stub.Dist#run
`

const graphTree = `composite main  egg:Paste#urlmap  (not registered)
├─ / -> pipeline versions
│  ├─ filter outer
│  │  ├─ filter cors  oslo_middleware.cors:filter_factory  (not registered)
│  │  └─ filter outer  stub:filter
│  └─ pipeline versions
│     ├─ filter cors  oslo_middleware.cors:filter_factory  (not registered)
│     └─ app version_app  stub:app
└─ /v2.1/+ -> composite api  call:nova.api.auth:pipeline_factory_v21  (not registered)
   ├─ keystone -> pipeline
   │  ├─ filter cors  oslo_middleware.cors:filter_factory  (not registered)
   │  ├─ filter auth  stub:filter
   │  └─ app router  egg:Stub.Dist#main
   └─ noauth2 -> pipeline
      ├─ filter cors  oslo_middleware.cors:filter_factory  (not registered)
      └─ app router  egg:Stub.Dist#main
`

// fileOf returns a reader of one file.
func fileOf(text string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

func graph(t *testing.T, text, name string) (string, error) {
	t.Helper()
	f, err := paste.Open("/etc/api-paste.ini", paste.Options{ReadFile: fileOf(text), Registry: new(stubs).registry()})
	if err != nil {
		return "", err
	}
	n, err := f.Graph(name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := n.WriteTree(&b); err != nil {
		t.Fatal(err)
	}
	return b.String(), nil
}

func TestGraph(t *testing.T) {
	for name, want := range map[string]string{
		"":     graphTree,
		"auth": "filter auth  stub:filter\n",
		"http": "server http  egg:Stub.Dist#run\n",
	} {
		if got, err := graph(t, graphFile, name); err != nil || got != want {
			t.Errorf("graph of %q is\n%s, error %v, want\n%s", name, got, err, want)
		}
	}
}

func TestGraphErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a path to nowhere":    {"[composite:main]\nuse = egg:Paste#urlmap\n/: gone\n", "No section 'gone'"},
		"half a pipeline":      {"[composite:main]\nuse = call:a:b\nkeystone = f a\n[app:a]\nuse = egg:x\n", "keystone: "},
		"itself":               {"[composite:main]\nuse = call:a:b\n/: main\n", "refers to itself: [composite:main] > [composite:main]"},
		"a call in a pipeline": {"[pipeline:main]\npipeline = call:a:b\n", "Protocol None unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := graph(t, c.text, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("graph %q, error %v, want %q", got, err, c.want)
			}
		})
	}
}

// What has a graph and no factory missing is what loads, and the other way round, but for what only
// factories know.
func TestGraphCorpus(t *testing.T) {
	want := readResults(t)
	factories := map[string]bool{"app-fails.ini": true, "global-percent.ini": true}
	for _, path := range corpusFiles(t) {
		file := filepath.Base(path)
		f, err := paste.Open(path, paste.Options{Registry: new(stubs).registry()})
		var n *paste.Node
		if err == nil {
			n, err = f.Graph("")
		}
		if err == nil {
			for node := range n.All() {
				if node.Unknown != nil {
					err = node.Unknown
				}
			}
		}
		_, differs := different[file]
		refused := want[file].Refused != "" && !differs && !factories[file]
		if strings.Contains(readCorpus(t, path), "#load:") || strings.Contains(readCorpus(t, path), "#global:") {
			continue
		}
		if refused != (err != nil) && want[file].Refused != "PackageNotFoundError" {
			t.Errorf("%s: error of the graph %v, loaded %q", file, err, want[file].Refused)
		}
	}
}
