#!/bin/sh
# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

# Prints -race where the race detector can be built, and says on standard error where not. With
# CI=true it must be: a build without it would pass unseen.
set -eu
go=${GO:-go}

missing=
cc=$($go env CC)
# CC may carry options: the program is its first word.
if ! command -v "${cc%% *}" >/dev/null 2>&1; then
	missing="no C compiler (${cc%% *})"
elif [ "$($go env CGO_ENABLED)" != 1 ]; then
	missing="CGO_ENABLED is off"
fi

if [ -z "$missing" ]; then
	echo -race
elif [ "${CI:-}" = true ]; then
	echo "make test: $missing, and CI tests with the race detector" >&2
	exit 1
else
	echo "make test: $missing: testing without the race detector" >&2
fi
