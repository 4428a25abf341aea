/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * perfflow/annotation.h - how a function carries its annotation into the binary, without a weaver
 *
 * PERFFLOW_ANNOTATION("@critical_path(...)") is what stands in an __attribute__((...)) of the
 * function. For perfflow/annotate.h and perfflow/aspect.h; needs no library, includes nothing, and
 * changes nothing but where the function lies: it is no longer inlined.
 *
 * C, and C++ by clang: the function goes into a section whose name is the annotation.
 *
 * C++ by g++: there inline functions and plain ones cannot share a section, constructors inside of
 * a class cannot be in one, and templates never are. But debug information tells which functions
 * were aligned by hand, so the function is aligned to 8 bytes, and a note, read-only data of 136
 * bytes, says which annotation stands in which line. So g++ has to be given -g too.
 */
#ifndef PERFFLOW_ANNOTATION_H
#define PERFFLOW_ANNOTATION_H

#pragma GCC system_header

#ifdef __has_attribute
#if __has_attribute(noipa)
#define PERFFLOW_OUT_OF_LINE noipa
#endif
#if __has_attribute(retain)
#define PERFFLOW_KEPT __attribute__((used, retain))
#endif
#endif
#ifndef PERFFLOW_OUT_OF_LINE
#define PERFFLOW_OUT_OF_LINE noinline
#endif
#ifndef PERFFLOW_KEPT
#define PERFFLOW_KEPT __attribute__((used))
#endif

/*
 * A nop where the function begins, and for its ret a jump to one that all have in common: the kernel need not single-step a probe
 * there, which costs several times as much.
 */
#define PERFFLOW_PROBED_ENTRY
#define PERFFLOW_PROBED_RETURN
#if defined(__has_attribute) && defined(__x86_64__) && defined(__ELF__) &&                            \
	!defined(__CUDA_ARCH__) && !defined(__HIP_DEVICE_COMPILE__)
/* g++ before 14 tells of functions that the linker has thrown away; some linkers do not take that */
#if __has_attribute(patchable_function_entry) &&                                                   \
	(defined(__clang__) || !defined(__cplusplus) || __GNUC__ >= 14)
#undef PERFFLOW_PROBED_ENTRY
#define PERFFLOW_PROBED_ENTRY , patchable_function_entry(1)
#endif
#if __has_attribute(function_return) && !defined(__code_model_large__)
#undef PERFFLOW_PROBED_RETURN
#define PERFFLOW_PROBED_RETURN , function_return("thunk-extern")
__asm__(".ifndef __x86_return_thunk\n"
	".pushsection .text.__x86_return_thunk,\"axG\",@progbits,__x86_return_thunk,comdat\n"
	".weak __x86_return_thunk\n"
	".hidden __x86_return_thunk\n"
	".type __x86_return_thunk,@function\n"
	"__x86_return_thunk: .cfi_startproc\n"
	"ret\n"
	".cfi_endproc\n"
	".size __x86_return_thunk,.-__x86_return_thunk\n"
	".popsection\n"
	".endif\n");
#endif
#endif
#define PERFFLOW_FUNCTION PERFFLOW_OUT_OF_LINE PERFFLOW_PROBED_ENTRY PERFFLOW_PROBED_RETURN

#if defined(__CUDA_ARCH__) || defined(__HIP_DEVICE_COMPILE__) || defined(__NVPTX__) ||             \
	defined(__AMDGCN__)
#define PERFFLOW_ANNOTATION(text) /* code for a GPU */
#elif defined(__cplusplus) && !defined(__clang__)
#if __cplusplus < 201103L
#define PERFFLOW_ANNOTATION(text) perfflow_needs_Cplusplus11 /* the compiler will name it */
#define PERFFLOW_ANNOTATES_NOTHING
#else
/* An alignment of 0 is passed over, wherever it stands: that is for texts that are not ours. */
#define PERFFLOW_ANNOTATION(text)                                                                  \
	PERFFLOW_FUNCTION, aligned((0 + ::perfflow::annotation::mark<PERFFLOW_NOTE_(            \
						   text, __FILE__, __LINE__)>::alignment))
#define PERFFLOW_NOTE_(text, file, line)                                                           \
	::perfflow::annotation::is_ours(text), line, ::perfflow::annotation::kind(text),           \
		::perfflow::annotation::cuts(text, file), PERFFLOW_FILE_(file, 0),                 \
		PERFFLOW_FILE_(file, 1), PERFFLOW_FILE_(file, 2), PERFFLOW_FILE_(file, 3),         \
		PERFFLOW_FILE_(file, 4), PERFFLOW_FILE_(file, 5), PERFFLOW_TEXT_(text, 0),         \
		PERFFLOW_TEXT_(text, 1), PERFFLOW_TEXT_(text, 2), PERFFLOW_TEXT_(text, 3),         \
		PERFFLOW_TEXT_(text, 4), PERFFLOW_TEXT_(text, 5), PERFFLOW_TEXT_(text, 6),         \
		PERFFLOW_TEXT_(text, 7)
#define PERFFLOW_FILE_(file, i) ::perfflow::annotation::file_word(file, i)
#define PERFFLOW_TEXT_(text, i) ::perfflow::annotation::text_word(text, i)

namespace perfflow
{
namespace annotation
{

enum phase { OUTSIDE, HEAD, OPEN, KEY, EQUALS, QUOTED, VALUE, COMMA, BAD };

struct reader { /* of a text, as far as it was read */
	unsigned at, phase, key, pointcut, flow, scope, scope_end, quote;
};

constexpr bool begins(const char *text, const char *word)
{
	return !*word || (*text == *word && begins(text + 1, word + 1));
}

/* Whether the quote that began before `text` holds this word. */
constexpr bool holds(const char *text, const char *word)
{
	return *word ? *text == *word && holds(text + 1, word + 1) : *text == '\'';
}

constexpr unsigned head(const char *text)
{
	return begins(text, "@critical_path")			      ? 14
	       : begins(text, "@perfflowaspect.aspect.critical_path") ? 36
								      : 0;
}

/* The number of a pointcut, 6 if it is none, and of a flow, 0 if it is none. */
constexpr unsigned pointcut(const char *text)
{
	return holds(text, "around")	     ? 0
	       : holds(text, "before")	     ? 1
	       : holds(text, "after")	     ? 2
	       : holds(text, "around_async") ? 3
	       : holds(text, "before_async") ? 4
	       : holds(text, "after_async")  ? 5
					     : 6;
}

constexpr unsigned flow(const char *text)
{
	return holds(text, "in")      ? 1
	       : holds(text, "out")   ? 2
	       : holds(text, "inout") ? 3
	       : holds(text, "outin") ? 4
				      : 0;
}

constexpr reader go(reader r, unsigned n, unsigned phase)
{
	return reader{r.at + n, phase, r.key, r.pointcut, r.flow, r.scope, r.scope_end, r.quote};
}

constexpr reader take_key(reader r, unsigned n, unsigned key)
{
	return r.phase == OPEN || r.phase == COMMA
		       ? reader{r.at + n, KEY,	   key,		r.pointcut,
				r.flow,	  r.scope, r.scope_end, r.quote}
		       : go(r, 0, BAD);
}

/* At the quote that ends a value. */
constexpr reader take_value(const char *text, reader r)
{
	return r.key == 's'
		       ? reader{r.at + 1, VALUE, r.key, r.pointcut, r.flow, r.quote, r.at, r.quote}
	       : r.key == 'p' && pointcut(text + r.quote) < 6
		       ? reader{r.at + 1, VALUE,   r.key,	pointcut(text + r.quote),
				r.flow,	  r.scope, r.scope_end, r.quote}
	       : r.key == 'f' && flow(text + r.quote)
		       ? reader{r.at + 1, VALUE,       r.key,  r.pointcut, flow(text + r.quote),
				r.scope,  r.scope_end, r.quote}
		       : go(r, 0, BAD);
}

constexpr reader in_quote(const char *text, reader r)
{
	return text[r.at] == '\''		      ? take_value(text, r)
	       : text[r.at] == '\n'		      ? go(r, 0, BAD)
	       : text[r.at] == '\\' && text[r.at + 1] ? go(r, 2, QUOTED)
						      : go(r, 1, QUOTED);
}

/* A character that means something, in the one phase where it may stand. */
constexpr reader in_phase(reader r, bool may, unsigned next)
{
	return may ? go(r, 1, next) : go(r, 0, BAD);
}

constexpr reader take_sign(reader r, char c)
{
	return c == '('		   ? in_phase(r, r.phase == HEAD, OPEN)
	       : c == ')'	   ? in_phase(r, r.phase == OPEN || r.phase == VALUE, OUTSIDE)
	       : c == '='	   ? in_phase(r, r.phase == KEY, EQUALS)
	       : c == ','	   ? in_phase(r, r.phase == VALUE, COMMA)
	       : c == '\n'	   ? in_phase(r, r.phase == OUTSIDE, OUTSIDE)
	       : c != '\''	   ? go(r, 1, r.phase)
	       : r.phase == EQUALS ? reader{r.at + 1, QUOTED,  r.key,	    r.pointcut,
					    r.flow,   r.scope, r.scope_end, r.at + 1}
				   : go(r, 0, BAD);
}

constexpr reader step(const char *text, reader r)
{
	return !text[r.at] || r.phase == BAD ? r
	       : r.phase == QUOTED	     ? in_quote(text, r)
	       : head(text + r.at)
		       ? r.phase == OUTSIDE ? go(r, head(text + r.at), HEAD) : go(r, 0, BAD)
	       : begins(text + r.at, "pointcut") ? take_key(r, 8, 'p')
	       : begins(text + r.at, "scope")	 ? take_key(r, 5, 's')
	       : begins(text + r.at, "flow")	 ? take_key(r, 4, 'f')
						 : take_sign(r, text[r.at]);
}

/* As many steps as there are characters, nested only as deep as their number has digits. */
constexpr reader run(const char *text, reader r, unsigned n)
{
	return n == 0 ? r : n == 1 ? step(text, r) : run(text, run(text, r, n / 2), n - n / 2);
}

constexpr unsigned any_head(const char *text, unsigned n)
{
	return n == 0	? 0
	       : n == 1 ? head(text)
			: any_head(text, n / 2) + any_head(text + n / 2, n - n / 2);
}

template <unsigned N> constexpr reader read(const char (&text)[N])
{
	return N > 4096 ? reader{0, BAD, 0, 0, 0, 0, 0, 0}
			: run(text, reader{0, OUTSIDE, 0, 0, 0, 0, 0, 0}, N - 1);
}

constexpr bool is_good(reader r)
{
	return r.phase == OUTSIDE;
}

/* 0: malformed. */
template <unsigned N> constexpr unsigned kind(const char (&text)[N])
{
	return is_good(read(text)) ? 1 + read(text).pointcut * 5 + read(text).flow : 0;
}

/* What the note keeps of the text: the scope, of a malformed one all. */
constexpr unsigned kept_from(reader r)
{
	return is_good(r) ? r.scope : 0;
}

constexpr unsigned kept_size(reader r, unsigned size)
{
	return is_good(r) ? r.scope_end - r.scope : size;
}

constexpr unsigned long long byte(const char *bytes, unsigned size, unsigned i, unsigned shift)
{
	return i < size ? static_cast<unsigned long long>(static_cast<unsigned char>(bytes[i]))
				  << shift
			: 0;
}

/* Eight bytes, the first one lowest. */
constexpr unsigned long long word(const char *bytes, unsigned size, unsigned i)
{
	return byte(bytes, size, i, 0) | byte(bytes, size, i + 1, 8) |
	       byte(bytes, size, i + 2, 16) | byte(bytes, size, i + 3, 24) |
	       byte(bytes, size, i + 4, 32) | byte(bytes, size, i + 5, 40) |
	       byte(bytes, size, i + 6, 48) | byte(bytes, size, i + 7, 56);
}

template <unsigned N> constexpr unsigned long long text_word(const char (&text)[N], unsigned i)
{
	return word(text + kept_from(read(text)), kept_size(read(text), N - 1), 8 * i);
}

/* Of a path the end. */
template <unsigned N> constexpr unsigned long long file_word(const char (&file)[N], unsigned i)
{
	return word(file + (N - 1 > 48 ? N - 1 - 48 : 0), N - 1 > 48 ? 48 : N - 1, 8 * i);
}

enum { HAS_SCOPE = 1, SCOPE_IS_CUT = 2, FILE_IS_CUT = 4 };

template <unsigned N, unsigned M> constexpr unsigned cuts(const char (&text)[N], const char (&)[M])
{
	return (is_good(read(text)) && read(text).scope ? HAS_SCOPE : 0) |
	       (kept_size(read(text), N - 1) > 64 ? SCOPE_IS_CUT : 0) |
	       (M - 1 > 48 ? FILE_IS_CUT : 0);
}

template <unsigned N> constexpr bool is_ours(const char (&text)[N])
{
	return any_head(text, N - 1);
}

struct note {
	char magic[16];
	unsigned line;
	unsigned short kind, flags;
	unsigned long long file[6], text[8];
};

template <unsigned Line, unsigned Kind, unsigned Flags, unsigned long long... Words>
struct __attribute__((visibility("hidden"))) written {
	static const note value;
};

template <unsigned Line, unsigned Kind, unsigned Flags, unsigned long long... Words>
PERFFLOW_KEPT const note written<Line, Kind, Flags, Words...>::value = {
	{'p', 'e', 'r', 'f', 'f', 'l', 'o', 'w', ' ', 'n', 'o', 't', 'e', ' ', '1', '\n'},
	Line,
	Kind,
	Flags,
	Words...};

template <const note *> struct used;

template <bool IsOurs, unsigned Line, unsigned Kind, unsigned Flags, unsigned long long... Words>
struct mark {
	typedef used<&written<Line, Kind, Flags, Words...>::value> note; /* so it is written */
	enum : unsigned { alignment = 8 };
};

template <unsigned Line, unsigned Kind, unsigned Flags, unsigned long long... Words>
struct mark<false, Line, Kind, Flags, Words...> {
	enum : unsigned { alignment = 0 };
};

} /* namespace annotation */
} /* namespace perfflow */
#endif
#elif defined(__clang__)
#define PERFFLOW_ANNOTATION(text) PERFFLOW_FUNCTION, section(text)
#else
/* gcc hands the name of a section to the assembler as it is: the quotes are for that one. */
#define PERFFLOW_ANNOTATION(text) PERFFLOW_FUNCTION, section("\"" text "\"")
#endif

#endif
