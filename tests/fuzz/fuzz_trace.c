/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A trace from anybody: checked, and where it is one, repaired. What was repaired is sound. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convert/repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_repaired(const char *path, struct check *check)
{
	struct repair_result result;
	struct check again = {};
	struct why why = {};
	char repaired[64];

	snprintf(repaired, sizeof(repaired), "/tmp/perfflow-fuzz-%d", (int)getpid());
	unlink(repaired);
	if (repair_trace(path, check, repaired, &result, &why) < 0)
		abort();
	/* without an event it is no trace, which is a reason */
	if (check_trace(repaired, &again, &why) < 0 ? !why.text[0] : again.verdict == CHECK_BROKEN)
		abort();
	check_done(&again);
	unlink(repaired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check check = {};
	struct why why = {};
	char path[32];
	int fd;

	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (check_trace(path, &check, &why) == 0)
		check_repaired(path, &check);
	else if (!why.text[0])
		abort();
	check_done(&check);
	close(fd);
	return 0;
}
