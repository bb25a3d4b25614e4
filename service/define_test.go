// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

func TestDefineConstructsAtEachStart(t *testing.T) {
	log := newTranscript()
	made := 0
	svc := service.Define("defined", func(ctx context.Context) (service.Service, error) {
		made++
		return &actor{name: fmt.Sprintf("inner%d", made), log: log}, nil
	})
	if got := service.NameOf(svc); got != "defined" {
		t.Errorf("NameOf = %q, want defined", got)
	}
	inner := func() service.Service { return svc.(interface{ Unwrap() service.Service }).Unwrap() }
	g := newGroup(t, svc)
	if made != 0 || inner() != nil {
		t.Errorf("%d made before Start, Unwrap = %v", made, inner())
	}
	for i := 1; i <= 2; i++ {
		served := running(t, g)
		if a, ok := inner().(*actor); !ok || a.name != fmt.Sprintf("inner%d", i) {
			t.Errorf("Unwrap = %v, want what Start %d made", inner(), i)
		}
		if err := g.Shutdown(servicetest.Draining(t.Context(), service.Replace)); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if inner() != nil {
			t.Errorf("Unwrap = %v after the end, want nil", inner())
		}
	}
	if made != 2 {
		t.Errorf("made %d, want 2", made)
	}
}

func TestDefineFailsInStart(t *testing.T) {
	for name, c := range map[string]struct {
		construct func(context.Context) (service.Service, error)
		want      string
	}{
		"when the constructor does": {
			func(context.Context) (service.Service, error) { return nil, errBroken },
			"construct db: broken",
		},
		"when it makes nothing": {
			func(context.Context) (service.Service, error) { return (*actor)(nil), nil },
			"construct db: constructed nothing",
		},
		"when what it made does not start": {
			func(context.Context) (service.Service, error) {
				return &actor{name: "inner", log: newTranscript(), startErr: errBroken}, nil
			},
			"start db: broken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			svc := service.Define("db", c.construct)
			err := newGroup(t, svc).Start(t.Context())
			se, ok := errors.AsType[*service.ServiceError](err)
			if !ok || se.Error() != c.want || se.Service != "db" {
				t.Errorf("Start: %v, want %v", err, c.want)
			}
			if u := svc.(interface{ Unwrap() service.Service }).Unwrap(); u != nil {
				t.Errorf("Unwrap = %v after a failed start", u)
			}
			if err := svc.Serve(t.Context()); err == nil {
				t.Error("Serve without Start: no error")
			}
		})
	}
}
