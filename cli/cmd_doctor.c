/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cmd_doctor.c - perfflow doctor: what this kernel and machine can do, what is missing, and what
 * follows from it
 *
 * Everything is tried here and now, with our own rights and not with those of a service: as another
 * user than root most of it cannot be told, and then that is said.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client.h"
#include "command.h"
#include "options.h"
#include "probe/calibrate.h"
#include "probe/features.h"
#include "report.h"

enum state { STATE_PRESENT, STATE_ABSENT, STATE_DISABLED, STATE_UNKNOWN };

static const char *const state_names[] = {"present", "absent", "disabled", "unknown"};
static const char *const state_marks[] = {"ok", "-", "off", "?"};

/* What having it means, and what follows where it is missing. */
static const struct {
	bool is_needed;
	const char *present, *absent;
} meanings[N_FEATURES] = {
	[FEATURE_BTF] = {true, "the kernel tells how its structs are laid out",
			 "no BTF: nothing can be traced (CONFIG_DEBUG_INFO_BTF is needed)"},
	[FEATURE_ATTACH_COOKIES] =
		{true, "a program can tell which probe it runs for",
		 "no BPF attach cookies: nothing can be traced (Linux 5.15 is needed)"},
	[FEATURE_RING_BUFFERS] = {true, "events come through BPF ring buffers",
				  "no BPF ring buffers: nothing can be traced"},
	[FEATURE_TASK_STORAGE] = {true, "each thread has a stack of open spans",
				  "no BPF task storage: nothing can be traced"},
	[FEATURE_TP_BTF] = {true, "the scheduler's and processes' events can be seen",
			    "no programs at the scheduler's events: nothing can be traced"},
	[FEATURE_UPROBE_MULTI] = {false, "thousands of functions are probed in milliseconds",
				  "no uprobe_multi links (Linux 6.6): each probe is a perf event, "
				  "1,000 take half a second to "
				  "attach and are detached in the background"},
	[FEATURE_PERF_UPROBES] = {false, "functions can be probed one by one",
				  "no uprobes as perf events"},
	[FEATURE_MULTI_PID_FILTER] = {false, "probes can be limited to one process by the kernel",
				      "no right pid filter of uprobe_multi (Linux 6.10): plain users "
				      "cannot trace"},
	[FEATURE_UPROBE_SESSION] = {false,
				    "a call that is filtered out at its entry costs no return trap",
				    "no session links (Linux 6.13): a call that is filtered out "
				    "still costs the return trap"},
	[FEATURE_TAIL_CALLS] = {false, "at a switch of a CPU only sessions that it concerns are asked",
				"no tail calls: each session has a program at every switch of the machine"},
	[FEATURE_RUN_DELAY] = {false, "the kernel counts how long a thread waits for a CPU",
			       "no run_delay (CONFIG_SCHED_INFO): each wake-up of the machine is looked at"},
	[FEATURE_RUN_CONTEXT] = {false, "a probe's program reads which probe it runs for",
				 "no such view of the kernel: a call takes some 60 ns more"},
	[FEATURE_CURRENT_TASK] = {false, "a probe's program reads which thread it runs in",
				  "no such view of the scheduler: a call takes some 100 ns more"},
	[FEATURE_UPROBE_SYSCALL] = {false, "a probe on a 5-byte nop is a system call, not a trap",
				    "no uprobe system call (Linux 6.18, x86): a probe on a 5-byte "
				    "nop costs a trap as any other"},
	[FEATURE_GATE] = {false, "a program is held at its start until it is woven",
			  "no fanotify permission events: the first calls of a program that was "
			  "not known before may be missed"},
	[FEATURE_MEMBARRIER] =
		{false, "a session that stops knows when its last probe has run",
		 "no membarrier: a session that stops waits 20 ms for its last probes"},
};

static const struct {
	unsigned int number;
	const char *name;
} capabilities[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_PERFMON, "CAP_PERFMON"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
};

struct examination {
	enum state features[N_FEATURES];
	bool is_held[ARRAY_SIZE(capabilities)];
	struct utsname system;
	long n_cpus;
	char clock_source[64], lockdown[64], paranoid[16];
	bool service_answers;
	struct probe_costs costs; /* all 0: not measured */
	struct why why_not;	  /* tracing does not work, or that cannot be told */
	bool works;
};

/* The first line of a file, or "" */
static void read_line(const char *path, char *line, size_t size)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");

	if (!file || !fgets(line, (int)size, file))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static enum state feature_state(enum feature feature)
{
	int r;

	if (feature_is_disabled(feature))
		return STATE_DISABLED;
	r = feature_probe(feature);
	return r < 0 ? STATE_UNKNOWN : r > 0 ? STATE_PRESENT : STATE_ABSENT;
}

static void examine_rights(struct examination *found)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		found->is_held[i] = data[CAP_TO_INDEX(capabilities[i].number)].effective &
				    CAP_TO_MASK(capabilities[i].number);
}

static bool service_answers(const char *socket_path)
{
	_cleanup_(client_freep) struct client *client = NULL;
	struct why ignored = {0};

	return client_connect(socket_path, false, &client, &ignored) >= 0;
}

/* Whether a feature keeps tracing from working, and the sentence that says so. */
static bool is_fatal(struct examination *found, enum feature feature)
{
	enum state state = found->features[feature];

	if (!meanings[feature].is_needed || state == STATE_PRESENT || state == STATE_UNKNOWN)
		return false;
	if (state == STATE_DISABLED)
		why_say(&found->why_not, -EOPNOTSUPP, "%s is switched off by PERFFLOW_DISABLE",
			feature_name(feature));
	else
		why_say(&found->why_not, -EOPNOTSUPP, "%s", meanings[feature].absent);
	return true;
}

static bool can_work(struct examination *found)
{
	bool is_known = true;

	if (features_check_disabled(&found->why_not) < 0)
		return false;
	for (enum feature i = 0; i < N_FEATURES; i++) {
		if (is_fatal(found, i))
			return false;
		is_known &= found->features[i] != STATE_UNKNOWN || !meanings[i].is_needed;
	}
	if (strstr(found->lockdown, "[confidentiality]")) {
		why_say(&found->why_not, -EPERM,
			"this kernel is locked down: no program may look into it");
		return false;
	}
	if (found->features[FEATURE_UPROBE_MULTI] != STATE_PRESENT &&
	    found->features[FEATURE_PERF_UPROBES] == STATE_ABSENT) {
		why_say(&found->why_not, -EOPNOTSUPP, "this kernel has no uprobes");
		return false;
	}
	if (!is_known && !found->service_answers)
		why_say(&found->why_not, -EPERM,
			"no perfflowd answers, and to trace without one takes root (most of this "
			"cannot be told without either)");
	return is_known || found->service_answers;
}

static void examine(struct examination *found, const char *socket_path)
{
	struct why ignored = {0};

	uname(&found->system);
	found->n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  found->clock_source, sizeof(found->clock_source));
	read_line("/sys/kernel/security/lockdown", found->lockdown, sizeof(found->lockdown));
	read_line("/proc/sys/kernel/perf_event_paranoid", found->paranoid, sizeof(found->paranoid));
	for (enum feature i = 0; i < N_FEATURES; i++)
		found->features[i] = feature_state(i);
	examine_rights(found);
	found->service_answers = service_answers(socket_path);
	found->works = can_work(found);
	if (found->works)
		calibrate(&found->costs, &ignored);
}

static void print_line(const char *mark, const char *name, const char *text)
{
	printf("%-4s %-17s %s\n", mark, name, text);
}

static void print_rights(const struct examination *found)
{
	_cleanup_(text_done) struct text held = {0};

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (found->is_held[i])
			text_printf(&held, "%s%s", held.size ? ", " : "", capabilities[i].name);
	print_line(held.size ? "ok" : "-", "rights",
		   held.size ? held.data
			     : "none to trace with; a perfflowd that runs as root has them");
}

static void print_costs(const struct probe_costs *costs)
{
	printf("%-4s %-17s ", costs->emulated_ns ? "ok" : "?", "cost of a probe");
	if (!costs->emulated_ns) {
		puts("was not measured");
		return;
	}
	printf("%u ns, %u ns where the instruction has to be single-stepped", costs->emulated_ns,
	       costs->stepped_ns);
	if (costs->nop5_ns)
		printf(", %u ns on a 5-byte nop", costs->nop5_ns);
	printf("; a return probe %u ns more\n", costs->return_ns);
}

/* perf_event_paranoid, tracefs, bpffs and debugfs mean nothing to perfflow: said, since other
 * tracers need them. */
static void print_examination(const struct examination *found)
{
	printf("Linux %s on %s, %ld CPUs, clock source %s\n\n", found->system.release,
	       found->system.machine, found->n_cpus,
	       *found->clock_source ? found->clock_source : "unknown");
	for (enum feature i = 0; i < N_FEATURES; i++) {
		enum state state = found->features[i];
		const char *text = state == STATE_UNKNOWN   ? "cannot be told without root"
				   : state == STATE_PRESENT ? meanings[i].present
							    : meanings[i].absent;

		print_line(state_marks[state], feature_name(i), text);
	}
	print_rights(found);
	print_line(found->service_answers ? "ok" : "-", "perfflowd",
		   found->service_answers
			   ? "answers"
			   : "does not run as a service; root's commands start one for themselves");
	if (*found->lockdown)
		print_line(strstr(found->lockdown, "[confidentiality]") ? "-" : "ok", "lockdown",
			   found->lockdown);
	print_costs(&found->costs);
	printf("\nNot needed: tracefs, debugfs, bpffs, and a lower perf_event_paranoid (it is "
	       "%s).\n",
	       *found->paranoid ? found->paranoid : "unknown");
	if (found->works)
		puts("perfflow can trace here.");
	else
		printf("perfflow cannot trace here: %s.\n", found->why_not.text);
}

static void add(struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add(object, name, value);
}

static struct json_object *describe_costs(const struct probe_costs *costs)
{
	struct json_object *object;

	if (!costs->emulated_ns)
		return NULL;
	object = json_object_new_object();
	add(object, "emulated_ns", json_object_new_int64(costs->emulated_ns));
	add(object, "stepped_ns", json_object_new_int64(costs->stepped_ns));
	add(object, "nop5_ns", costs->nop5_ns ? json_object_new_int64(costs->nop5_ns) : NULL);
	add(object, "return_ns", json_object_new_int64(costs->return_ns));
	return object;
}

static void print_json(const struct examination *found)
{
	struct json_object *object = json_object_new_object(), *features = json_object_new_object(),
			   *rights = json_object_new_array();

	for (enum feature i = 0; i < N_FEATURES; i++)
		add(features, feature_name(i),
		    json_object_new_string(state_names[found->features[i]]));
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (found->is_held[i])
			json_object_array_add(rights, json_object_new_string(capabilities[i].name));
	add(object, "works", json_object_new_boolean(found->works));
	add(object, "why_not", found->works ? NULL : json_text(found->why_not.text));
	add(object, "kernel", json_text(found->system.release));
	add(object, "machine", json_text(found->system.machine));
	add(object, "cpus", json_object_new_int64(found->n_cpus));
	add(object, "clock_source", json_text(found->clock_source));
	add(object, "lockdown", *found->lockdown ? json_text(found->lockdown) : NULL);
	add(object, "features", features);
	add(object, "rights", rights);
	add(object, "service_answers", json_object_new_boolean(found->service_answers));
	add(object, "costs", describe_costs(&found->costs));
	report_json(object);
	json_object_put(object);
}

static int run_doctor(int argc, char **argv)
{
	struct query_options options = {0};
	struct examination found = {0};
	int r;

	r = query_options_parse(&options, &command_doctor, argc, argv, 0);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	examine(&found, options.socket_path);
	if (options.json)
		print_json(&found);
	else
		print_examination(&found);
	return found.works ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "doctor [--json] [--socket PATH]",
	.help = "tell what this machine can do, and what it lacks",
	.details = "Each thing is tried; as root all of it can be told. The exit status is 0 if "
		   "tracing works.\n"
		   "PERFFLOW_DISABLE=NAME,... does without some of them, as on an older kernel.\n\n"
		   "  --json         print it for programs\n"
		   "  --socket PATH  the service to look for ($PERFFLOW_SOCKET)\n",
	.run = run_doctor,
};
