/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/counter.h"
#include "probe/hotplug.h"
#include "util/cleanup.h"

static void a_cpu_that_has_gone_and_come_back_has_another_life(void **state)
{
	char folder[] = "/tmp/perfflow-hotplug-XXXXXX", cpu[64], topology[80], next[80];
	uint64_t before;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(cpu, sizeof(cpu), "%s/cpu1", folder);
	snprintf(topology, sizeof(topology), "%s/topology", cpu);
	snprintf(next, sizeof(next), "%s/next", cpu);
	assert_int_equal(mkdir(cpu, 0700), 0);
	assert_int_equal(hotplug_life(folder, 1), 0);
	assert_int_equal(mkdir(topology, 0700), 0);
	before = hotplug_life(folder, 1);
	assert_int_not_equal(before, 0);
	assert_int_equal(hotplug_life(folder, 1), before);
	assert_int_equal(mkdir(next, 0700), 0); /* first, so that it cannot have the number of the other */
	assert_int_equal(rmdir(topology), 0);
	assert_int_equal(hotplug_life(folder, 1), 0);
	assert_int_equal(rename(next, topology), 0);
	assert_int_not_equal(hotplug_life(folder, 1), 0);
	assert_int_not_equal(hotplug_life(folder, 1), before);
	assert_int_equal(rmdir(topology), 0);
	assert_int_equal(rmdir(cpu), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void the_cpus_of_this_machine_are_where_they_are_looked_for(void **state)
{
	(void)state;
	if (access(HOTPLUG_FOLDER "/cpu0", F_OK) < 0)
		skip();
	assert_int_not_equal(hotplug_life(HOTPLUG_FOLDER, 0), 0);
	assert_int_equal(hotplug_life(HOTPLUG_FOLDER, 999999), 0);
}

static void a_counter_whose_file_has_ended_has_lost_its_place(void **state)
{
	_cleanup_close_ int ended = open("/dev/null", O_RDONLY | O_CLOEXEC), counts = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(counter_has_place(ended));
	assert_true(counter_has_place(counts));
}

static void a_counter_that_is_tried_counts(void **state)
{
	struct why why = { 0 };
	_cleanup_close_ int fd = counter_try(counter_find("page-faults"), &why);

	(void)state;
	if (fd < 0)
		skip(); /* no rights to */
	assert_true(counter_has_place(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cpu_that_has_gone_and_come_back_has_another_life),
		cmocka_unit_test(the_cpus_of_this_machine_are_where_they_are_looked_for),
		cmocka_unit_test(a_counter_whose_file_has_ended_has_lost_its_place),
		cmocka_unit_test(a_counter_that_is_tried_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
