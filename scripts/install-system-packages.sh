#!/usr/bin/env bash
# Installs the Debian packages that `npm run test:system`, the bars and `npm run bench` use. No daemon is
# started, nothing is configured. With --only NAME ... just those packages.
set -u
declare -A command_of=(
  [postfix]=/usr/sbin/postfix [dovecot-core]=/usr/sbin/dovecot [swaks]=/usr/bin/swaks [msmtp]=/usr/bin/msmtp
  [curl]=/usr/bin/curl [python3]=python3 [libmail-java]=/usr/share/java/javax.mail.jar
  [libjakarta-mail-java]=/usr/share/java/jakarta-mail.jar [strace]=/usr/bin/strace [xfsprogs]=/usr/sbin/mkfs.xfs
  [iproute2]=ip [nmap]=/usr/bin/nmap [procps]=ps [openssl]=openssl [default-jdk-headless]=javac
  [zsh]=zsh [fish]=fish [dovecot-lmtpd]=/usr/lib/dovecot/lmtp [perl]=/usr/bin/perl [knot]=/usr/sbin/knotd [knot-dnsutils]=/usr/bin/kdig [unbound]=/usr/sbin/unbound
  [opendkim]=/usr/sbin/opendkim [python3-dkim]=/usr/bin/dkimverify [python3-dnspython]=
)
names=("${!command_of[@]}" python3-nacl libsasl2-modules libnet-ssleay-perl libauthen-sasl-perl)
[ "${1:-}" = --only ] && shift && names=("$@")

is_there() {
  local what=${command_of[$1]:-}
  if [ -z "$what" ]; then dpkg -s "$1" >/dev/null 2>&1; return; fi
  [ -e "$what" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$what" >/dev/null 2>&1
}

missing=()
for name in "${names[@]}"; do is_there "$name" || missing+=("$name"); done
if [ "${#missing[@]}" -eq 0 ]; then echo "all packages are there: ${names[*]}"; exit 0; fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
  if sudo -n true 2>/dev/null; then sudo='sudo -n'; else
    echo "These packages are missing and only root can install them: ${missing[*]}" >&2
    echo "Run: sudo bash scripts/install-system-packages.sh" >&2
    exit 1
  fi
fi
if ! command -v apt-get >/dev/null; then
  echo "This is not Debian. The tests against real peers need what these Debian packages hold: ${missing[*]}" >&2
  exit 1
fi

# Debian starts a service right after its installation unless this file says no.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null && $sudo chmod 755 "$policy" && made_policy=1
fi
remove_policy() { [ -z "$made_policy" ] || $sudo rm -f "$policy"; }
trap remove_policy EXIT

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
echo 'postfix postfix/main_mailer_type select No configuration' | $sudo debconf-set-selections
log=$(mktemp)
if ! { $sudo apt-get -o DPkg::Lock::Timeout=300 update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -yq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -30 "$log" >&2
  echo "apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
for name in "${missing[@]}"; do is_there "$name" || { echo "$name was installed, but ${command_of[$name]:-it} is not there" >&2; exit 1; }; done
echo "installed."
