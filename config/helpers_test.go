// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import "log/slog"

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
