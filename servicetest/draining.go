// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest

import (
	"context"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/service"
)

// Draining returns ctx with the reason of a drain, as launchers give it to Shutdown: what
// [service.Draining] returns for it is r.
func Draining(ctx context.Context, r service.DrainReason) context.Context {
	return drain.With(ctx, r)
}
