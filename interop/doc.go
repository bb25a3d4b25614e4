// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package interop runs the programs of this repository with other people's: clients such as curl, ab
// and wrk, nginx before them, systemd's socket activation and a receiver of its messages.
//
// Its tests need the build tag interop. make interop installs what they talk to, where it may; a
// program that is missing is a skip that names it, and a failure with CI=true.
package interop
