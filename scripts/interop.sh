#!/bin/sh
# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

# Installs the peers that the interop tests talk to and the benchmarks measure against, where they are
# missing and this is root on Debian, and runs the tests. The tests start and stop the peers on free
# loopback ports; a peer that is still missing fails them with CI=true and skips them, by name, else.
set -eu
go=${GO:-go}
cd "$(dirname "$0")/.."

# program:package; a program with a slash is a file.
peers="curl:curl openssl:openssl ab:apache2-utils wrk:wrk
/usr/bin/systemd-socket-activate:systemd /usr/sbin/nginx:nginx-light /usr/sbin/haproxy:haproxy /usr/bin/gunicorn:gunicorn
/usr/sbin/mariadbd:mariadb-server /usr/lib/postgresql:postgresql
/usr/bin/python3:python3 /usr/lib/python3/dist-packages/oslo_service:python3-oslo.service
/usr/lib/python3/dist-packages/eventlet:python3-eventlet /usr/lib/python3/dist-packages/oslo_config:python3-oslo.config
/usr/lib/python3/dist-packages/oslo_log:python3-oslo.log /usr/lib/python3/dist-packages/paste/deploy:python3-pastedeploy
/usr/lib/python3/dist-packages/paste/urlmap.py:python3-paste /usr/lib/python3/dist-packages/oslo_middleware:python3-oslo.middleware"

need=
for peer in $peers; do
	program=${peer%%:*}
	command -v "$program" >/dev/null 2>&1 || [ -e "$program" ] || need="$need ${peer##*:}"
done

# Packages that bring a server start it when they are installed; the tests want their own only.
install_packages() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	apt-get -qq -o DPkg::Lock::Timeout=300 update
	apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >/dev/null
}

if [ -n "$need" ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "make interop: installing$need"
		export DEBIAN_FRONTEND=noninteractive
		# shellcheck disable=SC2086 # a list of words
		(install_packages $need)
	else
		echo "make interop: missing and not installed, as this is not root on Debian:$need" >&2
	fi
fi

exec "$go" test -tags interop -count=1 -v -timeout 10m -p 1 ./internal/bench ./periodic/sqllease ./middleware ./tlsfiles ./interop
