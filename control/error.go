// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import "errors"

// ErrNoAnswer is in the error of a [Client] that found nobody behind its socket.
var ErrNoAnswer = errors.New("no program answers")

// An Error is a refusal with the HTTP status that it is answered with. A [Target] returns one where
// the caller is at fault; any other error of a target is answered 500. A [Client] returns one for
// every answer that is not a success.
type Error struct {
	Code    int    // HTTP status: 400 bad value, 404 no such set, 409 not now or not in this program
	Message string // one line
}

func (e *Error) Error() string { return e.Message }
