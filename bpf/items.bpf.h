/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spans and marks that carry more than times: their record is built up in the thread's slot from the entry on, and sent from
 * there in one piece
 *
 * A slot is a stack of records, one for each open frame that has items: room for the header, what was taken at the entry, and
 * later what is taken at the return. Slots are few and large, so threads take one when they need it and give it back.
 */
#ifndef PERFFLOW_ITEMS_BPF_H
#define PERFFLOW_ITEMS_BPF_H

#include "emit.bpf.h"
#include "metrics.bpf.h"

#define PF_MAX_RECORD_BYTES 4096
#define PF_SLOT_BYTES 20480
#define PF_MAX_STACK 32

#if defined(__TARGET_ARCH_x86)
#define PF_N_REGISTERS 21
/* Where the registers are in struct pt_regs, by their DWARF numbers. */
static const __u8 register_index[] = { 10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16 };
#else
#define PF_N_REGISTERS 32
static const __u8 register_index[] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
				       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };
#endif

struct pf_slot {
	__u64 registers[PF_N_REGISTERS];
	__s64 metrics[PF_N_METRICS];
	__u64 value[4]; /* of the capture that is read */
	__u32 used;	/* bytes of data that hold records of open frames */
	__u32 at;	/* where the next item goes */
	__u32 begins_at; /* the record that is built */
	__u32 has_result; /* the registers are those of a return */
	__u32 has_memory; /* the metrics have that of the program that was entered */
	__u64 id; /* that was captured last, if it could be */
	__u32 has_id;
	__u32 reserved;
	__u64 number; /* the same of any value: a text may be as long */
	__u32 begins[PF_MAX_DEPTH]; /* where the records of open frames begin */
	__u64 ids[PF_MAX_DEPTH];
	__u8 has_ids[PF_MAX_DEPTH];
	/* before each record its metrics at the entry */
	__u8 data[PF_SLOT_BYTES + PF_MAX_RECORD_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_slot);
} slots __weak SEC(".maps");

/* Numbers of slots that no thread has. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1); /* set before load */
	__type(value, __u32);
} free_slots __weak SEC(".maps");

#define METRIC_BASE_BYTES (PF_N_METRICS * 8)

static __always_inline struct pf_slot *slot_of(const struct pf_thread *thread)
{
	__u32 key = thread->slot - 1;

	return thread->slot ? bpf_map_lookup_elem(&slots, &key) : NULL;
}

static __always_inline struct pf_slot *slot_take(struct pf_thread *thread)
{
	__u32 number;
	struct pf_slot *slot;

	if (thread->slot)
		return slot_of(thread);
	if (bpf_map_pop_elem(&free_slots, &number) < 0)
		return NULL;
	thread->slot = number + 1;
	slot = slot_of(thread);
	if (slot)
		slot->used = 0;
	return slot;
}

static __always_inline void slot_release(struct pf_thread *thread)
{
	__u32 number = thread->slot - 1;

	if (!thread->slot)
		return;
	thread->slot = 0;
	bpf_map_push_elem(&free_slots, &number, BPF_ANY);
}

static __always_inline void slot_take_registers(struct pf_slot *slot, struct pt_regs *ctx)
{
	bpf_probe_read_kernel(slot->registers, sizeof(slot->registers), ctx);
}

/* What the thread has of each metric that the session wants, into slot->metrics. */
__weak __noinline int metrics_read(struct pf_slot *slot, struct pf_thread *thread)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!slot || !thread)
		return 0;
	slot->has_memory = task->mm != NULL;
	if (slot->has_memory && (has_metric(PF_METRIC_RSS) || has_metric(PF_METRIC_RSS_DELTA)))
		slot->metrics[PF_METRIC_RSS] = slot->metrics[PF_METRIC_RSS_DELTA] = rss_bytes(task);
	slot->metrics[PF_METRIC_MINOR_FAULTS] = task->min_flt;
	slot->metrics[PF_METRIC_MAJOR_FAULTS] = task->maj_flt;
	slot->metrics[PF_METRIC_VOLUNTARY] = task->nvcsw;
	slot->metrics[PF_METRIC_INVOLUNTARY] = task->nivcsw;
	slot->metrics[PF_METRIC_READ_BYTES] = task->ioac.rchar;
	slot->metrics[PF_METRIC_WRITTEN_BYTES] = task->ioac.wchar;
	for (__u32 i = 0; i < PF_MAX_HW; i++) {
		const struct pf_hw_base *base;
		__u32 n_switches;

		if (i >= n_hw)
			break;
		for (int try = 0; try < 4; try++) { /* as clocks_read() does */
			n_switches = PF_READ_ONCE(thread->n_switches);
			pf_barrier();
			base = hw_base();
			if (base)
				slot->metrics[PF_METRIC_HW + i] =
					thread->hw[i] + hw_since(base->counts[i], hw_now(i, base->counts[i]));
			pf_barrier();
			if (n_switches == PF_READ_ONCE(thread->n_switches))
				break;
		}
	}
	return 0;
}

/* Begins a record above those of open frames: items go to slot->at from then on. Returns 0 where there is no room. */
static __always_inline bool record_begin(struct pf_slot *slot)
{
	__u32 begins_at = slot->used + (metrics_mask ? METRIC_BASE_BYTES : 0);

	if (begins_at > PF_SLOT_BYTES - METRIC_BASE_BYTES)
		return false;
	slot->begins_at = begins_at;
	slot->at = begins_at + sizeof(struct pf_span);
	return true;
}

/* Where an item with a value of up to n bytes can be written, or NULL. A macro since the verifier wants n as a constant. */
#define item_reserve(slot, n)                                                                       \
	({                                                                                          \
		__u32 _at = (slot)->at;                                                             \
		pf_opaque(_at);                                                                     \
		_at <= PF_SLOT_BYTES + PF_MAX_RECORD_BYTES - sizeof(struct pf_item) - (n) &&        \
				_at + sizeof(struct pf_item) + (n) - (slot)->begins_at <= PF_MAX_RECORD_BYTES \
			? (struct pf_item *)&(slot)->data[_at]                                      \
			: NULL;                                                                     \
	})

static __always_inline void item_commit(struct pf_slot *slot, struct pf_item *item, __u8 kind, __u8 index, __u16 size)
{
	item->kind = kind;
	item->index = index;
	item->size = size;
	item->is_missing = item->is_cut = 0;
	item->reserved = 0;
	slot->at += sizeof(*item) + ((size + 7) & ~7U);
}

static __always_inline void item_u64(struct pf_slot *slot, __u8 kind, __u8 index, __u64 value)
{
	struct pf_item *item = item_reserve(slot, 8);

	if (!item)
		return;
	*(__u64 *)(item + 1) = value;
	item_commit(slot, item, kind, index, 8);
}

static __always_inline void item_missing(struct pf_slot *slot, __u8 kind, __u8 index)
{
	struct pf_item *item = item_reserve(slot, 8);

	slot->number = 0;
	if (!item)
		return;
	item_commit(slot, item, kind, index, 0);
	item->is_missing = 1;
}

static __always_inline bool read_word(__u64 *word, __u64 address)
{
	return bpf_probe_read_user(word, 8, (void *)address) == 0;
}

/* Where the value is, or the value itself (*ret_is_value), in slot->value[0]. */
static __always_inline bool capture_find(struct pf_slot *slot, const struct pf_capture *capture, bool *ret_is_value)
{
	__u32 number = capture->number, n = capture->n_dereferences;
	__u64 value = 0;

	*ret_is_value = false;
	if (capture->place == PF_PLACE_CONSTANT) {
		value = capture->offset;
	} else {
		if (capture->place == PF_PLACE_UNREADABLE || number >= sizeof(register_index))
			return false;
		number = register_index[number];
		pf_opaque(number);
		if (number >= PF_N_REGISTERS)
			return false;
		value = slot->registers[number];
	}
	if (capture->place == PF_PLACE_MEMORY)
		value += capture->offset;
	else if (n)
		n--; /* the register holds the first address */
	else
		*ret_is_value = true;
	for (__u32 i = 0; i < 4; i++) {
		if (i >= n)
			break;
		if (!read_word(&slot->value[1], value))
			return false;
		value = slot->value[1];
	}
	slot->value[0] = value;
	return true;
}

/* The characters at an address: up to `wanted` of them, or up to the '\0' where that is 0. */
static __always_inline void item_string(struct pf_slot *slot, __u8 kind, __u8 index, __u64 address, __u64 wanted,
					bool is_counted, __u32 max)
{
	struct pf_item *item = item_reserve(slot, PF_MAX_STRING_BYTES + 8);
	__u64 size;
	long n;

	if (!item)
		return;
	if (max > PF_MAX_STRING_BYTES)
		max = PF_MAX_STRING_BYTES;
	if (is_counted) {
		size = wanted < max ? wanted : max;
		pf_opaque(size); /* older kernels do not see that it is below a variable that is below a constant */
		if (size > PF_MAX_STRING_BYTES)
			size = PF_MAX_STRING_BYTES;
		n = size && bpf_probe_read_user(item + 1, size, (void *)address) < 0 ? -1 : (long)size;
	} else {
		size = max + 2; /* one more than is wanted shows that it goes on, and there is a '\0' behind */
		n = bpf_probe_read_user_str(item + 1, size, (void *)address) - 1;
		wanted = n;
		if (n > (long)max)
			n = max;
	}
	if (n < 0 || n > PF_MAX_STRING_BYTES) {
		item_missing(slot, kind, index);
		return;
	}
	item_commit(slot, item, kind, index, n);
	item->is_cut = wanted > max;
}

/* A std::string at slot->value[0]. */
static __always_inline void item_std_string(struct pf_slot *slot, __u8 kind, __u8 index, const struct pf_capture *capture)
{
	__u64 at = slot->value[0];

	if (bpf_probe_read_user(&slot->value[1], 24, (void *)at) < 0) {
		item_missing(slot, kind, index);
		return;
	}
	if (capture->value == PF_VALUE_STD_STRING) { /* pointer, size */
		item_string(slot, kind, index, slot->value[1], slot->value[2], true, capture->max_bytes);
	} else if (slot->value[1] & 1) { /* libc++, long: capacity, size, pointer */
		item_string(slot, kind, index, slot->value[3], slot->value[2], true, capture->max_bytes);
	} else { /* twice the size in the first byte, and the characters */
		item_string(slot, kind, index, at + 1, (slot->value[1] & 0xff) >> 1, true, capture->max_bytes);
	}
}

static __always_inline void item_bytes(struct pf_slot *slot, __u8 kind, __u8 index, const struct pf_capture *capture,
				       bool is_value)
{
	struct pf_item *item = item_reserve(slot, 8);
	__u32 size = capture->size;

	if (!item)
		return;
	if (size < 1 || size > 8)
		size = 8;
	*(__u64 *)(item + 1) = size < 8 ? slot->value[0] & ((1ULL << size * 8) - 1) : slot->value[0];
	if (!is_value) {
		*(__u64 *)(item + 1) = 0;
		if (bpf_probe_read_user(item + 1, size, (void *)slot->value[0]) < 0) {
			item_missing(slot, kind, index);
			return;
		}
	}
	slot->number = *(__u64 *)(item + 1);
	if (kind == PF_ITEM_ID) {
		slot->id = slot->number;
		slot->has_id = true;
		size = 8;
	}
	item_commit(slot, item, kind, index, size);
}

/* The registers are in the slot. `how`: an enum pf_item_kind, and above it the index. */
__weak __noinline int item_capture(struct pf_slot *slot, const struct pf_capture *capture, __u32 how)
{
	__u8 kind = how, index = how >> 8;
	bool is_value;

	if (!slot || !capture)
		return 0;
	if (!capture_find(slot, capture, &is_value)) {
		item_missing(slot, kind, index);
		return 0;
	}
	if (capture->value == PF_VALUE_BYTES) {
		item_bytes(slot, kind, index, capture, is_value);
		return 0;
	}
	/* what points to the string is in memory itself */
	if (!is_value && !read_word(&slot->value[0], slot->value[0])) {
		item_missing(slot, kind, index);
		return 0;
	}
	if (capture->value == PF_VALUE_STRING)
		item_string(slot, kind, index, slot->value[0], 0, false, capture->max_bytes);
	else if (capture->value == PF_VALUE_TEXT)
		item_string(slot, kind, index, slot->value[0], slot->number, true, capture->max_bytes);
	else
		item_std_string(slot, kind, index, capture);
	return 0;
}

/* All that the advice wants of this moment, but the id, which goes into *ret_id. */
__weak __noinline int items_capture(struct pf_slot *slot, const struct pf_advice *advice, __u32 at_return)
{
	if (!slot || !advice)
		return 0;
	for (__u32 i = 0; i < PF_MAX_CAPTURES; i++) {
		const struct pf_capture *capture = &advice->captures[i];

		if (i >= advice->n_captures)
			break;
		if (capture->is_at_return != at_return)
			continue;
		if (at_return && !slot->has_result) {
			item_missing(slot, i == advice->id_capture ? PF_ITEM_ID : PF_ITEM_RETURN, i);
			continue;
		}
		if (i == advice->id_capture)
			item_capture(slot, capture, PF_ITEM_ID | i << 8);
		else
			item_capture(slot, capture, (at_return ? PF_ITEM_RETURN : PF_ITEM_ARGUMENT) | i << 8);
	}
	return 0;
}

/* What the metrics were at the entry is kept before the record. */
__weak __noinline int metrics_keep(struct pf_slot *slot)
{
	__u32 at;

	if (!slot)
		return 0;
	at = slot->begins_at - METRIC_BASE_BYTES;
	for (__u32 i = 0; i < PF_N_METRICS; i++) {
		if (at > PF_SLOT_BYTES)
			break;
		*(__s64 *)&slot->data[at] = slot->metrics[i];
		at += 8;
	}
	return 0;
}

__weak __noinline int items_metrics(struct pf_slot *slot)
{
	__u32 at;

	if (!slot)
		return 0;
	at = slot->begins_at - METRIC_BASE_BYTES;
	for (__u32 i = 0; i < PF_N_METRICS; i++) {
		__s64 value;

		if (at > PF_SLOT_BYTES)
			break;
		if (has_metric(i) && (slot->has_memory || i > PF_METRIC_RSS_DELTA)) {
			value = slot->metrics[i];
			if (i != PF_METRIC_RSS)
				value -= *(__s64 *)&slot->data[at];
			item_u64(slot, PF_ITEM_METRIC, i, value);
		}
		at += 8;
	}
	return 0;
}

/* Sends the record that is built, from `skip` bytes after its beginning: a mark's header is shorter than a span's. */
static __noinline void record_send(struct pf_slot *slot, __u32 skip, __u32 n_sent, __u32 joinpoint, __u32 pid)
{
	__u32 at = slot->begins_at + skip, size = slot->at - at;
	void *ring = this_ring();

	pf_opaque(at);
	pf_opaque(size);
	if (at > PF_SLOT_BYTES || size > PF_MAX_RECORD_BYTES)
		return;
	if (!ring || bpf_ringbuf_output(ring, &slot->data[at], size, wakeup_flags(ring, n_sent)) < 0)
		count_no_room(ring, joinpoint, pid);
}

#endif
