// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

// PyRepr is the form in which the corpus has values.
var PyRepr = pyRepr

// Distance is the edit distance behind the nearest name.
var Distance = distance
