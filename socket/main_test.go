// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"os"
	"testing"
)

// roleEnv makes this program something else than its tests.
const roleEnv = "SOCKET_TEST_ROLE"

// roles are filled in where there are processes.
var roles = map[string]func(){}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleEnv)]; ok {
		role()
		return
	}
	os.Exit(m.Run())
}
