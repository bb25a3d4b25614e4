// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

var (
	LockDir    = lockDir
	Privately  = privately
	ReadScale  = readScale
	ReadStream = readStream
)
