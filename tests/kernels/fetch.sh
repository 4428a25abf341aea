#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Gets the kernel of one of Debian's suites as a package, which is unpacked and not installed.
#
#     tests/kernels/fetch.sh SUITE FOLDER        e.g. bookworm-security: makes FOLDER/vmlinuz and FOLDER/overlay.ko
#
# The mirror is the one that this machine's own package sources name. The suite is read through a configuration of its
# own, so that nothing of it can be installed by mistake.
set -euo pipefail

suite=$1 folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "kernels: $*" >&2
	exit 1
}

# The address of the packages, or of the security updates, of the distribution that runs here.
mirror_of() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v release="$1" '$1 == release { print $2; exit }'
}

own_apt() {
	local command=$1

	shift
	"$command" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$work/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$work/cache" \
		-o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $suite in
*-security) mirror=$(mirror_of "$codename-security") ;;
*) mirror=$(mirror_of "$codename") ;;
esac
[ -n "$mirror" ] || fail "this machine's package sources name no mirror for $suite"

keys=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ ! -e $keys ] || signed="[signed-by=$keys] "
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages" "$work/unpacked"
echo "deb $signed$mirror $suite main" >"$work/sources.list"
own_apt apt-get update -q >"$work/log" 2>&1 || fail "cannot read the list of packages of $suite: $(tail -1 "$work/log")"

# What the newest kernel for virtual machines consists of; from Linux 7 on the image itself is in linux-binary, its modules
# are in linux-modules.
mapfile -t packages < <(own_apt apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
	--no-replaces --no-enhances linux-image-cloud-amd64 2>/dev/null | grep -E '^linux-(image|binary|modules)-[0-9]' | sort -u)
[ ${#packages[@]} -gt 0 ] || fail "$suite has no linux-image-cloud-amd64"
(cd "$work/packages" && own_apt apt-get download -q "${packages[@]}" >"$work/log" 2>&1) ||
	fail "cannot get ${packages[*]}: $(tail -1 "$work/log")"
for package in "$work"/packages/*.deb; do
	dpkg-deb --fsys-tarfile "$package" | tar x -C "$work/unpacked" --wildcards '*/vmlinuz*' '*/overlay.ko*' 2>/dev/null || true
done
mapfile -t images < <(find "$work/unpacked" -type f -name 'vmlinuz*')
mapfile -t modules < <(find "$work/unpacked" -type f -name 'overlay.ko*')
[ ${#images[@]} -eq 1 ] || fail "there is not one kernel but ${#images[@]} in ${packages[*]}"
[ ${#modules[@]} -eq 1 ] || fail "there is not one overlay.ko but ${#modules[@]} in ${packages[*]}"
mkdir -p "$folder"
case ${modules[0]} in
*.xz) xz -dc "${modules[0]}" ;;
*) cat "${modules[0]}" ;;
esac >"$folder/overlay.ko.new"
mv "${images[0]}" "$folder/vmlinuz.new"
mv "$folder/vmlinuz.new" "$folder/vmlinuz"
mv "$folder/overlay.ko.new" "$folder/overlay.ko" # the last: where it is, both are
