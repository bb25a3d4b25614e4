// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package paste turns a paste file, such as nova's and neutron's api-paste.ini, into an
// http.Handler: applications, the filters around them, and composites of both.
package paste
