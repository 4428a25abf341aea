/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Two alternatives are made simpler by each other in two ways: what another implies goes ("a", "a
 * and b"), and what stands in both, once as it is and once denied, goes where the rest of the one
 * is in the other ("a", "not a and b" is "a", "b"). The second makes "always" of "a or not a". This
 * is not the shortest form of everything, but of what people write.
 */
#include "probe/condition.h"

#include <errno.h>
#include <string.h>

struct condition condition_of(uint32_t mask, uint32_t wanted)
{
	return (struct condition){.n_items = 1, .items = {{mask, wanted}}};
}

bool condition_is_always(const struct condition *condition)
{
	return condition->n_items == 1 && !condition->items[0].mask;
}

bool condition_is_never(const struct condition *condition)
{
	return !condition->n_items;
}

/* Whether b holds only where a does. */
static bool absorbs(struct pf_alternative a, struct pf_alternative b)
{
	return (a.mask & b.mask) == a.mask && (b.wanted & a.mask) == a.wanted;
}

/* The atom that b need not ask for because of a: they differ in it alone, of those that a asks for.
 * 0 if there is none. */
static uint32_t needless(struct pf_alternative a, struct pf_alternative b)
{
	uint32_t differ = (a.wanted ^ b.wanted) & a.mask & b.mask;

	return (a.mask & b.mask) == a.mask && differ && !(differ & (differ - 1)) ? differ : 0;
}

static void drop(struct condition *condition, size_t i)
{
	condition->items[i] = condition->items[--condition->n_items];
}

/* Makes b simpler by a, and returns whether it did. */
static bool simplify_by(struct condition *condition, size_t a, size_t b)
{
	struct pf_alternative *items = condition->items;
	uint32_t atom;

	if (absorbs(items[a], items[b])) {
		drop(condition, b);
		return true;
	}
	atom = needless(items[a], items[b]);
	items[b].mask &= ~atom;
	items[b].wanted &= ~atom;
	return atom;
}

/* Each step makes it smaller, so it ends. */
static void simplify(struct condition *condition)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t a = 0; a < condition->n_items && !changed; a++) {
			for (size_t b = 0; b < condition->n_items && !changed; b++)
				changed = a != b && simplify_by(condition, a, b);
		}
	}
}

static int add(struct condition *condition, struct pf_alternative alternative)
{
	for (size_t i = 0; i < condition->n_items; i++) {
		if (absorbs(condition->items[i], alternative))
			return 0;
	}
	if (condition->n_items == CONDITION_MAX)
		return -E2BIG;
	condition->items[condition->n_items++] = alternative;
	simplify(condition);
	return 0;
}

int condition_or(struct condition *condition, const struct condition *other)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < other->n_items; i++)
		r = add(condition, other->items[i]);
	return r;
}

static int add_both(struct condition *condition, struct pf_alternative a, struct pf_alternative b)
{
	if ((a.wanted ^ b.wanted) & a.mask & b.mask)
		return 0;
	return add(condition, (struct pf_alternative){a.mask | b.mask, a.wanted | b.wanted});
}

int condition_and(struct condition *condition, const struct condition *other)
{
	struct condition product = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < condition->n_items; i++) {
		for (size_t j = 0; r == 0 && j < other->n_items; j++)
			r = add_both(&product, condition->items[i], other->items[j]);
	}
	if (r == 0)
		*condition = product;
	return r;
}

int condition_pack(const struct condition *condition, uint32_t process_atoms,
		   struct pf_condition *ret_packed)
{
	struct pf_condition packed = {};

	if (condition_is_never(condition))
		return 0;
	if (!condition_is_always(condition)) {
		if (condition->n_items > PF_MAX_ALTERNATIVES)
			return -E2BIG;
		packed.n_alternatives = condition->n_items;
		memcpy(packed.alternatives, condition->items,
		       condition->n_items * sizeof(condition->items[0]));
	}
	for (size_t i = 0; i < packed.n_alternatives; i++)
		packed.process_atoms |= packed.alternatives[i].mask & process_atoms;
	*ret_packed = packed;
	return 1;
}

struct condition condition_unpack(const struct pf_condition *packed)
{
	struct condition condition = condition_of(0, 0);

	if (packed->n_alternatives) {
		condition.n_items = packed->n_alternatives;
		memcpy(condition.items, packed->alternatives,
		       packed->n_alternatives * sizeof(condition.items[0]));
	}
	return condition;
}
