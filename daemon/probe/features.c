/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each feature is tried with the least that shows it: a program of a few instructions that is
 * loaded and let go, a link to a folder, which is refused, a probe on a function of our own.
 * Versions tell nothing: distributions carry features and mistakes back and forth.
 */
#include "probe/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "probe/link.h"
#include "util/cleanup.h"
#include "util/text.h"

#define INSTRUCTION(...) ((struct bpf_insn){__VA_ARGS__})
#define RETURN_0                                                                                   \
	INSTRUCTION(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0),                    \
		INSTRUCTION(.code = BPF_JMP | BPF_EXIT)

/* errno of a bpf() that failed: whether it tells that we may not, rather than that it is not there.
 */
static int absent_or_forbidden(int error)
{
	return error == EPERM || error == EACCES ? -EPERM : 0;
}

static int load_program(enum bpf_prog_type type, enum bpf_attach_type attach_type,
			const struct bpf_insn *instructions, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type);

	return bpf_prog_load(type, "pf_feature", "GPL", instructions, n, &options);
}

static int probe_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

static int probe_cookies(void)
{
	static const struct bpf_insn instructions[] = {
		INSTRUCTION(.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie),
		RETURN_0,
	};
	_cleanup_close_ int program =
		load_program(BPF_PROG_TYPE_KPROBE, 0, instructions, ARRAY_SIZE(instructions));

	return program >= 0 ? 1 : absent_or_forbidden(errno);
}

static int probe_ring_buffers(void)
{
	_cleanup_close_ int map =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "pf_feature", 0, 0, getpagesize(), NULL);

	return map >= 0 ? 1 : absent_or_forbidden(errno);
}

/* The map has to know types; any that we write ourselves will do. */
static int probe_task_storage(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	struct btf *btf = btf__new_empty();
	int type = btf ? btf__add_int(btf, "int", 4, BTF_INT_SIGNED) : -1, r = 0;
	_cleanup_close_ int map = -1;

	if (type > 0 && btf__load_into_kernel(btf) == 0) {
		options.btf_fd = btf__fd(btf);
		options.btf_key_type_id = options.btf_value_type_id = type;
		map = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "pf_feature", 4, 4, 0, &options);
	}
	if (map < 0)
		r = absent_or_forbidden(errno);
	btf__free(btf);
	return map >= 0 ? 1 : r;
}

static int probe_switch_program(const struct bpf_insn *instructions, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	_cleanup_close_ int program = -1;
	int type = libbpf_find_vmlinux_btf_id("sched_switch", BPF_TRACE_RAW_TP);

	if (type < 0)
		return 0;
	options.attach_btf_id = type;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "pf_feature", "GPL", instructions, n,
				&options);
	return program >= 0 ? 1 : absent_or_forbidden(errno);
}

static int probe_tp_btf(void)
{
	static const struct bpf_insn instructions[] = {RETURN_0};

	return probe_switch_program(instructions, ARRAY_SIZE(instructions));
}

/* As the hooks at the scheduler's switches do it: see probe/dispatch.h. */
static int probe_tail_calls(void)
{
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "pf_feature", 4, 4, 1, NULL);
	const struct bpf_insn instructions[] = {
		INSTRUCTION(.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1),
		INSTRUCTION(.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 7),
		INSTRUCTION(.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6),
		INSTRUCTION(.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_2, .src_reg = BPF_PSEUDO_MAP_FD,
			    .imm = map),
		INSTRUCTION(0),
		INSTRUCTION(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3),
		INSTRUCTION(.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call),
		RETURN_0,
		RETURN_0, /* the function that is called first */
	};

	return map >= 0 ? probe_switch_program(instructions, ARRAY_SIZE(instructions)) : absent_or_forbidden(errno);
}

/*
 * The kernel refuses a link to a folder with another error if it knows this kind of link: it gets
 * as far as looking at the path.
 */
static int probe_link(enum bpf_attach_type type)
{
	static const struct bpf_insn instructions[] = {RETURN_0};
	static const unsigned long offset;
	struct link_sites folder = {.path = "/", .offsets = &offset, .n = 1};
	_cleanup_close_ int program =
		load_program(BPF_PROG_TYPE_KPROBE, type, instructions, ARRAY_SIZE(instructions));
	int link;

	if (program < 0)
		return absent_or_forbidden(errno);
	link = link_open(program, type, &folder);
	return link == -EBADF ? 1 : absent_or_forbidden(-link);
}

static int probe_uprobe_multi(void)
{
	return probe_link(LINK_UPROBE_MULTI);
}

static int probe_uprobe_session(void)
{
	return probe_link(LINK_UPROBE_SESSION);
}

static bool kernel_has_member(const char *structure, const char *member)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	const struct btf_type *type;
	int id = kernel ? btf__find_by_name_kind(kernel, structure, BTF_KIND_STRUCT) : -1;
	bool is_there = false;

	type = id > 0 ? btf__type_by_id(kernel, id) : NULL;
	for (int i = 0; type && i < btf_vlen(type); i++)
		is_there |= strcmp(btf__name_by_offset(kernel, btf_members(type)[i].name_off), member) == 0;
	btf__free(kernel);
	return is_there;
}

/* As it is where the kernel has scheduler statistics or delay accounting (CONFIG_SCHED_INFO). */
static int probe_run_delay(void)
{
	return kernel_has_member("sched_info", "run_delay");
}

/* That it is as we read it is tried where it is used: see probe/run_context.h. */
static int probe_run_context(void)
{
	int r = probe_uprobe_session();

	return r == 1 ? libbpf_find_vmlinux_btf_id("bpf_rdonly_cast", 0) > 0 : r;
}

/* From each task its CPU's run queue is found where the scheduler has groups (CONFIG_FAIR_GROUP_SCHED). */
static int probe_current_task(void)
{
	int r = probe_uprobe_multi();

	return r == 1 ? libbpf_find_vmlinux_btf_id("bpf_rdonly_cast", 0) > 0 && kernel_has_member("cfs_rq", "rq") : r;
}

int features_own_offset(void (*function)(void), unsigned long *ret_offset)
{
	_cleanup_(fclosep) FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, offset, wanted = (unsigned long)function;
	char line[4352];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    start <= wanted && wanted < end) {
			*ret_offset = wanted - start + offset;
			return 0;
		}
	}
	return -ENOENT;
}

#define LOAD_FILES 16 /* as many as a load has open at once, which are closed again by now */

int features_load_error(int r)
{
	int fds[LOAD_FILES], n = 0;

	if (r != -EINVAL)
		return r;
	while (n < LOAD_FILES && (fds[n] = dup(STDERR_FILENO)) >= 0)
		n++;
	if (n < LOAD_FILES && errno == EMFILE)
		r = -EMFILE;
	while (n > 0)
		close(fds[--n]);
	return r;
}

/* To be probed. Neither inlined nor thought to be without effect. */
static __attribute__((noinline)) void be_called(void)
{
	asm volatile("nop");
}

static int probe_perf_uprobes(void)
{
	_cleanup_close_ int event = -1;
	unsigned long offset;

	if (features_own_offset(be_called, &offset) < 0)
		return 0;
	event = link_make_event("/proc/self/exe", offset, false);
	return event >= 0 ? 1 : absent_or_forbidden(-event);
}

static void *call_from_thread(void *userdata)
{
	(void)userdata;
	be_called();
	return NULL;
}

/* Adds 1 to the number that the map holds. */
static int load_counting_program(int map)
{
	const struct bpf_insn instructions[] = {
		INSTRUCTION(.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
			    .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map),
		INSTRUCTION(0),
		INSTRUCTION(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1),
		INSTRUCTION(.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_1,
			    .src_reg = BPF_REG_2, .imm = BPF_ADD),
		RETURN_0,
	};

	return load_program(BPF_PROG_TYPE_KPROBE, LINK_UPROBE_MULTI, instructions,
			    ARRAY_SIZE(instructions));
}

/* At first the filter let only the named thread through, not the others of its process: call from
 * another. */
static int probe_multi_pid_filter(void)
{
	_cleanup_close_ int map = -1, program = -1, link = -1;
	struct link_sites own = {.path = "/proc/self/exe", .n = 1, .pid = getpid()};
	uint32_t key = 0;
	uint64_t n_runs = 0;
	unsigned long offset;
	pthread_t thread;

	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_feature", sizeof(key), sizeof(n_runs), 1,
			     NULL);
	if (map < 0)
		return absent_or_forbidden(errno);
	program = load_counting_program(map);
	if (program < 0)
		return absent_or_forbidden(errno);
	if (features_own_offset(be_called, &offset) < 0)
		return 0;
	own.offsets = &offset;
	link = link_open(program, LINK_UPROBE_MULTI, &own);
	if (link < 0)
		return absent_or_forbidden(-link);
	if (pthread_create(&thread, NULL, call_from_thread, NULL) != 0)
		return 0;
	pthread_join(thread, NULL);
	bpf_map_lookup_elem(map, &key, &n_runs);
	return n_runs == 1;
}

/* Called from elsewhere than its trampoline, the system call says so. */
static int probe_uprobe_syscall(void)
{
#ifdef __x86_64__
	return syscall(336) < 0 && errno == ENXIO;
#else
	return 0;
#endif
}

/* On a file that nobody else can open, so that nobody is held. */
static int probe_gate(void)
{
	_cleanup_close_ int events =
		fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int file = memfd_create("pf_feature", MFD_CLOEXEC);
	char path[64];

	if (events < 0)
		return absent_or_forbidden(errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return fanotify_mark(events, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) == 0;
}

static int probe_membarrier(void)
{
	long commands = syscall(__NR_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	return commands >= 0 && commands & MEMBARRIER_CMD_GLOBAL;
}

static const struct {
	const char *name;
	int (*probe)(void);
	bool can_be_disabled;
} features[N_FEATURES] = {
	[FEATURE_BTF] = {"btf", probe_btf},
	[FEATURE_ATTACH_COOKIES] = {"attach_cookies", probe_cookies, true},
	[FEATURE_RING_BUFFERS] = {"ring_buffers", probe_ring_buffers},
	[FEATURE_TASK_STORAGE] = {"task_storage", probe_task_storage},
	[FEATURE_TP_BTF] = {"tp_btf", probe_tp_btf, true},
	[FEATURE_UPROBE_MULTI] = {"uprobe_multi", probe_uprobe_multi, true},
	[FEATURE_PERF_UPROBES] = {"perf_uprobes", probe_perf_uprobes},
	[FEATURE_MULTI_PID_FILTER] = {"multi_pid_filter", probe_multi_pid_filter, true},
	[FEATURE_UPROBE_SESSION] = {"uprobe_session", probe_uprobe_session, true},
	[FEATURE_TAIL_CALLS] = {"tail_calls", probe_tail_calls, true},
	[FEATURE_RUN_DELAY] = {"run_delay", probe_run_delay, true},
	[FEATURE_RUN_CONTEXT] = {"run_context", probe_run_context, true},
	[FEATURE_CURRENT_TASK] = {"current_task", probe_current_task, true},
	[FEATURE_UPROBE_SYSCALL] = {"uprobe_syscall", probe_uprobe_syscall},
	[FEATURE_GATE] = {"gate", probe_gate, true},
	[FEATURE_MEMBARRIER] = {"membarrier", probe_membarrier},
};

/* One thread at a time: each would see what the other's probes do. A feature may ask for another. */
static int try_feature(enum feature feature)
{
	static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	int r;

	pthread_mutex_lock(&lock);
	libbpf_set_print(NULL); /* it would tell of each failure, and failing is what tells us */
	r = features[feature].probe();
	pthread_mutex_unlock(&lock);
	return r;
}

int feature_probe(enum feature feature)
{
	static _Atomic(int) found[N_FEATURES]; /* 0: not yet; 1: it is not there; 2: it is */
	int r;

	if (feature_is_disabled(feature))
		return 0;
	if (found[feature])
		return found[feature] - 1;
	r = try_feature(feature);
	if (r >= 0)
		found[feature] = r + 1;
	return r;
}

bool feature_is_there(enum feature feature)
{
	return feature_probe(feature) == 1;
}

const char *feature_name(enum feature feature)
{
	return features[feature].name;
}

/* The next name of a list that commas separate: its length, or 0 at the end. */
static size_t next_name(const char **rest)
{
	*rest += strspn(*rest, ", ");
	return strcspn(*rest, ", ");
}

static bool is_name(const char *text, size_t size, const char *name)
{
	return size == strlen(name) && memcmp(text, name, size) == 0;
}

bool feature_is_disabled(enum feature feature)
{
	const char *rest = getenv("PERFFLOW_DISABLE") ?: "";

	if (!features[feature].can_be_disabled)
		return false;
	for (size_t size; (size = next_name(&rest)); rest += size)
		if (is_name(rest, size, features[feature].name))
			return true;
	return false;
}

static bool can_be_disabled(const char *name, size_t size)
{
	for (size_t i = 0; i < N_FEATURES; i++)
		if (features[i].can_be_disabled && is_name(name, size, features[i].name))
			return true;
	return false;
}

static int refuse_name(const char *name, size_t size, struct why *why)
{
	_cleanup_(text_done) struct text known = {0};

	for (size_t i = 0; i < N_FEATURES; i++)
		if (features[i].can_be_disabled &&
		    text_printf(&known, "%s%s", known.size ? ", " : "", features[i].name) < 0)
			return -ENOMEM;
	return why_say(why, -EINVAL, "PERFFLOW_DISABLE names '%.*s'; it can be %s", (int)size, name,
		       known.data);
}

int features_check_disabled(struct why *why)
{
	const char *rest = getenv("PERFFLOW_DISABLE") ?: "";

	for (size_t size; (size = next_name(&rest)); rest += size)
		if (!can_be_disabled(rest, size))
			return refuse_name(rest, size, why);
	return 0;
}

int features_check_needed(struct why *why)
{
	if (feature_probe(FEATURE_BTF) == 0)
		return why_say(why, -EOPNOTSUPP,
			       "this kernel lacks BTF, which tells how its structs are laid out");
	if (feature_probe(FEATURE_ATTACH_COOKIES) == 0)
		return why_say(why, -EOPNOTSUPP,
			       "this kernel lacks BPF attach cookies (Linux 5.15 is needed)");
	if (feature_is_disabled(FEATURE_TP_BTF))
		return why_say(
			why, -EOPNOTSUPP,
			"tp_btf is switched off by PERFFLOW_DISABLE, and nothing replaces it");
	return 0;
}
