/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <pwd.h>

#include "util/user.h"

static void users_have_the_names_that_the_system_gives_them(void **state)
{
	_cleanup_(users_done) struct users users = {};
	struct passwd *entry;
	int n = 0;

	(void)state;
	setpwent();
	while ((entry = getpwent()) && n++ < 50) {
		const char *name = users_name(&users, entry->pw_uid);

		assert_non_null(name);
		assert_ptr_equal(users_name(&users, entry->pw_uid), name); /* kept */
		assert_string_equal(name, getpwuid(entry->pw_uid)->pw_name);
	}
	endpwent();
	assert_true(n > 0);
	assert_string_equal(users_name(&users, 0), "root");
}

static void a_user_without_a_name_has_none(void **state)
{
	_cleanup_(users_done) struct users users = {};
	uint32_t uid = 3000000000U;

	(void)state;
	while (getpwuid(uid))
		uid++;
	assert_null(users_name(&users, uid));
	assert_null(users_name(&users, uid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_have_the_names_that_the_system_gives_them),
		cmocka_unit_test(a_user_without_a_name_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
