/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Both sides are one program, so structs of fixed layout go as they are; what has pointers goes field by field. What is not
 * checked here harms nobody: a wrong name, a register that is not the argument's. That an offset is one of an instruction
 * cannot be checked without reading the file, which the daemon does not do: see docs/security.md.
 */
#include "inspect/found.h"

#include <errno.h>
#include <string.h>

#include "probe/woven.h"

#define OF_NONE UINT32_MAX /* JOINPOINT_OF_NONE */
#define MAX_DEREFERENCES 8

static uint32_t pack_aspect(size_t aspect)
{
	return aspect == JOINPOINT_OF_NONE ? OF_NONE : (uint32_t)aspect;
}

int found_init(struct found *found, const struct plan *plan)
{
	*found = (struct found){ .n_aspects = plan->n_aspects, .n_atoms = plan->atoms.n_items };
	found->matched = calloc(found->n_aspects + 1, sizeof(*found->matched));
	found->followed = calloc(PF_MAX_ATOMS, sizeof(*found->followed));
	found->reports = calloc(found->n_aspects + 1, sizeof(*found->reports));
	return found->matched && found->followed && found->reports ? 0 : -ENOMEM;
}

void found_done(struct found *found)
{
	for (size_t i = 0; i < found->n; i++) {
		site_done(&found->joinpoints[i].site);
		free(found->advices[i].values);
	}
	for (size_t i = 0; i < found->n_blocks; i++)
		free(found->blocks[i]);
	for (size_t i = 0; found->reports && i < found->n_aspects; i++)
		capture_report_done(&found->reports[i]);
	free(found->joinpoints);
	free(found->advices);
	free(found->blocks);
	free(found->matched);
	free(found->followed);
	free(found->reports);
	*found = (struct found){ 0 };
}

static void put_site(struct wire_writer *writer, const struct site *site)
{
	wire_put_u64(writer, site->entry_offset);
	wire_put_u32(writer, site->returns);
	wire_put_u32(writer, site->is_emulated);
	wire_put_u32(writer, site->is_optimised);
	wire_put_u32(writer, site->n_exits);
	for (size_t i = 0; i < site->n_exits; i++) {
		wire_put_u64(writer, site->exits[i].file_offset);
		wire_put_u32(writer, site->exits[i].kind);
		wire_put_u32(writer, site->exits[i].condition.code);
	}
}

static void put_label(struct wire_writer *writer, const struct sink_label *label)
{
	wire_put_string(writer, label->name);
	wire_put_string(writer, label->category);
	wire_put_string(writer, label->function);
	wire_put_string(writer, label->module);
	wire_put_string(writer, label->scope);
	wire_put_u32(writer, label->kind);
	wire_put_u32(writer, label->flow);
	wire_put_u32(writer, label->n_values);
	/* -1 is none */
	wire_put_u32(writer, label->name_value + 1);
	wire_put_u32(writer, label->category_value + 1);
	wire_put_u32(writer, label->scope_value + 1);
	wire_put_u32(writer, label->id_value + 1);
	for (unsigned int i = 0; i < label->n_values; i++) {
		wire_put_string(writer, label->values[i].name);
		wire_put_u32(writer, label->values[i].format);
		wire_put_u32(writer, label->values[i].size);
		wire_put_u32(writer, label->values[i].is_hidden);
	}
}

void found_put_joinpoint(struct wire_writer *writer, const struct joinpoint *joinpoint, const struct advised *advised)
{
	wire_put_u32(writer, joinpoint->kind);
	wire_put_u32(writer, joinpoint->is_python);
	wire_put_u32(writer, joinpoint->woven);
	wire_put_u32(writer, pack_aspect(joinpoint->aspect));
	wire_put_u32(writer, pack_aspect(joinpoint->overruled));
	wire_put_u64(writer, joinpoint->semaphore_offset);
	wire_put_bytes(writer, &joinpoint->condition, sizeof(joinpoint->condition));
	put_site(writer, &joinpoint->site);
	put_label(writer, &advised->label);
	wire_put_u32(writer, advised->is_plain);
	if (!advised->is_plain)
		wire_put_bytes(writer, &advised->advice, sizeof(advised->advice));
}

static void put_report(struct wire_writer *writer, const struct capture_report *report)
{
	wire_put_u64(writer, report->n_joinpoints);
	for (size_t i = 0; report->n_joinpoints && i < CAPTURE_N_LACKS; i++) {
		wire_put_u64(writer, report->lacks[i].n);
		wire_put_string(writer, report->lacks[i].first);
	}
}

void found_put_sums(struct wire_writer *writer, const struct found *found)
{
	for (size_t i = 0; i < found->n_aspects; i++) {
		wire_put_u64(writer, found->matched[i]);
		put_report(writer, &found->reports[i]);
	}
	for (size_t i = 0; i < found->n_atoms; i++)
		wire_put_u64(writer, found->followed[i]);
	wire_put_u64(writer, found->n_rejected);
	wire_put_string(writer, found->rejection);
}

static size_t take_aspect(struct wire_reader *reader, size_t n_aspects)
{
	uint32_t aspect = wire_u32(reader);

	if (aspect == OF_NONE)
		return JOINPOINT_OF_NONE;
	return wire_check(reader, aspect < n_aspects) ? aspect : 0;
}

static int take_exits(struct wire_reader *reader, uint64_t file_bytes, uint32_t n, struct site *site)
{
	/* each takes 16 bytes of a message, which has a limit */
	if (!wire_check(reader, n <= reader->left / 16 && (!n || site->returns == SITE_EXITS)) || !n)
		return 0;
	site->exits = calloc(n, sizeof(*site->exits));
	if (!site->exits)
		return -ENOMEM;
	site->n_exits = n;
	for (uint32_t i = 0; i < n; i++) {
		site->exits[i].file_offset = wire_u64_below(reader, file_bytes);
		site->exits[i].kind = wire_u32_below(reader, CODE_EXIT_KINDS);
		site->exits[i].condition.code = wire_u32_below(reader, UINT8_MAX + 1);
	}
	return 0;
}

static int take_site(struct wire_reader *reader, uint64_t file_bytes, struct site *site)
{
	site->entry_offset = wire_u64_below(reader, file_bytes);
	site->returns = wire_u32_below(reader, SITE_RETURN_PROBE + 1);
	site->is_emulated = wire_bool(reader);
	site->is_optimised = wire_bool(reader);
	return take_exits(reader, file_bytes, wire_u32(reader), site);
}

static bool condition_is_right(const struct pf_condition *condition, uint32_t atoms)
{
	bool is_right = condition->n_alternatives <= PF_MAX_ALTERNATIVES && !(condition->process_atoms & ~atoms);

	for (uint32_t i = 0; is_right && i < condition->n_alternatives; i++)
		is_right = !(condition->alternatives[i].mask & ~atoms) &&
			   !(condition->alternatives[i].wanted & ~condition->alternatives[i].mask);
	return is_right;
}

static bool capture_is_right(const struct pf_capture *capture, unsigned int i)
{
	return capture->place <= PF_PLACE_UNREADABLE && capture->value <= PF_VALUE_TEXT &&
	       capture->size <= sizeof(uint64_t) && capture->max_bytes <= PF_MAX_STRING_BYTES &&
	       capture->n_dereferences <= MAX_DEREFERENCES && capture->is_at_return <= 1 &&
	       (capture->value != PF_VALUE_TEXT || i);
}

/* What these capture are no values, but what their events are about. */
static bool is_woven(const struct pf_advice *advice)
{
	return advice->kind == PF_ADVICE_WOVEN_BEFORE || advice->kind == PF_ADVICE_WOVEN_AFTER;
}

static bool advice_is_right(const struct pf_advice *advice, uint32_t atoms, unsigned int n_values)
{
	bool is_right = advice->kind <= PF_ADVICE_WOVEN_AFTER && advice->with_stack <= 1 &&
			advice->n_captures == (is_woven(advice) ? WOVEN_N_VALUES : n_values) &&
			n_values <= PF_MAX_CAPTURES && (!is_woven(advice) || !n_values) &&
			(advice->id_capture == PF_NO_ID || advice->id_capture < n_values) &&
			!(advice->sets_atoms & ~atoms) && condition_is_right(&advice->condition, atoms);

	for (unsigned int i = 0; is_right && i < advice->n_captures; i++)
		is_right = capture_is_right(&advice->captures[i], i);
	return is_right;
}

/* -1 is none. */
static int take_index(struct wire_reader *reader, unsigned int n_values)
{
	return (int)wire_u32_below(reader, n_values + 1) - 1;
}

static int take_values(struct wire_reader *reader, struct found_advice *advice)
{
	if (!advice->label.n_values)
		return 0;
	advice->values = calloc(advice->label.n_values, sizeof(*advice->values));
	if (!advice->values)
		return -ENOMEM;
	for (unsigned int i = 0; i < advice->label.n_values; i++)
		advice->values[i] = (struct sink_value){
			.name = wire_optional(reader),
			.format = wire_u32_below(reader, SINK_STRING + 1),
			.size = wire_u32_below(reader, sizeof(uint64_t) + 1),
			.is_hidden = wire_bool(reader),
		};
	return 0;
}

static int take_label(struct wire_reader *reader, struct found_advice *advice)
{
	struct sink_label *label = &advice->label;

	label->name = wire_string(reader);
	label->category = wire_string(reader);
	label->function = wire_optional(reader);
	label->module = wire_optional(reader);
	label->scope = wire_optional(reader);
	label->kind = wire_u32_below(reader, SINK_ASYNC_END + 1);
	label->flow = wire_u32_below(reader, SINK_FLOW_OUTIN + 1);
	label->n_values = wire_u32_below(reader, PF_MAX_CAPTURES + 1);
	label->name_value = take_index(reader, label->n_values);
	label->category_value = take_index(reader, label->n_values);
	label->scope_value = take_index(reader, label->n_values);
	label->id_value = take_index(reader, label->n_values);
	return take_values(reader, advice);
}

static void take_advice(struct wire_reader *reader, uint32_t atoms, struct found_advice *advice)
{
	advice->is_plain = wire_bool(reader);
	if (advice->is_plain) {
		wire_check(reader, !advice->label.n_values);
		return;
	}
	wire_bytes(reader, &advice->advice, sizeof(advice->advice));
	wire_check(reader, advice_is_right(&advice->advice, atoms, advice->label.n_values));
}

static int take_joinpoint(struct wire_reader *reader, const struct found *found, uint64_t file_bytes,
			  struct joinpoint *joinpoint, struct found_advice *advice)
{
	uint32_t atoms = (1U << found->n_atoms) - 1;
	int r;

	joinpoint->kind = wire_u32_below(reader, JOINPOINT_STATIC_PROBE + 1);
	joinpoint->is_python = wire_bool(reader);
	joinpoint->woven = wire_u32_below(reader, WOVEN_AFTER + 1);
	joinpoint->aspect = take_aspect(reader, found->n_aspects);
	joinpoint->overruled = take_aspect(reader, found->n_aspects);
	wire_check(reader, !joinpoint->is_python || joinpoint->aspect != JOINPOINT_OF_NONE);
	joinpoint->semaphore_offset = wire_u64_below(reader, file_bytes);
	wire_bytes(reader, &joinpoint->condition, sizeof(joinpoint->condition));
	wire_check(reader, condition_is_right(&joinpoint->condition, atoms));
	r = take_site(reader, file_bytes, &joinpoint->site);
	if (r >= 0)
		r = take_label(reader, advice);
	if (r >= 0)
		take_advice(reader, atoms, advice);
	return r;
}

static int take_next(struct wire_reader *reader, struct found *found, uint64_t file_bytes)
{
	int r;

	r = array_grow(&found->joinpoints, found->n, sizeof(*found->joinpoints));
	if (r >= 0)
		r = array_grow(&found->advices, found->n, sizeof(*found->advices));
	if (r < 0)
		return r;
	found->joinpoints[found->n] = (struct joinpoint){ 0 };
	found->advices[found->n] = (struct found_advice){ 0 };
	found->n++;
	return take_joinpoint(reader, found, file_bytes, &found->joinpoints[found->n - 1], &found->advices[found->n - 1]);
}

/* Keeps a copy of what the strings are in. */
static int keep_block(struct found *found, const char *data, size_t size, struct wire_reader *reader)
{
	char *copy;
	int r;

	if (size > FOUND_MAX_BYTES - found->n_bytes)
		return -EBADMSG;
	r = array_grow(&found->blocks, found->n_blocks, sizeof(char *));
	copy = r < 0 ? NULL : malloc(size + 1);
	if (!copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, data, size);
	found->blocks[found->n_blocks++] = copy;
	found->n_bytes += size;
	*reader = (struct wire_reader){ .at = copy, .left = size };
	return 0;
}

int found_take_joinpoints(struct found *found, uint64_t file_bytes, const char *data, size_t size)
{
	struct wire_reader reader;
	int r;

	r = keep_block(found, data, size, &reader);
	while (r >= 0 && !reader.is_bad && reader.left)
		r = take_next(&reader, found, file_bytes);
	if (r < 0)
		return r;
	return reader.is_bad ? -EBADMSG : 0;
}

static int take_report(struct wire_reader *reader, struct capture_report *report)
{
	report->n_joinpoints = wire_u64(reader);
	for (size_t i = 0; report->n_joinpoints && !reader->is_bad && i < CAPTURE_N_LACKS; i++) {
		uint64_t n = wire_u64_below(reader, (uint64_t)report->n_joinpoints + 1);
		const char *first = wire_optional(reader);

		/* one has a sentence if and only if it was counted */
		if (!wire_check(reader, !n == !first) || !n)
			continue;
		free(report->lacks[i].first);
		report->lacks[i].n = n;
		report->lacks[i].first = strdup(first);
		if (!report->lacks[i].first)
			return -ENOMEM;
	}
	return 0;
}

int found_take_sums(struct found *found, const char *data, size_t size)
{
	struct wire_reader reader;
	int r;

	r = keep_block(found, data, size, &reader);
	for (size_t i = 0; i < found->n_aspects && r >= 0; i++) {
		found->matched[i] = wire_u64(&reader);
		r = take_report(&reader, &found->reports[i]);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < found->n_atoms; i++)
		found->followed[i] = wire_u64(&reader);
	found->n_rejected = wire_u64(&reader);
	found->rejection = wire_optional(&reader);
	return wire_check(&reader, !reader.left) ? 0 : -EBADMSG;
}

struct sink_label found_label(const struct found *found, size_t i)
{
	struct sink_label label = found->advices[i].label;

	label.values = found->advices[i].values;
	return label;
}
