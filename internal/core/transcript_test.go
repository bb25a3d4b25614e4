// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the transcripts in testdata ought to say")

// TestTranscripts plays every file of testdata: events in, actions and a summary of the state out.
//
// A file is a list of blocks: commands, a line of four dashes, and what came of them, up to an empty
// line. A line that begins with # is a comment. See scenario for the commands and render for the
// output. With -update the outputs are written anew; review them as a diff.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("testdata has no transcripts")
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if got == string(want) {
				return
			}
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s differs from its first difference on:\n%s", path, firstDifference(string(want), got))
		})
	}
}

// play runs the commands of a transcript and returns it with the outputs that they have now.
func play(t *testing.T, text string) string {
	var (
		s        = newScenario(t)
		out      strings.Builder
		commands []string
		skipping bool // the former output of a block
	)
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		switch bare := strings.TrimRight(line, "\n"); {
		case skipping:
			if bare != "" {
				continue
			}
			skipping = false
			out.WriteString("\n")
		case bare == "----":
			out.WriteString("----\n" + s.run(commands))
			commands, skipping = nil, true
		default:
			out.WriteString(line)
			if bare != "" && !strings.HasPrefix(bare, "#") {
				commands = append(commands, bare)
			}
		}
	}
	if len(commands) != 0 {
		out.WriteString("----\n" + s.run(commands))
	}
	return out.String()
}

// firstDifference shows two texts from shortly before the line in which they part.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	from := max(0, i-5)
	cut := func(lines []string) string {
		return strings.Join(lines[min(from, len(lines)):min(i+12, len(lines))], "\n")
	}
	return "--- want\n" + cut(w) + "\n--- got\n" + cut(g)
}
