#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Installs what is missing, builds, and traces a command, or else the sample workflow that is built along.
#
#     deploy/quickstart.sh [-p ASPECT]... [-o FILE] [--] [COMMAND...]
#
# Without -p the functions of the command's own program are traced, with calls into libc that may take long.
set -euo pipefail

source_folder=$(cd "$(dirname "$0")/.." && pwd)
build=$source_folder/build/release
root=()
[ "$(id -u)" = 0 ] || root=(sudo --preserve-env)

aspects=()
output=() # perfflow makes a name up, and says where the trace is
while getopts :p:o: option; do
	case $option in
	p) aspects+=(-p "$OPTARG") ;;
	o) output=(-o "$OPTARG") ;;
	*)
		echo "usage: deploy/quickstart.sh [-p ASPECT]... [-o FILE] [--] [COMMAND...]" >&2
		exit 2
		;;
	esac
done
shift $((OPTIND - 1))

# What they print goes to stderr: standard output belongs to the command.
"$source_folder/deploy/setup.sh" >&2
(cd "$source_folder" && cmake --preset release &&
	cmake --build --preset release --target perfflow perfflowd perfflow-python solver compressor workers) >&2

if [ $# -eq 0 ]; then
	workflow=$build/tests/targets/workflow
	PATH=$workflow:$PATH # where perfflow looks for programs that are named in aspects
	set -- "$workflow/workflow"
	[ ${#aspects[@]} -gt 0 ] || aspects=(-p 'solver:heat::*' -p 'compressor:pack_*' -p 'libz.so*:compress2'
		-p 'workers:analyse || workers:histogram || workers:collect')
elif [ ${#aspects[@]} -eq 0 ]; then
	aspects=(-p "${1##*/}:*" -p 'libc.so*:read || libc.so*:write || libc.so*:open64 || libc.so*:poll || libc.so*:fsync'
		--allow-empty)
fi

exec "${root[@]}" env PATH="$PATH" "$build/perfflow" run "${aspects[@]}" "${output[@]}" -- "$@"
