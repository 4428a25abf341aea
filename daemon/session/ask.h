/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/ask.h - a question to a client, and its answer, which may bring a descriptor
 *
 * Both are objects of JSON, a packet each, on a Unix socket of type SEQPACKET.
 */
#ifndef PERFFLOW_SESSION_ASK_H
#define PERFFLOW_SESSION_ASK_H

#include <json-c/json.h>
#include <sys/types.h>

#define ASK_MAX_BYTES 16384 /* of an answer, with the '\0' that it ends in */

/* Without waiting. object NULL: there was no memory for it. */
int ask_send(int socket, struct json_object *object);

/*
 * Waits that long at most. Returns the size of the answer, and *ret_fd is what came with it, or as it
 * was. -ETIMEDOUT, -ECONNRESET: there is none, or nobody to answer.
 */
ssize_t ask_receive(int socket, int timeout_ms, char answer[ASK_MAX_BYTES], int *ret_fd);

#endif
