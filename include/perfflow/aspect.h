/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * perfflow/aspect.h - for new sources in C and C++: functions and regions that perfflow shall see
 *
 * A function, by PerfFlowAspect's annotation:
 *
 *	PERFFLOW_CRITICAL_PATH(pointcut='around_async', scope='io')
 *	void read_block(struct file *file) { ... }
 *
 * A region of a thread, inside of others or not; one that ends with its block, however that is
 * left; a moment; and work that ends elsewhere, where the name and the number tell what belongs
 * together:
 *
 *	PERFFLOW_BEGIN("assemble", "solver"); ... PERFFLOW_END();
 *	PERFFLOW_SCOPE("assemble", "solver");
 *	PERFFLOW_MARK("converged", "solver");
 *	PERFFLOW_ASYNC_BEGIN("request", "io", id);
 *	PERFFLOW_ASYNC_INSTANT("request", "io", id);
 *	PERFFLOW_ASYNC_END("request", "io", id);
 *
 * Names and categories are C strings, read while the macro runs; an id is a number of 64 bits.
 *
 * No library is needed. Regions, marks and asynchronous events are static probes (USDT) of the
 * provider "perfflow", called begin, end, mark, async_begin, async_instant and async_end, with
 * these arguments in this order. While nobody traces them each macro is a comparison with zero,
 * and its arguments are not evaluated. PERFFLOW_NO_PROBES makes them nothing at all, as they are
 * on other processors than x86-64 and AArch64, and on a GPU.
 */
#ifndef PERFFLOW_ASPECT_H
#define PERFFLOW_ASPECT_H

#include "annotation.h"

#pragma GCC system_header

#define PERFFLOW_CRITICAL_PATH(...)                                                                \
	__attribute__((PERFFLOW_ANNOTATION("@critical_path(" #__VA_ARGS__ ")")))

#define PERFFLOW_BEGIN(name, category)		 PERFFLOW_PROBE_2_(begin, name, category)
#define PERFFLOW_END()				 PERFFLOW_PROBE_0_(end)
#define PERFFLOW_MARK(name, category)		 PERFFLOW_PROBE_2_(mark, name, category)
#define PERFFLOW_ASYNC_BEGIN(name, category, id) PERFFLOW_PROBE_3_(async_begin, name, category, id)
#define PERFFLOW_ASYNC_INSTANT(name, category, id)                                                 \
	PERFFLOW_PROBE_3_(async_instant, name, category, id)
#define PERFFLOW_ASYNC_END(name, category, id) PERFFLOW_PROBE_3_(async_end, name, category, id)

#define PERFFLOW_PASTE_(a, b)  PERFFLOW_PASTE2_(a, b)
#define PERFFLOW_PASTE2_(a, b) a##b

#if !defined(PERFFLOW_NO_PROBES) && defined(__ELF__) &&                                            \
	(defined(__x86_64__) || defined(__aarch64__)) && !defined(__CUDA_ARCH__) &&                \
	!defined(__HIP_DEVICE_COMPILE__) && !defined(__NVPTX__) && !defined(__AMDGCN__)

/* A probe at the first nop costs a trap; of one at the second, which has five bytes, Linux 6.18
 * makes a call. */
#ifdef __x86_64__
#define PERFFLOW_SITE_ "990: nop\n .byte 0x0f, 0x1f, 0x44, 0, 0\n"
#else
#define PERFFLOW_SITE_ "990: nop\n"
#endif

/*
 * The note that tools look for (SystemTap's, version 3), in the group of the code that it is about;
 * and once in a file what all of them share: the semaphore, which is the kernel's counter of those
 * who trace, and the base of all notes, as <sys/sdt.h> has it too.
 */
#define PERFFLOW_NOTE_OF_(probe, arguments) PERFFLOW_NOTE_FROM_("perfflow", #probe, arguments)
#define PERFFLOW_NOTE_FROM_(provider, probe, arguments)                                            \
	PERFFLOW_SITE_                                                                             \
		".pushsection .note.stapsdt,\"?\",\"note\"\n"                                      \
		".balign 4\n"                                                                      \
		".4byte 992f-991f, 994f-993f, 3\n"                                                 \
		"991: .asciz \"stapsdt\"\n"                                                        \
		"992: .balign 4\n"                                                                 \
		"993: .8byte 990b, _.stapsdt.base, " provider "_" probe "_semaphore\n"           \
		".asciz \"" provider "\"\n"                                                        \
		".asciz \"" probe "\"\n"                                                           \
		".asciz \"" arguments "\"\n"                                                       \
		"994: .balign 4\n"                                                                 \
		".popsection\n" PERFFLOW_SHARED_(".stapsdt.base", "aG", ".stapsdt.base",           \
						 "_.stapsdt.base", ".space 1")                     \
			PERFFLOW_SHARED_(".probes", "awG", provider "_" probe "_semaphore",        \
					 provider "_" probe "_semaphore",                          \
					 ".balign 2\n .2byte 0")
#define PERFFLOW_SHARED_(section, flags, group, symbol, data)                                      \
	".ifndef " symbol "\n"                                                                     \
	".pushsection " section ",\"" flags "\",\"progbits\"," group ",comdat\n"                   \
	".weak " symbol "\n"                                                                       \
	".hidden " symbol "\n" symbol ": " data "\n"                                               \
	".type " symbol ",%%object\n"                                                              \
	".size " symbol ",.-" symbol "\n"                                                          \
	".popsection\n"                                                                            \
	".endif\n"

#ifdef __cplusplus
extern "C" {
#endif
extern volatile unsigned short perfflow_begin_semaphore __attribute__((visibility("hidden")));
extern volatile unsigned short perfflow_end_semaphore __attribute__((visibility("hidden")));
extern volatile unsigned short perfflow_mark_semaphore __attribute__((visibility("hidden")));
extern volatile unsigned short perfflow_async_begin_semaphore __attribute__((visibility("hidden")));
extern volatile unsigned short perfflow_async_instant_semaphore
	__attribute__((visibility("hidden")));
extern volatile unsigned short perfflow_async_end_semaphore __attribute__((visibility("hidden")));
#ifdef __cplusplus
}
#endif

/* That the strings are read tells the compiler to have written them; clang takes it for granted. */
#ifdef __clang__
#define PERFFLOW_STRING_(string) "m"(*(string))
#else
#define PERFFLOW_STRING_(string) "m"(*(const char(*)[])(string))
#endif

/* The kernel cannot read what is not in memory yet, as literals are that nobody has used. */
#define PERFFLOW_TOUCH_(string) ((string) ? (void)*(const volatile char *)(string) : (void)0)

#define PERFFLOW_IF_TRACED_(probe) if (__builtin_expect(perfflow_##probe##_semaphore, 0))
#define PERFFLOW_PROBE_0_(probe)                                                                   \
	do {                                                                                       \
		PERFFLOW_IF_TRACED_(probe)                                                         \
		__asm__ __volatile__(PERFFLOW_NOTE_OF_(probe, "") : /* nothing */);                \
	} while (0)
#define PERFFLOW_PROBE_2_(probe, name, category)                                                   \
	do {                                                                                       \
		PERFFLOW_IF_TRACED_(probe)                                                         \
		{                                                                                  \
			const char *perfflow_name_ = (name), *perfflow_category_ = (category);     \
			PERFFLOW_TOUCH_(perfflow_name_);                                           \
			PERFFLOW_TOUCH_(perfflow_category_);                                       \
			__asm__ __volatile__(PERFFLOW_NOTE_OF_(probe, "8@%0 8@%1")                 \
					     : /* nothing */                                       \
					     : "r"(perfflow_name_), "r"(perfflow_category_),       \
					       PERFFLOW_STRING_(perfflow_name_),                   \
					       PERFFLOW_STRING_(perfflow_category_));              \
		}                                                                                  \
	} while (0)
#define PERFFLOW_PROBE_3_(probe, name, category, id)                                               \
	do {                                                                                       \
		PERFFLOW_IF_TRACED_(probe)                                                         \
		{                                                                                  \
			const char *perfflow_name_ = (name), *perfflow_category_ = (category);     \
			__UINT64_TYPE__ perfflow_id_ = (__UINT64_TYPE__)(id);                      \
			PERFFLOW_TOUCH_(perfflow_name_);                                           \
			PERFFLOW_TOUCH_(perfflow_category_);                                       \
			__asm__ __volatile__(PERFFLOW_NOTE_OF_(probe, "8@%0 8@%1 8@%2")            \
					     : /* nothing */                                       \
					     : "r"(perfflow_name_), "r"(perfflow_category_),       \
					       "r"(perfflow_id_),                                  \
					       PERFFLOW_STRING_(perfflow_name_),                   \
					       PERFFLOW_STRING_(perfflow_category_));              \
		}                                                                                  \
	} while (0)

#else

#define PERFFLOW_UNUSED_(value)	 (void)sizeof(value)
#define PERFFLOW_PROBE_0_(probe) ((void)0)
#define PERFFLOW_PROBE_2_(probe, name, category)                                                   \
	do {                                                                                       \
		PERFFLOW_UNUSED_(name);                                                            \
		PERFFLOW_UNUSED_(category);                                                        \
	} while (0)
#define PERFFLOW_PROBE_3_(probe, name, category, id)                                               \
	do {                                                                                       \
		PERFFLOW_PROBE_2_(probe, name, category);                                          \
		PERFFLOW_UNUSED_(id);                                                              \
	} while (0)

#endif

#ifdef __cplusplus

namespace perfflow
{

/* A region from its construction to its destruction, by exceptions too. */
class __attribute__((visibility("hidden"))) scope
{
      public:
	__attribute__((always_inline)) scope(const char *name, const char *category)
	{
		PERFFLOW_BEGIN(name, category);
	}
	__attribute__((always_inline)) ~scope()
	{
		PERFFLOW_END();
	}

      private:
	scope(const scope &);
	scope &operator=(const scope &);
};

} /* namespace perfflow */

#define PERFFLOW_SCOPE(name, category)                                                             \
	::perfflow::scope PERFFLOW_PASTE_(perfflow_scope_, __COUNTER__)(name, category)

#else

static inline __attribute__((always_inline, unused)) void perfflow_end_of_scope_(const char *unused)
{
	(void)unused;
	PERFFLOW_END();
}

#define PERFFLOW_SCOPE(name, category)                                                             \
	__attribute__((cleanup(perfflow_end_of_scope_), unused)) const char PERFFLOW_PASTE_(       \
		perfflow_scope_, __COUNTER__) = __extension__({                                    \
		PERFFLOW_BEGIN(name, category);                                                    \
		(char)0;                                                                           \
	})

#endif

#endif
