// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// What a client reads at most: a status of 4,096 workers takes less than 4 MiB; of inspections there may
// be a large one from every worker.
const (
	maxAnswer      = 16 << 20
	maxInspections = 512 << 20
)

// A Client asks the program behind a control socket. Its methods may be called from many goroutines
// at once; each makes a connection of its own. They wait for the answer until ctx ends, and an action
// is answered when it is complete: a reload after its last worker, a stop after the last has gone.
type Client struct {
	Path string // of the socket

	// Progress, if set, is told how far an action has come, in the goroutine that waits for it. The
	// program may have gone on meanwhile: what came in between is left out.
	Progress func(Progress)
}

// NewClient returns a client for the socket at path. It does not connect yet.
func NewClient(path string) *Client { return &Client{Path: path} }

// Status asks what runs. The error is [ErrNoAnswer] if nothing does.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, statusPath, nil, &s, maxAnswer)
	return s, err
}

// Reload does what HUP does: new workers, or a mutate, by the program's restart method. A reload that
// was refused or abandoned is an [*Error], and its outcome says how far it came.
func (c *Client) Reload(ctx context.Context) (Outcome, error) {
	return c.action(ctx, reloadPath, nil)
}

// Stop does what TERM does: a graceful stop.
func (c *Client) Stop(ctx context.Context) (Outcome, error) {
	return c.action(ctx, stopPath, nil)
}

// Scale sets the number of workers of a set; an empty name means the only one. The number holds through
// reloads, until the program's configuration says another one than it did before.
func (c *Client) Scale(ctx context.Context, set string, workers int) (Outcome, error) {
	return c.action(ctx, scalePath, scaleRequest{set, &workers})
}

// Check makes and checks the plan that a reload would run, and changes nothing.
func (c *Client) Check(ctx context.Context) (Outcome, error) {
	return c.action(ctx, planPath, nil)
}

func (c *Client) action(ctx context.Context, path string, body any) (Outcome, error) {
	if c.Progress != nil {
		return c.streamed(ctx, path, body)
	}
	var out Outcome
	err := c.call(ctx, http.MethodPost, path, body, &out, maxAnswer)
	return out, err
}

// Kinds asks what there is to inspect, as tasks. Workers that do not answer in time are left out.
func (c *Client) Kinds(ctx context.Context) ([]string, error) {
	var kinds []string
	err := c.call(ctx, http.MethodGet, inspectPath, nil, &kinds, maxAnswer)
	return kinds, err
}

// Inspect asks all workers of the program, or its one process, what they show of a kind: one entry for
// each service that shows any, what the launcher itself shows first. It waits about two seconds for a
// worker, whose entry then has the error. A kind that nothing in the program shows is an [*Error] of
// status 404 that names those there are.
func (c *Client) Inspect(ctx context.Context, kind string) ([]Inspection, error) {
	if kind == "" || kind == "." || kind == ".." { // no path leads to these
		return nil, fmt.Errorf("kind: %q: want a name", kind)
	}
	var all []Inspection
	err := c.call(ctx, http.MethodGet, inspectPath+"/"+url.PathEscape(kind), nil, &all, maxInspections)
	return all, err
}

// call sends one request and reads its answer of at most max bytes into v, also the answer of a refusal.
func (c *Client) call(ctx context.Context, method, path string, body, v any, max int64) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, max+1))
	if err != nil {
		return c.explain(err)
	}
	if int64(len(answer)) > max {
		return fmt.Errorf("control socket %s: answer to %s of more than %d bytes", c.Path, path, max)
	}
	return decode(resp, answer, v)
}

// streamed is action with progress.
func (c *Client) streamed(ctx context.Context, path string, body any) (Outcome, error) {
	resp, err := c.send(ctx, http.MethodPost, path+"?progress=1", body)
	if err != nil {
		return Outcome{}, err
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != ndjson { // refused before there was an action, or an older program
		var out Outcome
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return out, c.explain(err)
		}
		return out, decode(resp, answer, &out)
	}
	out, err := readStream(resp.Body, c.Progress)
	if _, refused := errors.AsType[*Error](err); err != nil && !refused {
		err = c.explain(err)
	}
	return out, err
}

// send sends one request; the body of the answer is the caller's to close.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	if err := checkPath(c.Path); err != nil {
		return nil, fmt.Errorf("control socket %s: %w", c.Path, err)
	}
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://mainstay"+path, &sent)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DialContext: c.dial, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, c.explain(err)
	}
	return resp, nil
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", c.Path)
}

// explain says in one line, without the words of HTTP, why there is no answer.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("control socket %s: %w: %w", c.Path, ErrNoAnswer, cause(err))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("control socket %s: the program ended before it answered", c.Path)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("control socket %s: no answer in time: %w", c.Path, context.DeadlineExceeded)
	}
	return fmt.Errorf("control socket %s: %w", c.Path, cause(err))
}

// decode reads an answer into v; one that is not a success becomes an [*Error] as well.
func decode(resp *http.Response, answer []byte, v any) error {
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, v); err != nil {
			return fmt.Errorf("answer to %s: %w", resp.Request.URL.Path, err)
		}
		return nil
	}
	var r refusal
	if json.Unmarshal(answer, &r) == nil {
		// A refusal may be a whole outcome; if not, v stays empty.
		_ = json.Unmarshal(answer, v)
	}
	message := cmp.Or(r.Error, strings.TrimSpace(resp.Status))
	return &Error{Code: resp.StatusCode, Message: message}
}
