# SPDX-License-Identifier: LGPL-3.0-or-later
# Fixtures of what has names: annotations, static probes and the languages whose compilers are here.
add_library(fixture_marked SHARED unit/fixtures/annotated.c unit/fixtures/annotated_plainly.c)
set_target_properties(fixture_marked PROPERTIES OUTPUT_NAME pf_marked)
set_source_files_properties(unit/fixtures/annotated_plainly.c PROPERTIES COMPILE_DEFINITIONS "annotate=section")
target_compile_options(fixture_marked PRIVATE -w -g -O1 -fno-sanitize=all)
target_link_options(fixture_marked PRIVATE -fno-sanitize=all -Wl,--build-id)
set(marked_definitions FIXTURE_MARKED="$<TARGET_FILE:fixture_marked>"
	FIXTURE_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/unit/fixtures")

find_path(SDT_H sys/sdt.h) # asked again each time until it is there: it may be installed after a first build
if(SDT_H)
	target_sources(fixture_marked PRIVATE unit/fixtures/static_probes.c)
	list(APPEND marked_definitions FIXTURE_HAS_STATIC_PROBES)
else()
	left_out("no sys/sdt.h (systemtap-sdt-dev): static probes of a fixture are not tested")
endif()

target_link_options(fixture_names PRIVATE
	-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/unit/fixtures/names.map)

find_program(GFORTRAN NAMES gfortran)
if(GFORTRAN)
	add_custom_command(OUTPUT libpf_fortran.so DEPENDS unit/fixtures/names.f90
		COMMAND ${GFORTRAN} -shared -fPIC -g -O1 -J ${CMAKE_CURRENT_BINARY_DIR} -o libpf_fortran.so
			${CMAKE_CURRENT_SOURCE_DIR}/unit/fixtures/names.f90)
	add_custom_target(fixture_fortran DEPENDS libpf_fortran.so)
	add_dependencies(test_symbol fixture_fortran)
	list(APPEND marked_definitions FIXTURE_FORTRAN="${CMAKE_CURRENT_BINARY_DIR}/libpf_fortran.so")
endif()

find_program(RUSTC NAMES rustc)
if(RUSTC)
	add_custom_command(OUTPUT libpf_rust.so DEPENDS unit/fixtures/names.rs
		COMMAND ${RUSTC} --crate-name pf_names --crate-type cdylib --edition 2021 -O
			-C symbol-mangling-version=v0 -o libpf_rust.so ${CMAKE_CURRENT_SOURCE_DIR}/unit/fixtures/names.rs)
	add_custom_target(fixture_rust DEPENDS libpf_rust.so)
	add_dependencies(test_symbol fixture_rust)
	list(APPEND marked_definitions FIXTURE_RUST="${CMAKE_CURRENT_BINARY_DIR}/libpf_rust.so")
endif()

foreach(module symbol debugfile usdt source joinpoint)
	add_dependencies(test_${module} fixture_marked fixture_functions fixture_names)
	target_compile_definitions(test_${module} PRIVATE ${marked_definitions})
endforeach()
foreach(module debugfile source)
	target_compile_definitions(test_${module} PRIVATE FIXTURE_FUNCTIONS="$<TARGET_FILE:fixture_functions>"
		FIXTURE_NAMES="$<TARGET_FILE:fixture_names>")
endforeach()
