/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "probe/selection.h"

#include "probe/pointcut_atoms.h"

int selection_add(struct selection *selection, const struct aspect *const *aspects, size_t aspect,
		  const struct pf_condition *condition, const char *name, struct why *why)
{
	if (selection->aspect == SELECTION_OF_NONE) {
		selection->aspect = aspect;
		selection->condition = *condition;
		selection->name = name;
		return 0;
	}
	if (aspect_records_the_same(aspects[selection->aspect], aspects[aspect]))
		return pointcut_condition_or(&selection->condition, condition, why);
	if (selection->overruled == SELECTION_OF_NONE)
		selection->overruled = aspect;
	return 0;
}
