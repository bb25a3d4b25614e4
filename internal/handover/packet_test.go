// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/handover"
)

func packets() map[string][]byte {
	return map[string][]byte{
		"hello":            handover.HelloPacket(handover.Version),
		"hello with keys":  handover.HelloPacket(handover.Version, "tcp 127.0.0.1:80", "", "unix /run/a"),
		"hello of another": handover.HelloPacket(handover.Version + 1),
		"a connection":     handover.GivePacket(1<<63, "tcp [::1]:80"),
		"took":             handover.TookPacket(7),
		"used":             handover.UsedPacket(7),
		"refused":          append([]byte("R\x00\x00\x00\x00\x00\x00\x00\x07"), "no room"...),
	}
}

func TestPackets(t *testing.T) {
	for name, b := range packets() {
		if got, err := handover.Recode(b); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %q becomes %q, %v", name, b, got, err)
		}
	}
	for name, b := range map[string]string{
		"nothing":               "",
		"another type":          "X\x00\x00\x00\x00\x00\x00\x00\x07",
		"half an id":            "T\x00\x00",
		"took, and more":        "T\x00\x00\x00\x00\x00\x00\x00\x07!",
		"no hello":              "Hmainstaz\x00\x01",
		"hello without version": "Hmainstay\x00",
		"half a key":            "Hmainstay\x00\x01\x00\x05abc",
		"too long a key":        "G\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("k", 1025),
		"idle for ever":         "G\x00\x00\x00\x00\x00\x00\x00\x07\x00\xff\x00\x00\x00\x00\x00\x00\x00k",
		"unknown flags":         "G\x00\x00\x00\x00\x00\x00\x00\x07\x02\x00\x00\x00\x00\x00\x00\x00\x00k",
		"too long":              strings.Repeat("R", 33<<10),
	} {
		if got, err := handover.Recode([]byte(b)); err == nil {
			t.Errorf("%s: %q is read as %q, want an error", name, b, got)
		}
	}
}

func FuzzPacket(f *testing.F) {
	for _, b := range packets() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := handover.Recode(b)
		if err != nil {
			return
		}
		twice, err := handover.Recode(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q becomes %q and then %q, %v", b, once, twice, err)
		}
	})
}
