// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"strings"
)

// sampleWidth is where help is wrapped, as oslo-config-generator does by default.
const sampleWidth = 70

// WriteSample writes a file of all options, commented out, with help, limits, old names and defaults,
// in the form of oslo-config-generator. Groups and options come in the order of declaration. As
// defaults it shows those of SetDefault, and none of secrets.
func (c *Config) WriteSample(w io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for i, group := range c.reg.groups {
		if i > 0 {
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "[%s]\n", group)
		if help := c.reg.help[group]; help != "" {
			writeComment(&b, help)
		}
		for _, o := range c.ordered {
			if o.group != group || o.builtin != nil {
				continue
			}
			b.WriteByte('\n')
			c.writeOption(&b, o)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Config) writeOption(b *strings.Builder, o *option) {
	for _, text := range o.describe() {
		writeComment(b, text)
	}
	for _, text := range c.sampleDefaults(o) {
		if text != "" {
			text = " " + strings.ReplaceAll(text, "\n", "\n#    ")
		}
		fmt.Fprintf(b, "#%s =%s\n", o.name, text)
	}
}

// describe returns what there is to say about an option, a paragraph each.
func (o *option) describe() []string {
	kind := inner(o.Type).Name()
	if o.isMultiString() {
		kind = "multi valued"
	}
	if o.Unit != "" {
		kind += ", in " + o.Unit
	}
	help := "(" + kind + ")"
	if o.Help != "" {
		help = o.Help + " " + help
		if o.Removal != nil && !strings.HasPrefix(o.Help, "DEPRECATED") {
			help = "DEPRECATED: " + help
		}
	}
	out := append([]string{help}, limitLines(inner(o.Type))...)
	if o.Mutable {
		out = append(out, "Note: This option can be changed without restarting.")
	}
	if o.Required {
		out = append(out, "This option must be set.")
	}
	for _, n := range o.names[1:] {
		if !strings.Contains(n.name, "-") {
			out = append(out, fmt.Sprintf("Deprecated group/name - [%s]/%s", n.group, n.name))
		}
	}
	if o.Removal != nil {
		since := ""
		if o.Removal.Since != "" {
			since = " since " + o.Removal.Since
		}
		out = append(out, "This option is deprecated for removal"+since+".", "Its value may be silently ignored in the future.")
		if o.Removal.Reason != "" {
			out = append(out, "Reason: "+o.Removal.Reason)
		}
	}
	if o.Advanced {
		out = append(out, "Advanced Option: intended for advanced users and not used", "by the majority of users, and might have a significant", "effect on stability and/or performance.")
	}
	if o.SampleDefault != "" {
		out = append(out, "", "This option has a sample default set, which means that", "its actual default value may vary from the one documented", "below.")
	}
	return out
}

func (o *option) isMultiString() bool {
	_, ok := o.Type.(String)
	return ok && o.Multi
}

func limitLines(t Type) []string {
	switch t := t.(type) {
	case Int:
		return numberLines(t.Min, t.Max, t.Choices)
	case Port:
		i := t.integer()
		return numberLines(i.Min, i.Max, i.Choices)
	case Float:
		return numberLines(t.Min, t.Max, nil)
	case Duration:
		return numberLines(t.Min, t.Max, nil)
	case Range:
		return numberLines(t.Min, t.Max, nil)
	case String:
		if t.Choices == nil {
			return nil
		}
		out := []string{"Possible values:"}
		for _, c := range t.Choices {
			help := c.Help
			if help == "" {
				help = "<No description provided>"
			}
			out = append(out, choiceText(c.Value)+" - "+help)
		}
		return out
	}
	return nil
}

func numberLines[T any](low, high *T, choices []int64) []string {
	var out []string
	if low != nil {
		out = append(out, "Minimum value: "+pyString(any(*low)))
	}
	if high != nil {
		out = append(out, "Maximum value: "+pyString(any(*high)))
	}
	if len(choices) > 0 {
		out = append(out, "Possible values:")
		for _, c := range choices {
			out = append(out, fmt.Sprintf("%d - <No description provided>", c))
		}
	}
	return out
}

// sampleDefaults returns the values to show: one, or for Multi any number.
func (c *Config) sampleDefaults(o *option) []string {
	if o.SampleDefault != "" {
		return []string{o.SampleDefault}
	}
	value := o.preset
	if v, ok := c.reg.defaults[o.key]; ok {
		value = v
	}
	items, isList := value.([]any)
	switch {
	case value != nil && o.Secret:
		return []string{mask}
	case o.isMultiString() && len(items) == 0:
		return []string{""}
	case value == nil:
		return []string{"<None>"}
	case o.Multi:
		var out []string
		for _, item := range items {
			out = append(out, formatPreset(o.Type, item))
		}
		return out
	case isList:
		return []string{o.Type.Format(value)}
	}
	return []string{formatPreset(o.Type, value)}
}

// formatPreset writes a default. Text is as a file would have it already.
func formatPreset(t Type, value any) string {
	if text, ok := value.(string); ok {
		return quoteBlanks(text)
	}
	return t.Format(value)
}

// writeComment writes text as comment lines, wrapped as Python's textwrap does.
func writeComment(b *strings.Builder, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) == "" {
			b.WriteString("#\n")
			continue
		}
		// Blanks at the begin of a line are kept: help has lists and examples.
		out := "# " + line[:len(line)-len(strings.TrimLeft(line, " "))]
		for i, word := range strings.Fields(line) {
			switch {
			case i == 0:
				out += word
			case len(out)+1+len(word) > sampleWidth:
				b.WriteString(out + "\n")
				out = "# " + word
			default:
				out += " " + word
			}
		}
		b.WriteString(out + "\n")
	}
}
