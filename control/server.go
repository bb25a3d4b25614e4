// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// headerTimeout bounds how long a caller may take to ask; answers have no bound but the action's own.
const headerTimeout = 10 * time.Second

// A Server answers on a unix socket for a [Target]. Path and Target are required.
//
// It has the shape of a service: Start binds, Serve answers until Shutdown or the end of its
// context. A server that has ended may be started again.
type Server struct {
	Path   string // of the socket, at most 107 bytes; its directory is created, mode 0700, if absent
	Target Target
	Logger *slog.Logger // for callers that are refused; nil is slog.Default()

	mu   sync.Mutex
	lis  *listener    // bound
	http *http.Server // nil before Start
}

// Start binds the socket with mode 0600, so that from its first moment only this user and root can
// connect. A socket file that nobody answers on is replaced. One that a running program answers on is
// [ErrInUse], with its pid in the message; a file that is no socket is left alone and refused.
func (s *Server) Start(ctx context.Context) error {
	if s.Target == nil {
		return errors.New("control: no target")
	}
	lis, err := s.bind(ctx)
	if err != nil {
		return fmt.Errorf("control socket %s: %w", s.Path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lis = lis
	s.http = &http.Server{
		Handler:           newHandler(s.Target, s.logger()),
		ReadHeaderTimeout: headerTimeout,
		// No ReadTimeout: it would end the context of an action that takes longer.
		ConnContext: withPeer,
		ErrorLog:    slog.NewLogLogger(s.logger().Handler(), slog.LevelWarn),
	}
	return nil
}

func (s *Server) bind(ctx context.Context) (*listener, error) {
	if err := checkPath(s.Path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return nil, err // names the directory, which may be one far above
	}
	return listen(ctx, s.Path)
}

// Serve answers until [Server.Shutdown] is called, then it returns nil, or until ctx ends, when it
// cuts what is under way. Call it once after each Start.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	lis, srv := s.lis, s.http
	s.mu.Unlock()
	if srv == nil {
		return errors.New("control: Serve without Start")
	}
	defer lis.Close()
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket %s: %w", s.Path, err)
	}
	return nil
}

// Shutdown removes the socket, then waits until every caller has its answer or ctx ends. A launcher
// calls it last, after the outcome of a stop is known, so that whoever asked for it hears of it.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	lis, srv := s.lis, s.http
	s.mu.Unlock()
	if srv == nil {
		return nil
	}
	err := srv.Shutdown(ctx)
	lis.Close() // Shutdown closes what Serve was called with, and Serve may not have been called
	if err != nil {
		srv.Close()
		return fmt.Errorf("control socket %s: callers were cut: %w", s.Path, err)
	}
	return nil
}

// Name returns control, the name of this server among services.
func (s *Server) Name() string { return "control" }

func (s *Server) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// peerKey finds the [peer] of a connection in a request's context.
type peerKey struct{}

func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(conn))
}
