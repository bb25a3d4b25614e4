// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix || solaris || aix

package periodic

import "errors"

// HostLeases is not supported on this system, and returns an error that wraps errors.ErrUnsupported.
func HostLeases(string) (Leases, error) {
	return nil, errors.ErrUnsupported
}
