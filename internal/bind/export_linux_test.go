// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

// Steer sends new connections of a group to one member.
var Steer = steer
