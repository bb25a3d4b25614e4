// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package samplefile reads the options of other people's programs from the comments of their sample
// configuration files, as oslo-config-generator writes them: nova.conf and neutron.conf of Debian
// describe a thousand options so. Tests and benchmarks of package config read these files with them.
package samplefile
