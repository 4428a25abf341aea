# SPDX-License-Identifier: LGPL-3.0-or-later
# What perfflow/annotate.h and the project's C++ compiler leave in a binary; once without the debug information.
add_library(fixture_lines SHARED unit/fixtures/annotated_in_lines.cpp)
set_target_properties(fixture_lines PROPERTIES OUTPUT_NAME pf_lines)
target_compile_options(fixture_lines PRIVATE -w -g -O1 -fno-sanitize=all
	-include ${CMAKE_SOURCE_DIR}/include/perfflow/annotate.h)
target_link_options(fixture_lines PRIVATE -fno-sanitize=all)
add_custom_command(TARGET fixture_lines POST_BUILD
	COMMAND ${CMAKE_OBJCOPY} --strip-debug $<TARGET_FILE:fixture_lines> libpf_lines_stripped.so BYPRODUCTS libpf_lines_stripped.so)

add_dependencies(test_annotated fixture_lines fixture_marked fixture_functions)
add_dependencies(test_joinpoint fixture_lines)
target_compile_definitions(test_joinpoint PRIVATE FIXTURE_LINES="$<TARGET_FILE:fixture_lines>"
	FIXTURE_LINES_STRIPPED="${CMAKE_CURRENT_BINARY_DIR}/libpf_lines_stripped.so")
target_compile_definitions(test_annotated PRIVATE FIXTURE_LINES="$<TARGET_FILE:fixture_lines>"
	FIXTURE_LINES_STRIPPED="${CMAKE_CURRENT_BINARY_DIR}/libpf_lines_stripped.so"
	FIXTURE_MARKED="$<TARGET_FILE:fixture_marked>" FIXTURE_FUNCTIONS="$<TARGET_FILE:fixture_functions>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
	target_compile_definitions(test_annotated PRIVATE FIXTURE_LINES_HAS_NOTES)
	target_compile_definitions(test_joinpoint PRIVATE FIXTURE_LINES_HAS_NOTES)
endif()
