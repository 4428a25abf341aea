#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Boots other kernels in QEMU, without hardware help, and runs the tests of the kernel side there.
#
#     tests/kernels/run.sh [VERSION...]          without: all of 5.10, 6.1, 6.12 and 7.3
#
# PERFFLOW_BUILD is the build tree (build/release). Kernels are kept in $XDG_CACHE_HOME/perfflow/kernels; remove a folder
# there to get a newer one. KERNELS_SYSTEMD=1 boots systemd, with perfflow installed, in place of a script, and tests the service
# there. KERNELS_TESTS names other tests than the usual ones, KERNELS_LOG=1 shows the whole console,
# KERNELS_LIMIT_S limits each virtual machine.
# Exit status 77: this machine cannot, and says why; with PERFFLOW_CI=1 only another architecture is an excuse.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source_folder=$(cd "$here/../.." && pwd)
systemd=${KERNELS_SYSTEMD:-}
build=$(realpath "${PERFFLOW_BUILD:-$source_folder/build/release}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perfflow/kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Which suite of Debian has it, and what is run there.
suite_of() {
	case $1 in
	5.10) echo bullseye-security ;;
	6.1) echo bookworm-security ;;
	6.12) echo bookworm-backports ;;
	7.3) echo trixie-backports ;;
	*) echo "kernels: '$1' is none of 5.10, 6.1, 6.12 and 7.3" >&2 && exit 2 ;;
	esac
}

# All of tests/bpf on each kernel that can be traced. What each trace costs there (seconds) keeps two classes to 6.1, which say
# so themselves. Static probes need a program that is built where sys/sdt.h is; the machine's own faults are tried on one kernel.
tests_of() {
	local bpf="bpf/test_leaving bpf/test_binaries bpf/test_clocks bpf/test_overlay"

	[ -z "$systemd" ] || { echo kernels/test_unit && return; }
	[ ! -e "$build/tests/targets/marked" ] || bpf+=" bpf/test_static_probes"
	case $1 in
	5.10) echo kernels/test_kernel ;;
	6.12) echo kernels/test_kernel kernels/test_machine "$bpf" ;;
	*) echo kernels/test_kernel "$bpf" ;;
	esac
}

cannot() {
	echo "SKIPPED: $*"
	[ "${PERFFLOW_CI:-}" = 1 ] && exit 1
	exit 77
}

# Copies files to the same places under the root, with the libraries that programs need.
put() {
	local file library

	for file in "$@"; do
		[ -e "$work/root$file" ] || install -D -p "$file" "$work/root$file"
		for library in $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*'); do
			[ -e "$work/root$library" ] || install -D -p "$(readlink -f "$library")" "$work/root$library"
		done
	done
}

put_python() {
	local python lib

	python=$(readlink -f "$(PATH=/usr/bin:$PATH command -v python3)") # the distribution's, not a shim of a version manager
	lib=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
	put "$python" "$lib"/lib-dynload/*.so
	ln -s "$python" "$work/root/bin/python3"
	mkdir -p "$work/root$lib"
	tar c -C "$lib" --exclude=test --exclude=tests --exclude=idlelib --exclude=tkinter --exclude=ensurepip \
		--exclude=lib2to3 --exclude=pydoc_data --exclude=distutils --exclude=lib-dynload --exclude='config-*' \
		--exclude=dist-packages --exclude='*.opt-[12].pyc' . | tar x -C "$work/root$lib"
}

# The build tree, where it is here since its programs look for their libraries there; the tests, as /perfflow.
put_perfflow() {
	local file

	mkdir -p "$work/root/perfflow/tests/readers"
	for file in "$build"/perfflow "$build"/perfflowd "$build"/tests/targets/*; do
		[ ! -f "$file" ] || put "$file"
	done
	cp -r "$source_folder"/tests/lib "$source_folder"/tests/bpf "$source_folder"/tests/kernels "$work/root/perfflow/tests/"
	cp "$source_folder"/tests/readers/pfwlint.py "$work/root/perfflow/tests/readers/"
}

make_root() {
	local folder

	mkdir -p "$work/root"/{proc,sys,dev,tmp,run,etc}
	for folder in bin sbin lib lib64; do # files are looked for by both names
		mkdir -p "$work/root/usr/$folder"
		ln -s "usr/$folder" "$work/root/$folder"
	done
	install -D -p "$(command -v busybox)" "$work/root/bin/busybox"
	install -p "$here/init" "$work/root/init"
	cp -p /etc/ld.so.cache "$work/root/etc/"
	put "$(command -v setpriv)"
	put_python
	put_perfflow
	[ -z "$systemd" ] || put_systemd
}

# This machine's systemd, busybox for what it starts, and what perfflow installs. Nothing runs but the tests.
put_systemd() {
	local file settings=$work/root/etc/systemd/system

	while read -r file; do
		case $file in
		/usr/share/* | */tmpfiles.d/tmp.conf | */tmp.mount) ;; # the build tree may be in /tmp
		*.wants/*) cp -P --parents "$file" "$work/root" ;; # links, which tell what belongs to a start
		*) [ ! -f "$file" ] || put "$file" ;;
		esac
	done < <(dpkg -L systemd)
	for file in $(busybox --list); do
		[ -e "$work/root/bin/$file" ] || ln -s busybox "$work/root/bin/$file"
	done
	put "$(PATH=$PATH:/usr/sbin command -v bpftool)"
	cp -p /etc/os-release "$work/root/etc/"
	echo root:x:0:0::/root:/bin/sh >"$work/root/etc/passwd"
	echo root:x:0: >"$work/root/etc/group"
	: >"$work/root/etc/machine-id"
	DESTDIR=$work/root cmake --install "$build" >/dev/null
	rm -rf "${settings:?}"/*
	mkdir -p "$settings"
	printf '[Unit]\nRequires=basic.target perfflow-test.service\n' >"$settings/default.target"
	printf '[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStartPre=systemd-sysusers\nExecStart=/init\nStandardOutput=file:/dev/ttyS0\nStandardError=inherit\n' \
		>"$settings/perfflow-test.service"
}

boot() {
	local version=$1 log=$work/log-$1 first=/init

	[ -z "$systemd" ] || first=$(dpkg -L systemd | grep '/lib/systemd/systemd$')

	{
		echo "export TESTS='${KERNELS_TESTS:-$(tests_of "$version")}' PERFFLOW_KERNEL=$version"
		echo "export PERFFLOW_BUILD=$build"
	} >"$work/root/settings"
	cp "$cache/$version/overlay.ko" "$work/root/"
	(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/initrd"
	# -erms, -fsrm: else the kernel copies and clears with "rep movsb", which is emulated byte by byte
	# no_timer_check: on a busy machine the guest's timer comes so late that the kernel takes it for broken
	timeout -k 5 "${KERNELS_LIMIT_S:-1200}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-erms,-fsrm -m 2048 -smp 2 -nodefaults -nographic -no-reboot \
		-serial stdio -kernel "$cache/$version/vmlinuz" -initrd "$work/initrd" \
		-append "console=ttyS0 panic=-1 quiet no_timer_check systemd.show_status=0 systemd.firstboot=0 rdinit=$first" </dev/null 2>&1 | tr -d '\r' >"$log" || true
	status=$(sed -n 's/.*KERNELS-STATUS=//p' "$log" | tail -1)
	if [ "$status" != 0 ] || [ "${KERNELS_LOG:-}" = 1 ]; then
		tail -n 300 "$log"
	else
		grep -aE '^(===|Ran )' "$log" || true
	fi
	echo "kernels: $version $([ "$status" = 0 ] && echo passed || echo "FAILED (${status:-it did not end})") after ${SECONDS} s"
	[ "$status" = 0 ]
}

[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: the kernels are those of x86-64"; exit 77; }
for program in qemu-system-x86_64 busybox cpio setpriv python3 apt-get dpkg-deb xz; do
	PATH=$PATH:/usr/sbin command -v $program >/dev/null || cannot "needs $program"
done
# QEMU 7.2 of Debian 12 crashes Linux 6.12 in half of the boots.
qemu_version=$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
[ "${qemu_version:-0}" -ge 8 ] || cannot "needs QEMU 8 or newer (bookworm-backports has it)"
[ -x "$build/perfflowd" ] || cannot "there is no perfflowd in $build"

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 7.3
for version in "$@"; do
	suite=$(suite_of "$version")
	[ -e "$cache/$version/overlay.ko" ] || "$here/fetch.sh" "$suite" "$cache/$version" || cannot "there is no Linux $version"
done
make_root
failed=0
for version in "$@"; do
	SECONDS=0
	boot "$version" || failed=1
done
exit $failed
