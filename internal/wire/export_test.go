// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package wire

// Encode and Decode turn messages into packets and back.
var (
	Encode = encode
	Decode = decode
)
