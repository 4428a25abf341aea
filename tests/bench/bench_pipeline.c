/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * How many spans a second go from the bytes of a ring to the lines of a trace, on one core: decode,
 * order, format, write to /dev/null. Then the same of spans that carry three values. Beside it the
 * plain lines made with json-c. Times are of the CPU, so other load does not count.
 *
 * Exit status 1 below the goal.
 *
 *     bench_pipeline [SPANS]
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sink/output.h"
#include "sink/sink.h"
#include "trace/order.h"

#define GOAL		 3e6 /* spans a second */
#define DEFAULT_SPANS	 3000000
#define N_RICH_FRACTION	 4  /* this part of them is written with values, */
#define N_JSONC_FRACTION 10 /* and this part by json-c, since it takes so long */
#define N_THREADS	 32
#define N_NAMES		 24
#define N_RINGS		 4
#define BATCH		 4096 /* spans between two rounds of writing */
#define WINDOW_NS	 1000000
#define START_NS	 86400000000000ULL /* a day after boot */

static const char *const names[N_NAMES] = {
	"main",
	"LAMMPS_NS::Verlet::run",
	"LAMMPS_NS::PairLJCut::compute",
	"LAMMPS_NS::Neighbor::build",
	"LAMMPS_NS::Comm::forward_comm",
	"LAMMPS_NS::Modify::initial_integrate",
	"MPI_Allreduce",
	"MPI_Isend",
	"MPI_Irecv",
	"MPI_Waitall",
	"H5Dwrite",
	"H5Fopen",
	"nc_put_vara_double",
	"fftw_execute",
	"dgemm_",
	"solve",
	"assemble",
	"read_input",
	"write_checkpoint",
	"exchange_halo",
	"boost::asio::detail::scheduler::run",
	"std::vector<double>::push_back",
	"operator new",
	"pthread_mutex_lock",
};

static struct sink_label labels[N_NAMES];

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Numbers that are the same in each run (xorshift). */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Calls of 1 to 60 us, one behind the other on each thread. */
static struct pf_span *make_spans(size_t n)
{
	struct pf_span *spans = calloc(n, sizeof(*spans));
	uint64_t random = 88172645463325252ULL;

	if (!spans)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		uint64_t bits = next_random(&random);
		uint32_t thread = bits % N_THREADS;
		uint64_t duration_ns = 1000 + (bits >> 8) % 60000;
		uint64_t blocked_ns = bits >> 60 ? 0 : duration_ns / 3;

		spans[i] = (struct pf_span){
			.event = {.size = sizeof(spans[i]),
				  .kind = PF_EVENT_SPAN,
				  .joinpoint = (bits >> 32) % N_NAMES,
				  .time_ns = START_NS + i * 300 - duration_ns,
				  .pid = 20000 + thread / 8,
				  .tid = 20000 + thread},
			.duration_ns = duration_ns,
			.oncpu_ns = duration_ns - blocked_ns,
			.io_ns = blocked_ns / 2,
			.end = bits >> 54 & 1023 ? PF_END_RETURN : PF_END_UNWOUND,
		};
	}
	return spans;
}

/* A call of write(fd, "checkpoint-7", 65536) that returns 65536. */
struct rich_span {
	struct pf_span span;
	struct pf_item fd_item;
	int32_t fd, unused;
	struct pf_item path_item;
	char path[16];
	struct pf_item return_item;
	int64_t written;
};

static const struct sink_value values[] = {
	{.name = "fd", .format = SINK_SIGNED, .size = 4},
	{.name = "path", .format = SINK_STRING},
	{.format = SINK_SIGNED, .size = 8},
};

static struct rich_span *make_rich_spans(const struct pf_span *spans, size_t n)
{
	struct rich_span *rich = calloc(n, sizeof(*rich));

	for (size_t i = 0; rich && i < n; i++) {
		rich[i] = (struct rich_span){
			.span = spans[i],
			.fd_item = {.kind = PF_ITEM_ARGUMENT, .index = 0, .size = 4},
			.fd = i % 100,
			.path_item = {.kind = PF_ITEM_ARGUMENT, .index = 1, .size = 12},
			.path = "checkpoint-7",
			.return_item = {.kind = PF_ITEM_RETURN, .index = 2, .size = 8},
			.written = 65536,
		};
		rich[i].span.event.size = sizeof(*rich);
	}
	return rich;
}

static int drain(struct order *order, uint64_t now_ns, struct sink *sink)
{
	const struct event *event;
	int r = 0;

	while (r == 0 && order_pop(order, now_ns, &event) > 0)
		r = sink->ops->span(sink, event, &labels[event->header.joinpoint]);
	return r;
}

/* Spans of that size, items and all. */
static int feed(struct order *order, const void *spans, size_t size, size_t n, struct sink *sink)
{
	const char *bytes = spans;
	struct event event;
	uint64_t now_ns = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = event_decode(bytes + i * size, size, &event);
		if (r == 0)
			r = order_push(order, event.header.tid % N_RINGS, &event);
		if (r < 0)
			return r;
		if (event.order_ns > now_ns)
			now_ns = event.order_ns;
		if ((i + 1) % BATCH == 0) {
			r = drain(order, now_ns, sink);
			if (r < 0)
				return r;
		}
	}
	return drain(order, UINT64_MAX, sink);
}

static int run_pipeline(const char *title, const void *spans, size_t size, size_t n,
			double *ret_per_second)
{
	struct sink_start start = {.version = "bench", .host = "bench", .boot_id = "bench"};
	struct sink_summary summary = {.reason = "stopped", .n_spans = n};
	_cleanup_(order_freep) struct order *order = NULL;
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct output *output;
	double begin = cpu_seconds(), seconds;
	int r;

	r = output_open(open("/dev/null", O_WRONLY | O_CLOEXEC), false, -1, &output);
	if (r == 0)
		r = sink_new("chrome", output, &start, &sink);
	if (r == 0)
		r = order_new(N_RINGS, WINDOW_NS, 1 << 20, &order);
	if (r == 0)
		r = feed(order, spans, size, n, sink);
	if (r == 0)
		r = sink->ops->finish(sink, &summary);
	if (r < 0)
		return r;

	seconds = cpu_seconds() - begin;
	*ret_per_second = n / seconds;
	printf("%s %.2f M spans/s, %.0f MB/s of JSON, %.1f bytes a span\n", title,
	       n / seconds / 1e6, output_n_bytes(sink->output) / seconds / 1e6,
	       (double)output_n_bytes(sink->output) / n);
	return 0;
}

static struct json_object *json_time(uint64_t time_ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03u", (unsigned long long)(time_ns / 1000),
		 (unsigned int)(time_ns % 1000));
	return json_object_new_double_s(time_ns / 1000.0, text);
}

static struct json_object *json_span(const struct pf_span *span)
{
	struct json_object *event = json_object_new_object(), *args = json_object_new_object();
	const struct sink_label *label = &labels[span->event.joinpoint];

	json_object_object_add(event, "name", json_object_new_string(label->name));
	json_object_object_add(event, "cat", json_object_new_string(label->category));
	json_object_object_add(event, "ph", json_object_new_string("X"));
	json_object_object_add(event, "ts", json_time(span->event.time_ns));
	json_object_object_add(event, "dur", json_time(span->duration_ns));
	json_object_object_add(event, "pid", json_object_new_int64(span->event.pid));
	json_object_object_add(event, "tid", json_object_new_int64(span->event.tid));
	json_object_object_add(event, "args", args);
	json_object_object_add(args, "cpu_usage",
			       json_object_new_double(100.0 * span->oncpu_ns / span->duration_ns));
	json_object_object_add(args, "oncpu_us", json_time(span->oncpu_ns));
	json_object_object_add(args, "runnable_us", json_time(span->runnable_ns));
	json_object_object_add(args, "blocked_us",
			       json_time(span->duration_ns - span->oncpu_ns - span->runnable_ns));
	return event;
}

static int run_jsonc(const struct pf_span *spans, size_t n, double *ret_per_second)
{
	FILE *file = fopen("/dev/null", "we");
	double begin = cpu_seconds(), seconds;

	if (!file)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		struct json_object *event = json_span(&spans[i]);

		fputs(json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN), file);
		json_object_put(event);
	}
	fclose(file);

	seconds = cpu_seconds() - begin;
	*ret_per_second = n / seconds;
	printf("json-c:   %.2f M spans/s\n", n / seconds / 1e6);
	return 0;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_SPANS;
	_cleanup_free_ struct pf_span *spans = NULL;
	_cleanup_free_ struct rich_span *rich = NULL;
	double pipeline = 0, with_values, jsonc = 0;
	int r;

	for (size_t i = 0; i < N_NAMES; i++)
		labels[i] = (struct sink_label){.name = names[i],
						.category = i % 5 ? "libsolver.so.1" : "simulate",
						.values = values,
						.n_values = ARRAY_SIZE(values),
						.name_value = -1, .category_value = -1};
	spans = make_spans(n);
	rich = spans ? make_rich_spans(spans, n / N_RICH_FRACTION) : NULL;
	r = rich ? run_pipeline("pipeline:", spans, sizeof(*spans), n, &pipeline) : -ENOMEM;
	if (r == 0)
		r = run_pipeline("values:  ", rich, sizeof(*rich), n / N_RICH_FRACTION,
				 &with_values);
	if (r == 0)
		r = run_jsonc(spans, n / N_JSONC_FRACTION + 1, &jsonc);
	if (r < 0) {
		fprintf(stderr, "bench_pipeline: %s\n", strerror(-r));
		return 1;
	}
	printf("ratio:    %.1f\n", pipeline / jsonc);
	return pipeline < GOAL;
}
