/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/inspection.h - the inspector: a process that reads what others wrote, and can do nothing else */
#ifndef PERFFLOW_INSPECT_INSPECTION_H
#define PERFFLOW_INSPECT_INSPECTION_H

#define INSPECTION_FD	    3 /* its end of the socket */
#define INSPECTION_ARGUMENT "--inspect" /* by which a program is executed as an inspector */

/* Enters the sandbox and serves the daemon until that goes away. */
_Noreturn void inspection_run(void);

#endif
