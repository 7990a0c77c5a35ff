#!/bin/sh
# Installs the real parts that tests talk to, where this machine allows it. Never fails: a test that lacks its part is
# skipped and says so.
missing=""
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v java >/dev/null 2>&1 || missing="$missing default-jdk-headless"
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # policy-rc.d: installed for the tests to start themselves, not to run as services
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; made=1; }
    apt-get update -qq >/dev/null 2>&1
    for package in $missing; do
        apt-get install -y -qq "$package" >/dev/null 2>&1 || echo "could not install $package; its tests are skipped" >&2
    done
    [ -n "${made:-}" ] && rm -f /usr/sbin/policy-rc.d
else
    echo "not installed, their tests are skipped:$missing (sudo apt-get install$missing)" >&2
fi
exit 0
