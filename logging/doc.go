// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package logging is log/slog with the options, the lines and the outputs that operators of nova,
// neutron and every other oslo.log program know.
//
//	conf := config.New(config.Options{Project: "nova", ReadFile: service.ReadFile})
//	err := logging.Register(conf)
//	...
//	log, err := logging.New(config.Get[logging.Options](conf, config.Default), logging.Process{Program: "nova-compute"})
//	...
//	defer log.Close()
//	slog.SetDefault(log.Logger())
//	err = service.Launch(ctx, service.Options{Reopen: log.Reopen}, api)
//
// A [Log] writes to what the options name: a file, standard error, syslog, systemd's journal. A mutation
// of the configuration goes to [Log.Apply], USR1 to [Log.Reopen]. [Named] makes a logger whose level
// default_log_levels sets. [WithRequest] and [WithRequestID] put into a context what the lines say of
// the request they belong to.
//
// # Text
//
// The format strings are those of oslo.log, interpreted: all keys of Python's records, those of oslo.log
// and of the request, and besides them program, worker and hostname. Unknown keys are refused.
//
//	2026-11-22 07:52:01.123 4242 INFO nova-compute [None req-5c0e u1 p1 - - - -] listening addr=:8774 worker="api 0"
//
// Attributes stand behind the message as key=value, those of groups as group.key=value, quoted where they
// need to be. Behind them is the worker and, if the logger's name does not say it, the program, unless the
// format string has %(worker)s, %(program)s or %(processName)s.
//
// Each line of a message begins as its first one does, each line of a stack with logging_exception_prefix:
// stacks are text in an attribute stack or traceback that is in no group, and an error of several lines in
// an attribute error or err. Of 1000 lines and more the rest is one line, escaped. Control characters,
// characters that break or turn lines, and what is not UTF-8 are escaped in everything that is logged, so
// that no line can be forged.
//
// An attribute instance (text or a group with uuid) or instance_uuid is shown by instance_format and
// instance_uuid_format before the message; resource by %(resource)s.
//
// # Levels
//
// The names are Python's: DEBUG, INFO, WARNING, ERROR, and CRITICAL and TRACE for [LevelCritical] and
// [LevelTrace]. A logger has the level that default_log_levels sets for it or the nearest above it, by the
// dots in its name, else that of debug. Numbers there are Python's, too: amqp=25 lets WARNING through and
// INFO not.
//
// # JSON
//
// With use_json a line is an object with keys of oslo.log's formatter: message, asctime, created, msecs,
// name, levelname, levelno, pathname, filename, lineno, funcname, process, process_name, hostname,
// traceback (a list of lines, or null), error_summary, context (what is known of the request) and extra
// (the attributes; groups are objects). program and, in a worker, worker are ours. Not written are msg and
// args, module, relative_created, thread and thread_name: they have no meaning here, or say a thing twice.
//
// # Outputs
//
//   - File. A line is one write with O_APPEND, so that many processes may write one file: lines are whole
//     and never mixed (not on NFS). A file that was renamed or removed is opened anew, as oslo.log does:
//     it is looked for ten times a second, with watch_log_file or rotation before each line; a line that went
//     into a file that was removed is written again. A full disk loses lines. What may block, a pipe or a
//     terminal, is refused.
//   - Rotation. One process renames the file, under a lock on .<name>.lock beside it; the others follow. The
//     names are Python's: log.1, log.2 by size, log.2026-11-22 by time. A line waits a second at most for the
//     lock; if that or a rename fails, standard error says so and it is tried again ten seconds later.
//   - Standard error. Whoever logs waits until the line is written, but for a second at most: then lines
//     queue, up to 1 MiB, and nobody waits until somebody reads again. A regular file is written directly.
//   - Syslog, by /dev/log and RFC 3164: a message for each line, cut into pieces of 8000 bytes.
//   - The journal, in its own protocol: the line, and its parts in the fields that oslo.log sends. What is too
//     large for a datagram goes as a sealed file in memory. Both daemons may stop and start; one that
//     takes nothing keeps a line waiting for a second and the next ones for a millisecond.
//
// Lines that an output cannot take are lost; the first of a row is reported on standard error, and the
// output itself has a line with their number as soon as it takes lines again. [Log.Lost] counts them all.
//
// Colour is for terminals: log_color is without effect on files, pipes, syslog and the journal. Where the
// format string has no %(color)s the level is coloured.
//
// # Where this package decides otherwise than oslo.log
//
//   - A program without any output logs to standard error; there it is standard output. use_syslog alone is
//     an output here.
//   - Wrong values are refused at the start, each in a line that names the option. oslo.log meets an
//     unknown key of a format string when a line is written.
//   - log_config_append is refused: the files are for Python's logging module, and to ignore one would be
//     to log elsewhere than the operator said. publish_errors is refused: there is nobody to publish to.
//   - An attribute error stays where it is. oslo.log adds ": %(error_summary)s" to the format string of lines
//     with an exception.
//   - A line feed in a message does not begin a line of its own.
//   - Time of rotation is kept in the lock file, and so outlives restarts. A file that was rotated in the same
//     unit of time is not written over.
//   - root=LEVEL in default_log_levels wins over debug, mutations included.
//   - rate_limit_except_level may be empty, as its help says. What was dropped is counted in a line.
//   - fatal_deprecations is for [Log.Deprecated].
//   - SYSLOG_FACILITY in the journal is the number of the facility, as journald wants it; oslo.log sends eight
//     times that. Messages to syslog have the pid.
//   - %(thread)d is the pid, %(threadName)s is MainThread and %(processName)s the program and its worker.
//   - use_eventlog, for Windows, does not exist. Only Linux has the journal, rotation and files that are
//     followed.
package logging
