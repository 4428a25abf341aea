/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each page has one place that it may be in, so nothing is searched for. Functions of a program are looked at one after the
 * other, and what they jump to lies here and there; a call of the kernel for each of these reads was half of the time that it
 * took. One large window would be read anew at every second jump.
 */
#include "binary/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/reach.h"

#define PAGE_BYTES 4096
#define N_PAGES	   64

struct page {
	uint64_t number; /* from the beginning of the file */
	size_t size;	 /* less than all at the end of the file; 0 if there is none */
	uint8_t *bytes;	 /* allocated for the first page that is here */
};

struct pages {
	struct page pages[N_PAGES];
};

struct pages *pages_new(void)
{
	return calloc(1, sizeof(struct pages));
}

void pages_free(struct pages *pages)
{
	for (size_t i = 0; pages && i < N_PAGES; i++)
		free(pages->pages[i].bytes);
	free(pages);
}

static ssize_t read_file(int fd, void *buffer, size_t size, uint64_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = reach_read(fd, (char *)buffer + done, size - done, offset + done);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* The page with this number; NULL where it cannot be had, and there is a way without. */
static const struct page *get_page(struct pages *pages, int fd, uint64_t number)
{
	struct page *page = &pages->pages[number % N_PAGES];
	ssize_t n;

	if (page->size && page->number == number)
		return page;
	page->size = 0;
	if (!page->bytes)
		page->bytes = malloc(PAGE_BYTES);
	if (!page->bytes)
		return NULL;
	n = read_file(fd, page->bytes, PAGE_BYTES, number * PAGE_BYTES);
	if (n <= 0)
		return NULL;
	page->number = number;
	page->size = n;
	return page;
}

ssize_t pages_read(struct pages *pages, int fd, uint64_t offset, void *buffer, size_t size)
{
	size_t done = 0;

	if (offset > INT64_MAX - size - PAGE_BYTES)
		return 0;
	if (!pages || size > PAGE_BYTES)
		return read_file(fd, buffer, size, offset);
	while (done < size) {
		const struct page *page = get_page(pages, fd, (offset + done) / PAGE_BYTES);
		size_t at = (offset + done) % PAGE_BYTES, n;

		if (!page)
			return read_file(fd, buffer, size, offset);
		if (at >= page->size)
			break;
		n = page->size - at < size - done ? page->size - at : size - done;
		memcpy((char *)buffer + done, page->bytes + at, n);
		done += n;
		if (page->size < PAGE_BYTES)
			break;
	}
	return done;
}
