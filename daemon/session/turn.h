/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/turn.h - threads that run one at a time
 *
 * The loop that serves clients and those of the sessions have each a thread, and share nearly everything. So one of them
 * has the turn while it runs, and gives it away where it waits: for its loop, or for somebody who may take long.
 */
#ifndef PERFFLOW_SESSION_TURN_H
#define PERFFLOW_SESSION_TURN_H

#include <systemd/sd-event.h>

/* Waits until it is this thread's: each gets it in the order in which they asked. */
void turn_take(void);
void turn_give(void);

/*
 * As sd_event_loop(), for who has the turn and gives it away while the loop has nothing to do. Other threads change nothing
 * in the loop; or it is shared: then who does that wakes it, by a descriptor that it watches. Returns 0, or what is wrong.
 */
int turn_run_loop(sd_event *loop);
int turn_run_shared_loop(sd_event *loop);

#endif
