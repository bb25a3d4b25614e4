// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
)

// Levels that oslo.log has and slog does not. A level between two is written as the lower one.
const (
	LevelTrace    slog.Level = -8
	LevelCritical slog.Level = 12
)

// noLevel is above all levels.
const noLevel = slog.Level(math.MaxInt)

// levelName returns Python's name of a level.
func levelName(l slog.Level) string {
	switch {
	case l >= LevelCritical:
		return "CRITICAL"
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	case l >= slog.LevelDebug:
		return "DEBUG"
	}
	return "TRACE"
}

// levelNumber returns Python's number of the name that a level is written by.
func levelNumber(l slog.Level) int {
	switch {
	case l >= LevelCritical:
		return 50
	case l >= slog.LevelError:
		return 40
	case l >= slog.LevelWarn:
		return 30
	case l >= slog.LevelInfo:
		return 20
	case l >= slog.LevelDebug:
		return 10
	}
	return 5
}

// severity is syslog's.
func severity(l slog.Level) int {
	switch {
	case l >= LevelCritical:
		return 2
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// parseLevel reads a level by Python's name or number.
func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "CRITICAL", "FATAL":
		return LevelCritical, nil
	case "ERROR":
		return slog.LevelError, nil
	case "WARNING", "WARN":
		return slog.LevelWarn, nil
	case "INFO":
		return slog.LevelInfo, nil
	case "DEBUG":
		return slog.LevelDebug, nil
	case "TRACE":
		return LevelTrace, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("%q: want CRITICAL, ERROR, WARNING, INFO, DEBUG, TRACE or a number above 0", text)
	}
	// Python's steps are 10 where slog's are 4, and INFO is 20 there and 0 here. What lies between two
	// levels becomes the higher one: logger=25 lets no INFO through.
	if n <= 5 {
		return LevelTrace, nil
	}
	return slog.Level(math.Ceil(float64(n-20) * 0.4)), nil
}

// parseLevels reads logger=LEVEL. NOTSET, or 0, takes a level away again, as in Python.
func parseLevels(pairs []string) (map[string]slog.Level, error) {
	if pairs == nil {
		pairs = defaultLevels
	}
	levels := map[string]slog.Level{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q: want logger=LEVEL", pair)
		}
		name = rootless(strings.TrimSpace(name))
		text = strings.TrimSpace(text)
		if text == "NOTSET" || text == "0" {
			delete(levels, name)
			continue
		}
		level, err := parseLevel(text)
		if err != nil {
			return nil, fmt.Errorf("%q: level %w", pair, err)
		}
		levels[name] = level
	}
	return levels, nil
}

// rootless turns the name of Python's root logger into "".
func rootless(name string) string {
	if name == "root" {
		return ""
	}
	return name
}

var defaultLevels = strings.Split("amqp=WARN,amqplib=WARN,boto=WARN,qpid=WARN,sqlalchemy=WARN,suds=INFO,oslo.messaging=INFO,oslo_messaging=INFO,"+
	"iso8601=WARN,requests.packages.urllib3.connectionpool=WARN,urllib3.connectionpool=WARN,websocket=WARN,"+
	"requests.packages.urllib3.util.retry=WARN,urllib3.util.retry=WARN,keystonemiddleware=WARN,routes.middleware=WARN,"+
	"stevedore=WARN,taskflow=WARN,keystoneauth=WARN,oslo.cache=INFO,oslo_policy=INFO,dogpile.core.dogpile=INFO", ",")

// levels gives each logger its level, which a handler reads without a lock.
type levels struct {
	mu    sync.Mutex
	set   map[string]slog.Level // by default_log_levels
	root  slog.Level
	known map[string]*slog.LevelVar
}

func newLevels(set map[string]slog.Level, debug bool) *levels {
	v := &levels{set: set, known: map[string]*slog.LevelVar{}}
	v.setDebug(debug)
	return v
}

func (v *levels) setDebug(debug bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.root = slog.LevelInfo
	if debug {
		v.root = slog.LevelDebug
	}
	if l, ok := v.set[""]; ok {
		v.root = l
	}
	for name, lv := range v.known {
		lv.Set(v.levelLocked(name))
	}
}

// of returns the level of a logger: its own, else that of the nearest one above it.
func (v *levels) of(name string) *slog.LevelVar {
	v.mu.Lock()
	defer v.mu.Unlock()
	lv := v.known[name]
	if lv == nil {
		lv = new(slog.LevelVar)
		lv.Set(v.levelLocked(name))
		v.known[name] = lv
	}
	return lv
}

func (v *levels) levelLocked(name string) slog.Level {
	for name != "" {
		if l, ok := v.set[name]; ok {
			return l
		}
		dot := strings.LastIndexByte(name, '.')
		name = name[:max(dot, 0)]
	}
	return v.root
}
