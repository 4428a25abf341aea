/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/message.h - what the daemon and an inspector say to each other, by the kinds of messages */
#ifndef PERFFLOW_INSPECT_MESSAGE_H
#define PERFFLOW_INSPECT_MESSAGE_H

/*
 * One request at a time. Those of a file begin with its path, name and location, as struct binary has them, and come with its
 * descriptor.
 */
enum message_kind {
	/* by the daemon */
	MESSAGE_PLAN = 1,     /* u32 with_units, returns, by_interpreter; the aspects; the scope or none */
	MESSAGE_FACTS,	      /* a file */
	MESSAGE_DISTRUST,     /* a file */
	MESSAGE_MATCH,	      /* a file; why no return probe is safe in it, or none */
	MESSAGE_LANDINGS,     /* a file */
	MESSAGE_CANDIDATES,   /* the pointcut to which near names are looked for */
	MESSAGE_CANDIDATES_OF, /* a file in which they are */
	MESSAGE_CANDIDATES_LIST, /* nothing */
	MESSAGE_FUNCTIONS,    /* a file; u64 how many bytes at most */

	/* by the inspector, before it is done, and what it is answered: a path, or a build id; u32 errno, location and a descriptor */
	MESSAGE_OPEN = 32,
	MESSAGE_DOWNLOAD,
	MESSAGE_OPENED,

	/* by the inspector */
	MESSAGE_PART = 64, /* of what is long */
	MESSAGE_DONE,	   /* u32 errno, sentence or none; and, where there is none, the answer */
};

#endif
