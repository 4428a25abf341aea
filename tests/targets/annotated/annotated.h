/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What two files of one program share: annotated functions that each of them compiles, and the
 * linker keeps one of. */
#ifndef ANNOTATED_H
#define ANNOTATED_H

#define CRITICAL_PATH __attribute__((annotate("@critical_path()")))

extern int calls;

namespace solver
{

CRITICAL_PATH inline int inline_function(int n)
{
	return calls++ + n;
}

template <class T> CRITICAL_PATH T function_template(T n)
{
	return calls++ + n;
}

class shape
{
      public:
	CRITICAL_PATH explicit shape(int n) : sides(n)
	{
		calls++;
	}
	CRITICAL_PATH virtual ~shape()
	{
		calls++;
	}
	CRITICAL_PATH int member(int n) const
	{
		return calls++ + sides + n;
	}
	CRITICAL_PATH static int static_member(int n)
	{
		return calls++ + n;
	}
	CRITICAL_PATH virtual int virtual_member(int n)
	{
		return calls++ * n;
	}
	template <class T>
	__attribute__((annotate("@critical_path(pointcut='around_async', scope='shapes')"))) T
	member_template(T n)
	{
		return calls++ + n;
	}
	int outside(int n);

	int sides;
};

template <class T> class grid
{
      public:
	CRITICAL_PATH grid() : sum()
	{
		calls++;
	}
	CRITICAL_PATH T add(T n)
	{
		calls++;
		return sum += n;
	}
	T twice(T n);

      private:
	T sum;
};

template <class T>
__attribute__((annotate("@critical_path(pointcut='before')"))) T grid<T>::twice(T n)
{
	return calls++ + 2 * n;
}

} /* namespace solver */

int other(int n);
int library(int n);

#endif
