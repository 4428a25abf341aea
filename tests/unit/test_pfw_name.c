/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Names of files as PerfFlowAspect gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sink/pfw_name.h"
#include "util/cleanup.h"

static void assert_name(const char *options_text, const char *instance_path, const char *expected)
{
	_cleanup_(strings_done) struct strings faults = {0};
	_cleanup_(pfw_options_done) struct pfw_options options;
	_cleanup_(text_done) struct text name = {0};

	assert_int_equal(pfw_options_parse(options_text, &options, &faults), 0);
	assert_int_equal(pfw_file_name(&options, "vm", instance_path, 4711, &name), 0);
	assert_string_equal(name.data, expected);
}

static void a_name_has_the_form_the_host_and_the_pid(void **state)
{
	(void)state;
	assert_name(NULL, "", "perfflow.array.vm.4711");
	assert_name("log-format=object", "", "perfflow.object.vm.4711");
}

static void a_name_has_what_is_listed_in_that_order(void **state)
{
	(void)state;
	assert_name("name=mine:log-filename-include=name,instance-path,hostname,pid", "a.b",
		    "perfflow.array.mine.{a.b}.vm.4711");
	assert_name("log-filename-include=pid,name", "", "perfflow.array.4711.generic");
	assert_name("log-filename-include=instance-path", "356a192b", "perfflow.array.{356a192b}");
}

static void no_name_leads_to_another_folder(void **state)
{
	(void)state;
	assert_name("name=../../etc/x:log-filename-include=name,instance-path", "a/../b",
		    "perfflow.array..._.._etc_x.{a_.._b}");
}

static void a_name_that_is_too_long_is_cut(void **state)
{
	_cleanup_(strings_done) struct strings faults = {0};
	_cleanup_(pfw_options_done) struct pfw_options options;
	_cleanup_(text_done) struct text name = {0}, text = {0};

	(void)state;
	text_printf(&text, "log-filename-include=name:name=%0*d", 1000, 1);
	assert_int_equal(pfw_options_parse(text.data, &options, &faults), 0);
	assert_int_equal(pfw_file_name(&options, "vm", "", 1, &name), 0);
	assert_int_equal(strlen(name.data), PFW_NAME_BYTES);
}

/* "NAME=value" ..., NULL */
static const char *variable(const void *opaque, const char *name)
{
	size_t length = strlen(name);

	for (const char *const *item = opaque; *item; item++) {
		if (strncmp(*item, name, length) == 0 && (*item)[length] == '=')
			return *item + length + 1;
	}
	return NULL;
}

static void assert_path(const char *const *environment, const char *expected)
{
	_cleanup_(text_done) struct text path = {0};

	assert_int_equal(pfw_instance_path(variable, environment, &path), 0);
	assert_string_equal(path.data, expected);
}
#define ASSERT_PATH(expected, ...) assert_path((const char *const[]){__VA_ARGS__, NULL}, expected)

static void a_process_outside_of_any_job_has_an_id_too(void **state)
{
	(void)state;
	ASSERT_PATH("356a192b", NULL);
	ASSERT_PATH("356a192b", "PERFFLOW_INSTANCE_PATH=");
}

static void the_ids_of_outer_instances_come_first(void **state)
{
	(void)state;
	ASSERT_PATH("fffffff.444444.123456", "FLUX_JOB_ID=123456",
		    "PERFFLOW_INSTANCE_PATH=fffffff.444444");
}

/* The digests are sha1sum's, of "17.0", "81.4242", "/run/flux-1" and "node1/run/flux-1". */
static void ids_are_of_flux_then_slurm_then_lsf_then_the_flux_instance(void **state)
{
	(void)state;
	ASSERT_PATH("f58aA", "FLUX_JOB_ID=f58aA", "SLURM_JOB_ID=17", "SLURM_STEP_ID=0",
		    "FLUX_URI=local:///run/flux-1/local");
	ASSERT_PATH("1e8656ea", "SLURM_JOB_ID=17", "SLURM_STEP_ID=0", "LSB_JOBID=81",
		    "LS_JOBPID=4242", "FLUX_URI=local:///run/flux-1/local");
	ASSERT_PATH("163c0455", "LSB_JOBID=81", "LS_JOBPID=4242");
	ASSERT_PATH("eaf1312e", "FLUX_URI=local:///run/flux-1/local");
	ASSERT_PATH("2b93ed94", "FLUX_URI=ssh://node1/run/flux-1/local");
}

static void a_job_without_its_step_is_none(void **state)
{
	(void)state;
	ASSERT_PATH("356a192b", "SLURM_JOB_ID=17");
	ASSERT_PATH("356a192b", "SLURM_JOB_ID=17", "LSB_JOBID=81", "LS_JOBPID=4242");
	ASSERT_PATH("356a192b", "LSB_JOBID=81");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_the_form_the_host_and_the_pid),
		cmocka_unit_test(a_name_has_what_is_listed_in_that_order),
		cmocka_unit_test(no_name_leads_to_another_folder),
		cmocka_unit_test(a_name_that_is_too_long_is_cut),
		cmocka_unit_test(a_process_outside_of_any_job_has_an_id_too),
		cmocka_unit_test(the_ids_of_outer_instances_come_first),
		cmocka_unit_test(ids_are_of_flux_then_slurm_then_lsf_then_the_flux_instance),
		cmocka_unit_test(a_job_without_its_step_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
