// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"math"
	"os"
	"strconv"
	"time"
)

// A key is what a format string can ask for.
type key uint8

const (
	keyText key = iota // of a format with any keys
	keyAsctime
	keyMsecs
	keyCreated
	keyRelative
	keyIsotime
	keyProcess
	keyThread
	keyThreadName
	keyProcessName
	keyTaskName
	keyLevelName
	keyLevelNo
	keyName
	keyMessage
	keyPathname
	keyFilename
	keyModule
	keyLineno
	keyFuncName
	keyColor
	keyResetColor
	keyErrorSummary
	keyInstance
	keyResource
	keyIdentity
	keyProgram
	keyWorker
	keyHostname

	// Of the request.
	keyRequestID
	keyGlobalID
	keyUser
	keyProject
	keyDomain
	keyScope
	keyUserDomain
	keyProjectDomain
	keyUserName
	keyProjectName
	keyDomainName
	keyUserDomainName
	keyProjectDomainName
	keyResourceUUID
)

// identityKeys are what oslo.context says of a request.
var identityKeys = keySet{
	"request_id": keyRequestID, "global_request_id": keyGlobalID, "user": keyUser, "user_id": keyUser,
	"project": keyProject, "project_id": keyProject, "tenant": keyProject, "domain": keyDomain, "domain_id": keyDomain,
	"system_scope": keyScope, "user_domain": keyUserDomain, "user_domain_id": keyUserDomain,
	"project_domain": keyProjectDomain, "project_domain_id": keyProjectDomain,
	"user_name": keyUserName, "project_name": keyProjectName, "domain_name": keyDomainName,
	"user_domain_name": keyUserDomainName, "project_domain_name": keyProjectDomainName, "resource_uuid": keyResourceUUID,
}

// lineKeys are those of Python's records, of oslo.log, and program and worker.
var lineKeys = func() keySet {
	s := keySet{
		"asctime": keyAsctime, "msecs": keyMsecs, "created": keyCreated, "relativeCreated": keyRelative, "isotime": keyIsotime,
		"process": keyProcess, "thread": keyThread, "threadName": keyThreadName, "processName": keyProcessName, "taskName": keyTaskName,
		"levelname": keyLevelName, "levelno": keyLevelNo, "name": keyName, "message": keyMessage, "msg": keyMessage,
		"pathname": keyPathname, "filename": keyFilename, "module": keyModule, "lineno": keyLineno, "funcName": keyFuncName,
		"color": keyColor, "reset_color": keyResetColor, "error_summary": keyErrorSummary,
		"instance": keyInstance, "resource": keyResource, "user_identity": keyIdentity,
		"program": keyProgram, "worker": keyWorker, "hostname": keyHostname,
	}
	for name, k := range identityKeys {
		s[name] = k
	}
	return s
}()

func (k key) numeric() bool {
	switch k {
	case keyMsecs, keyCreated, keyRelative, keyProcess, keyThread, keyLevelNo, keyLineno:
		return true
	}
	return false
}

// has reports whether a format asks for a key.
func (f format) has(k key) bool {
	for _, s := range f {
		if s.verb != 0 && s.key == k {
			return true
		}
	}
	return false
}

var (
	pid     = os.Getpid()
	started = time.Now()
)

// number returns the value of a numeric key.
func (e *entry) number(k key) float64 {
	if e.r.Time.IsZero() && (k == keyMsecs || k == keyCreated || k == keyRelative) {
		return 0
	}
	switch k {
	case keyMsecs:
		return float64(e.r.Time.Nanosecond() / 1e6) // whole, as in Python
	case keyCreated:
		return float64(e.r.Time.UnixMicro()) / 1e6
	case keyRelative:
		return float64(e.r.Time.Sub(started).Microseconds()) / 1000
	case keyProcess, keyThread:
		return float64(pid)
	case keyLevelNo:
		return float64(levelNumber(e.r.Level))
	case keyLineno:
		return float64(e.source().line)
	}
	return 0
}

// appendKey writes a key as %s or %d do.
func (e *entry) appendKey(b []byte, k key, verb byte) []byte {
	switch k {
	case keyText:
		return b
	case keyAsctime:
		return e.log.date.append(b, e.r.Time)
	case keyMsecs, keyCreated, keyRelative:
		return appendFloat(b, e.number(k), verb)
	case keyProcess, keyThread, keyLevelNo, keyLineno:
		return strconv.AppendInt(b, int64(e.number(k)), 10)
	case keyIsotime:
		if e.r.Time.IsZero() {
			return append(b, '-')
		}
		return e.r.Time.Local().AppendFormat(b, "2006-01-02T15:04:05.000000-07:00")
	case keyLevelName:
		return e.appendLevel(b)
	case keyName:
		return append(b, e.name()...)
	case keyMessage:
		return e.appendMessage(b)
	case keyColor:
		return append(b, e.colourOn()...)
	case keyResetColor:
		return append(b, e.colourOff()...)
	case keyInstance:
		return e.appendInstance(b)
	case keyResource:
		if e.resource == "" {
			return b
		}
		return append(appendClean(append(b, '['), e.resource), "] "...)
	case keyIdentity:
		return e.appendIdentity(b)
	case keyErrorSummary:
		return appendClean(b, or(firstLine(e.errText), "-"))
	case keyPathname, keyFilename, keyModule, keyFuncName:
		return append(b, e.source().text(k)...)
	case keyThreadName:
		return append(b, "MainThread"...)
	case keyTaskName:
		return append(b, "None"...)
	case keyProcessName:
		b = append(b, e.log.program...)
		if e.worker != "" {
			b = appendClean(append(b, ' '), e.worker)
		}
		return b
	case keyProgram:
		return append(b, e.log.program...)
	case keyWorker:
		return appendClean(b, or(e.worker, "-"))
	case keyHostname:
		return append(b, e.log.hostname...)
	}
	return appendClean(b, e.requestText(k))
}

// requestText is what the request has under k. A line of a request has Python's None where there is
// nothing; one of no request has what oslo.log presets.
func (e *entry) requestText(k key) string {
	if e.req != nil {
		return or(e.req.text(k), "None")
	}
	switch k {
	case keyGlobalID, keyUserName, keyProjectName:
		return ""
	}
	return "-"
}

func (r *Request) text(k key) string {
	switch k {
	case keyRequestID:
		return r.ID
	case keyGlobalID:
		return r.GlobalID
	case keyUser:
		return r.User
	case keyProject:
		return r.Project
	case keyDomain:
		return r.Domain
	case keyScope:
		return r.SystemScope
	case keyUserDomain:
		return r.UserDomain
	case keyProjectDomain:
		return r.ProjectDomain
	case keyUserName:
		return r.UserName
	case keyProjectName:
		return r.ProjectName
	case keyDomainName:
		return r.DomainName
	case keyUserDomainName:
		return r.UserDomainName
	case keyProjectDomainName:
		return r.ProjectDomainName
	case keyResourceUUID:
		return r.ResourceUUID
	}
	return ""
}

// appendIdentity writes the request's user with the format for it: "-" where there is nothing.
func (e *entry) appendIdentity(b []byte) []byte {
	if e.req == nil {
		return b
	}
	f := e.log.identity
	for i := range f {
		s := &f[i]
		if s.verb == 0 {
			b = append(b, s.literal...)
			continue
		}
		from := len(b)
		b = appendClean(b, cut(or(e.req.text(s.key), "-"), s.cutAt()))
		b = s.pad(b, from, from)
	}
	return b
}

func (s *segment) cutAt() int {
	if s.prec < 0 {
		return math.MaxInt
	}
	return s.prec
}

// appendFloat writes a number as Python's str does.
func appendFloat(b []byte, v float64, verb byte) []byte {
	if verb == 'd' {
		return strconv.AppendInt(b, int64(v), 10)
	}
	whole := v == math.Trunc(v)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if whole {
		b = append(b, ".0"...)
	}
	return b
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
