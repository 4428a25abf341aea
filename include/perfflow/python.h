/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * perfflow/python.h - how the Python functions that py() names reach the daemon
 *
 * `perfflow run` puts what is selected into PERFFLOW_PY, and a hook into the interpreters that it
 * starts. The hook tells of each call of a selected function by static probes of the provider
 * "perfflow_python", of which there is one set for each slot: "enter_0", "leave_0", ... "enter_1".
 * A slot stands for what is recorded, and under which condition. All probes have the same
 * arguments: qualified name, module, and a number of 64 bits that no other call has while it lasts.
 *
 *	enter, leave		 each time that it begins to run, and ends: a generator does so
 *				 for each of its values, a coroutine between two things it awaits
 *	start, finish		 once, when its code begins, and when it has returned or raised
 *	return			 once, when its code has returned, and not if it has raised
 *	task_start, task_finish	 start and finish, of coroutines and asynchronous generators alone
 *
 * PERFFLOW_PY has a head, and a line for each pattern:
 *
 *	"1 " table "\n" { group " " module " " name "\n" }
 *
 * Patterns are globs. They come in groups, from 0 on; group i holds for a function if one of its
 * patterns does, and makes bit i of a number. At that number the table has the function's slot, as
 * a letter from 'a' on, or '-' if it is not selected.
 */
#ifndef PERFFLOW_PYTHON_H
#define PERFFLOW_PYTHON_H

#define PF_PYTHON_VARIABLE "PERFFLOW_PY"
#define PF_PYTHON_PROVIDER "perfflow_python"
#define PF_PYTHON_LIBRARY  "libperfflow-python.so"

#define PF_PYTHON_MAX_SLOTS  16
#define PF_PYTHON_MAX_GROUPS 8 /* the table has a letter for each of their combinations */

enum pf_python_probe {
	PF_PYTHON_ENTER,
	PF_PYTHON_LEAVE,
	PF_PYTHON_START,
	PF_PYTHON_FINISH,
	PF_PYTHON_RETURN,
	PF_PYTHON_TASK_START,
	PF_PYTHON_TASK_FINISH,
	PF_PYTHON_N_PROBES
};

#endif
