// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

// Internals that tests look at.
var (
	ChildEnv    = childEnv
	ParseMarker = parseMarker
	ParseStat   = parseStat
	NewProcess  = newProcess
)

// DecodeSnapshot returns the files of a snapshot, and what a mutate made of them.
func DecodeSnapshot(data []byte) (files, mutated Snapshot, err error) {
	f, err := decodeSnapshot(data)
	return f.Files, f.Mutated, err
}

const (
	OutputQueue = outputQueue
	TailLines   = tailLines
	TailBytes   = tailBytes
	LongestLine = longestLine
)

// Lines is how a Tail cuts its stream.
type Lines struct{ lines }

func NewLines(pass func([]byte)) *Lines { return &Lines{lines{pass: pass}} }

func (l *Lines) Add(p []byte)   { l.add(p) }
func (l *Lines) Flush()         { l.flush() }
func (l *Lines) Last() []string { return l.last() }
