// SPDX-License-Identifier: LGPL-3.0-or-later
/* Files of this user's own, asked for others: who they are is a number, so no right is needed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "binary/rights.h"
#include "util/cleanup.h"

#define STRANGER 54321
#define STRANGERS_GROUP 54322

struct fixture {
	char folder[64], file[128];
	gid_t group; /* that the files have */
};

static int make_files(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct stat status;
	int fd;

	if (!fixture)
		return -1;
	strcpy(fixture->folder, "/tmp/perfflow-rights-XXXXXX");
	if (!mkdtemp(fixture->folder) || chmod(fixture->folder, 0755) < 0)
		return -1;
	snprintf(fixture->file, sizeof(fixture->file), "%s/file", fixture->folder);
	fd = open(fixture->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -1;
	close(fd);
	fixture->group = status.st_gid;
	*state = fixture;
	return 0;
}

static int remove_files(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->file);
	rmdir(fixture->folder);
	free(fixture);
	return 0;
}

static int check(const struct fixture *fixture, uid_t uid, gid_t group)
{
	const struct rights rights = {.uid = uid, .gid = STRANGERS_GROUP, .groups = &group, .n_groups = 1};
	_cleanup_close_ int fd = -1;
	struct stat status;

	/* one that its owner may not read either */
	assert_int_equal(stat(fixture->file, &status), 0);
	assert_int_equal(chmod(fixture->file, 0644), 0);
	fd = open(fixture->file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(chmod(fixture->file, status.st_mode & 07777), 0);
	return rights_check_file(&rights, fd, fixture->file);
}

static int check_mode(const struct fixture *fixture, mode_t mode, uid_t uid, gid_t group)
{
	assert_int_equal(chmod(fixture->file, mode), 0);
	return check(fixture, uid, group);
}

static void the_first_of_owner_group_and_others_decides(void **state)
{
	const struct fixture *fixture = *state;

	assert_int_equal(check_mode(fixture, 0400, geteuid(), 0), 0);
	assert_int_equal(check_mode(fixture, 0044, geteuid(), fixture->group), -EACCES);
	assert_int_equal(check_mode(fixture, 0040, STRANGER, fixture->group), 0);
	assert_int_equal(check_mode(fixture, 0604, STRANGER, fixture->group), -EACCES);
	assert_int_equal(check_mode(fixture, 0604, STRANGER, STRANGERS_GROUP), 0);
	assert_int_equal(check_mode(fixture, 0660, STRANGER, STRANGERS_GROUP), -EACCES);
	assert_int_equal(check_mode(fixture, 0711, STRANGER, STRANGERS_GROUP), -EACCES);
}

static void a_folder_that_may_not_be_searched_hides_what_is_in_it(void **state)
{
	const struct fixture *fixture = *state;

	assert_int_equal(chmod(fixture->folder, 0700), 0);
	assert_int_equal(check_mode(fixture, 0644, STRANGER, STRANGERS_GROUP), -ENOENT);
	assert_int_equal(check_mode(fixture, 0644, geteuid(), STRANGERS_GROUP), 0);
	assert_int_equal(chmod(fixture->folder, 0711), 0);
	assert_int_equal(check_mode(fixture, 0644, STRANGER, STRANGERS_GROUP), 0);
	assert_int_equal(chmod(fixture->folder, 0744), 0);
	assert_int_equal(check_mode(fixture, 0644, STRANGER, STRANGERS_GROUP), -ENOENT);
}

/* What lies at the path by now does not count: the descriptor is asked. */
static void a_file_that_was_replaced_is_not_the_one_at_its_path(void **state)
{
	const struct fixture *fixture = *state;
	const struct rights rights = {.uid = STRANGER, .gid = STRANGERS_GROUP};
	_cleanup_close_ int fd = open(fixture->file, O_RDONLY | O_CLOEXEC), other = -1;

	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(unlink(fixture->file), 0);
	other = open(fixture->file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(other >= 0);
	assert_true(rights_check_file(&rights, fd, fixture->file) < 0);
	assert_int_equal(rights_check_file(&rights, other, fixture->file), 0);
}

static void a_debug_file_is_opened_if_it_is_the_users_to_read(void **state)
{
	const struct fixture *fixture = *state;
	struct rights rights = {.uid = STRANGER, .gid = STRANGERS_GROUP};
	_cleanup_free_ char *location = NULL;
	_cleanup_close_ int fd = -1;

	assert_int_equal(chmod(fixture->file, 0640), 0);
	assert_int_equal(rights_open_debug_file(&rights, fixture->file, &location), -EACCES);
	assert_null(location);
	assert_int_equal(chmod(fixture->file, 0604), 0);
	fd = rights_open_debug_file(&rights, fixture->file, &location);
	assert_true(fd >= 0);
	assert_string_equal(location, fixture->file);
}

struct acl_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

/* Between the owner's entry, with all rights, and the others', with none. False where the file system has no lists. */
static bool set_acl(const struct fixture *fixture, const struct acl_entry *entries, size_t n)
{
	struct {
		uint32_t version;
		struct acl_entry entries[16];
	} list = {.version = POSIX_ACL_XATTR_VERSION};

	list.entries[0] = (struct acl_entry){ACL_USER_OBJ, 7, ACL_UNDEFINED_ID};
	memcpy(&list.entries[1], entries, n * sizeof(*entries));
	list.entries[n + 1] = (struct acl_entry){ACL_OTHER, 0, ACL_UNDEFINED_ID};
	if (setxattr(fixture->file, "system.posix_acl_access", &list, 4 + (n + 2) * sizeof(*entries), 0) == 0)
		return true;
	assert_int_equal(errno, EOPNOTSUPP);
	return false;
}

static void lists_grant_what_their_mask_leaves(void **state)
{
	const struct fixture *fixture = *state;
	struct acl_entry entries[] = {
		{ACL_USER, 4, STRANGER},
		{ACL_USER, 0, STRANGER + 1},
		{ACL_GROUP_OBJ, 0, ACL_UNDEFINED_ID},
		{ACL_GROUP, 4, STRANGERS_GROUP + 1},
		{ACL_MASK, 4, ACL_UNDEFINED_ID},
	};

	if (!set_acl(fixture, entries, 5))
		skip();
	assert_int_equal(check(fixture, STRANGER, 0), 0);
	assert_int_equal(check(fixture, STRANGER + 1, STRANGERS_GROUP + 1), -EACCES);
	assert_int_equal(check(fixture, STRANGER + 2, STRANGERS_GROUP + 1), 0);
	assert_int_equal(check(fixture, STRANGER + 2, fixture->group), -EACCES);
	assert_int_equal(check(fixture, STRANGER + 2, STRANGERS_GROUP + 2), -EACCES);
	entries[4].permissions = 1;
	assert_true(set_acl(fixture, entries, 5));
	assert_int_equal(check(fixture, STRANGER, 0), -EACCES);
	assert_int_equal(check(fixture, STRANGER + 2, STRANGERS_GROUP + 1), -EACCES);
}

static int check_program(const struct fixture *fixture, mode_t mode, uid_t uid, gid_t gid)
{
	const struct rights rights = {.uid = uid, .gid = gid};
	_cleanup_close_ int fd = open(fixture->file, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(chmod(fixture->file, mode), 0);
	return rights_check_program(&rights, fd);
}

static void a_program_that_gives_other_rights_is_told_from_one_that_does_not(void **state)
{
	const struct fixture *fixture = *state;
	struct stat status;

	assert_int_equal(stat(fixture->file, &status), 0);
	assert_int_equal(check_program(fixture, 0755, STRANGER, STRANGER), 0);
	assert_int_equal(check_program(fixture, 04755, STRANGER, STRANGER), -EPERM);
	assert_int_equal(check_program(fixture, 04755, status.st_uid, STRANGER), 0);
	assert_int_equal(check_program(fixture, 02755, STRANGER, STRANGER), -EPERM);
	assert_int_equal(check_program(fixture, 02755, STRANGER, status.st_gid), 0);
	assert_int_equal(check_program(fixture, 02745, STRANGER, STRANGER), 0); /* that is a lock, and no right */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_of_owner_group_and_others_decides, make_files, remove_files),
		cmocka_unit_test_setup_teardown(a_folder_that_may_not_be_searched_hides_what_is_in_it, make_files, remove_files),
		cmocka_unit_test_setup_teardown(a_file_that_was_replaced_is_not_the_one_at_its_path, make_files, remove_files),
		cmocka_unit_test_setup_teardown(a_debug_file_is_opened_if_it_is_the_users_to_read, make_files, remove_files),
		cmocka_unit_test_setup_teardown(lists_grant_what_their_mask_leaves, make_files, remove_files),
		cmocka_unit_test_setup_teardown(a_program_that_gives_other_rights_is_told_from_one_that_does_not, make_files, remove_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
