// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A field is a field of a registered struct with the option it declares.
type field struct {
	index  int
	option Option
}

// fieldsOf reads the declarations in the tags of a struct type. The grammar is in the documentation
// of [Config.Register].
func fieldsOf(t reflect.Type) ([]field, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is not a struct", t)
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("config")
		if !ok || tag == "-" {
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("%v.%s has a config tag but is not exported", t, f.Name)
		}
		o, err := fromTags(f, tag)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		fields = append(fields, field{i, o})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%v has no field with a config tag", t)
	}
	return fields, nil
}

func fromTags(f reflect.StructField, tag string) (Option, error) {
	name, flags, _ := strings.Cut(tag, ",")
	if name == "" {
		name = snake(f.Name)
	}
	o := Option{
		Name: name, Help: f.Tag.Get("help"), Unit: f.Tag.Get("unit"),
		Short: f.Tag.Get("short"), SampleDefault: f.Tag.Get("sample"),
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		o.Default = text
	}
	if flags != "" {
		for flag := range strings.SplitSeq(flags, ",") {
			if err := o.setFlag(flag); err != nil {
				return o, err
			}
		}
	}
	if text, ok := f.Tag.Lookup("deprecated"); ok {
		for old := range strings.SplitSeq(text, ",") {
			group, name, ok := strings.Cut(old, ".")
			if !ok {
				group, name = "", old
			}
			o.Deprecated = append(o.Deprecated, Name{group, name})
		}
	}
	if reason, ok := f.Tag.Lookup("removal"); ok {
		o.Removal = &Removal{Since: f.Tag.Get("since"), Reason: reason}
	}
	t := f.Type
	nullable := t.Kind() == reflect.Pointer
	if nullable {
		t = t.Elem()
	}
	if o.Multi {
		if t.Kind() != reflect.Slice {
			return o, fmt.Errorf("multi: want a slice, not %v", t)
		}
		t, nullable = t.Elem(), false
	}
	var err error
	o.Type, err = typeOf(t, f.Tag, nullable)
	return o, err
}

func (o *Option) setFlag(flag string) error {
	for name, set := range map[string]*bool{
		"multi": &o.Multi, "secret": &o.Secret, "mutable": &o.Mutable,
		"required": &o.Required, "advanced": &o.Advanced, "cli": &o.CLI,
	} {
		if flag == name {
			*set = true
			return nil
		}
	}
	return fmt.Errorf("%q: want multi, secret, mutable, required, advanced or cli", flag)
}

// snake turns ShutdownTimeout into shutdown_timeout and APIWorkers into api_workers.
func snake(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	spanType     = reflect.TypeFor[Span]()
)

// typeOf returns the Type for a Go type and its tags. Unless it is nullable, empty text is refused
// where it would mean unset, as the Go type could not say so.
func typeOf(t reflect.Type, tag reflect.StructTag, nullable bool) (Type, error) {
	typ, err := baseType(t, tag)
	if err != nil || nullable {
		return typ, err
	}
	switch typ.(type) {
	case Int, Port, Float, Duration:
		return filled{typ}, nil
	}
	return typ, nil
}

func baseType(t reflect.Type, tag reflect.StructTag) (Type, error) {
	n := limits{tag: tag}
	var typ Type
	switch {
	case t == durationType:
		d := Duration{Unit: n.unit()}
		d.Min, d.Max = n.duration("min", d), n.duration("max", d)
		typ = d
	case t == spanType:
		typ = Range{Min: n.integer("min"), Max: n.integer("max")}
	case t.Kind() == reflect.String:
		typ = n.textType()
	case t.Kind() == reflect.Bool:
		typ = Bool{}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64, t.Kind() >= reflect.Uint8 && t.Kind() <= reflect.Uint32:
		typ = n.integerType(t)
	case t.Kind() == reflect.Float64:
		typ = Float{Min: n.float("min"), Max: n.float("max")}
	case t.Kind() == reflect.Slice:
		item, err := typeOf(t.Elem(), tag, false)
		return List{Item: item, Bounds: tag.Get("bounds") == "true"}, err
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		value, err := typeOf(t.Elem(), tag, false)
		return Dict{Value: value, Bounds: tag.Get("bounds") == "true"}, err
	default:
		return nil, fmt.Errorf("no option can be a %v", t)
	}
	return typ, n.err
}

// limits reads tags that narrow a type, and keeps the first error.
type limits struct {
	tag reflect.StructTag
	err error
}

func (n *limits) fail(name, want string) {
	if n.err == nil {
		n.err = fmt.Errorf("%s:%q: want %s", name, n.tag.Get(name), want)
	}
}

func (n *limits) integer(name string) *int64 {
	text, ok := n.tag.Lookup(name)
	if !ok {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		n.fail(name, "an integer")
	}
	return &v
}

func (n *limits) float(name string) *float64 {
	text, ok := n.tag.Lookup(name)
	if !ok {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		n.fail(name, "a number")
	}
	return &v
}

func (n *limits) duration(name string, d Duration) *time.Duration {
	text, ok := n.tag.Lookup(name)
	if !ok {
		return nil
	}
	v, err := d.parse(text)
	if err != nil {
		n.fail(name, d.Want())
	}
	return &v
}

var units = map[string]time.Duration{
	"": time.Second, "s": time.Second, "seconds": time.Second, "ms": time.Millisecond, "milliseconds": time.Millisecond,
	"minutes": time.Minute, "hours": time.Hour,
}

func (n *limits) unit() time.Duration {
	d, ok := units[n.tag.Get("unit")]
	if !ok {
		n.fail("unit", "seconds, milliseconds, minutes or hours")
	}
	return d
}

func (n *limits) choices() []Choice {
	text, ok := n.tag.Lookup("choices")
	if !ok {
		return nil
	}
	return Choices(strings.Split(text, ",")...)
}

func (n *limits) textType() Type {
	switch kind := n.tag.Get("type"); kind {
	case "":
		s := String{Choices: n.choices(), Quotes: n.tag.Get("quotes") == "true", IgnoreCase: n.tag.Get("ignorecase") == "true"}
		if m := n.integer("maxlength"); m != nil {
			s.MaxLength = int(*m)
		}
		if text, ok := n.tag.Lookup("regex"); ok {
			var err error
			if s.Regex, err = regexp.Compile(text); err != nil {
				n.fail("regex", "a regular expression")
			}
		}
		return s
	case "ip":
		return IP{}
	case "ip4":
		return IP{Version: 4}
	case "ip6":
		return IP{Version: 6}
	case "hostname":
		return Hostname{}
	case "hostaddress":
		return HostAddress{}
	case "hostdomain":
		return HostDomain{}
	case "uri":
		return URI{}
	}
	n.fail("type", "ip, ip4, ip6, hostname, hostaddress, hostdomain or uri")
	return nil
}

func (n *limits) integerType(t reflect.Type) Type {
	low, high := n.integer("min"), n.integer("max")
	switch n.tag.Get("type") {
	case "port":
		return Port{Min: low, Max: high}
	case "":
	default:
		n.fail("type", "port")
	}
	// What the field cannot hold is out of bounds.
	bits := t.Bits()
	if t.Kind() >= reflect.Uint8 {
		if low == nil {
			low = new(int64(0))
		}
		if high == nil {
			high = new(int64(1)<<bits - 1)
		}
	} else if bits < 64 {
		if low == nil {
			low = new(int64(-1) << (bits - 1))
		}
		if high == nil {
			high = new(int64(1)<<(bits-1) - 1)
		}
	}
	i := Int{Min: low, Max: high}
	for _, c := range n.choices() {
		v, err := strconv.ParseInt(c.Value, 10, 64)
		if err != nil {
			n.fail("choices", "integers")
		}
		i.Choices = append(i.Choices, v)
	}
	return i
}

// filled is a type whose empty text is refused.
type filled struct{ Type }

func (t filled) Parse(text string) (any, error) {
	v, err := t.Type.Parse(text)
	if err == nil && v == nil {
		return nil, errValue
	}
	return v, err
}

// inner returns what is inside filled.
func inner(t Type) Type {
	if f, ok := t.(filled); ok {
		return f.Type
	}
	return t
}

// assign stores a value in a field of a registered struct. Its option's type has the values that fit.
func assign(dst reflect.Value, value any) {
	if value == nil {
		dst.SetZero()
		return
	}
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		assign(dst.Elem(), value)
		return
	}
	switch v := value.(type) {
	case []any:
		dst.Set(reflect.MakeSlice(dst.Type(), len(v), len(v)))
		for i, item := range v {
			assign(dst.Index(i), item)
		}
	case map[string]any:
		dst.Set(reflect.MakeMapWithSize(dst.Type(), len(v)))
		for k, item := range v {
			e := reflect.New(dst.Type().Elem()).Elem()
			assign(e, item)
			dst.SetMapIndex(reflect.ValueOf(k).Convert(dst.Type().Key()), e)
		}
	default:
		dst.Set(reflect.ValueOf(value).Convert(dst.Type()))
	}
}
