// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/logging"
)

func TestRateLimit(t *testing.T) {
	for name, c := range map[string]struct {
		o    logging.Options
		want string
	}{
		"errors too": {
			logging.Options{RateInterval: 10, RateBurst: 3, RateExceptLevel: "CRITICAL"},
			"INFO 0,ERROR 1,INFO 2,ERROR dropping burst=3 interval=10s,CRITICAL 6,WARNING records dropped count=3,INFO 7,",
		},
		"but errors": {
			logging.Options{RateInterval: 10, RateBurst: 3, RateExceptLevel: "ERROR"},
			"INFO 0,ERROR 1,INFO 2,ERROR 3,INFO 4,ERROR 5,CRITICAL 6,INFO 7,",
		},
		"all": {
			logging.Options{RateInterval: 10, RateBurst: 6},
			"INFO 0,ERROR 1,INFO 2,ERROR 3,INFO 4,ERROR 5,ERROR dropping burst=6 interval=10s,WARNING records dropped count=1,INFO 7,",
		},
		"none": {
			logging.Options{RateInterval: 10},
			"INFO 0,ERROR 1,INFO 2,ERROR 3,INFO 4,ERROR 5,CRITICAL 6,INFO 7,",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var buf bytes.Buffer
				c.o.DefaultFormat = "%(levelname)s%(name).0s %(message)s"
				l := open(t, c.o, logging.Process{Stderr: &buf})
				levels := []slog.Level{slog.LevelInfo, slog.LevelError, slog.LevelInfo, slog.LevelError, slog.LevelInfo, slog.LevelError, logging.LevelCritical}
				for i, level := range levels {
					l.Logger().Log(t.Context(), level, fmt.Sprint(i))
					time.Sleep(time.Second)
				}
				time.Sleep(3 * time.Second) // to the end of the interval
				l.Logger().Info("7")
				got := strings.NewReplacer("\n", ",", "Logging rate limit: ", "").Replace(buf.String())
				if got != c.want {
					t.Errorf("logged %s, want %s", got, c.want)
				}
			})
		})
	}
}
