# SPDX-License-Identifier: LGPL-3.0-or-later
# Functions with all kinds of parameters, as each compiler here passes them, with and without optimisation.
set(arguments ${CMAKE_CURRENT_SOURCE_DIR}/unit/fixtures)
set(arguments_flags -w -fPIC -shared -Wl,--build-id)
set(arguments_fixtures "")

# Makes libpf_NAME.so with a command and adds it to the list that a test goes through.
function(arguments_fixture name list sources)
	set(library ${CMAKE_CURRENT_BINARY_DIR}/libpf_${name}.so)
	list(TRANSFORM sources PREPEND ${arguments}/ OUTPUT_VARIABLE paths)
	add_custom_command(OUTPUT ${library} VERBATIM DEPENDS ${paths} ${arguments}/arguments.h ${arguments}/arguments.hpp
		COMMAND ${ARGN} -o ${library} ${paths})
	set(arguments_fixtures ${arguments_fixtures} ${library} PARENT_SCOPE)
	string(JOIN ":" joined ${${list}} ${library})
	set(${list} ${joined} PARENT_SCOPE)
endfunction()

find_program(CLANGXX NAMES clang++)
set(c_sources arguments.c arguments_calls.c)
set(cxx_sources arguments.cpp arguments_calls.cpp)
foreach(level 0 2)
	arguments_fixture(arguments_c_${level} arguments_c "${c_sources}" ${CMAKE_C_COMPILER} ${arguments_flags} -Wno-psabi -g -O${level})
	arguments_fixture(arguments_c_clang_${level} arguments_c "${c_sources}" ${CLANG} ${arguments_flags} -g -O${level})
	arguments_fixture(arguments_cxx_${level} arguments_cxx "${cxx_sources}" ${CMAKE_CXX_COMPILER} ${arguments_flags} -g
		-O${level})
	if(CLANGXX)
		arguments_fixture(arguments_cxx_clang_${level} arguments_cxx "${cxx_sources}" ${CLANGXX} ${arguments_flags} -g
			-O${level})
	endif()
	if(GFORTRAN)
		# each in a folder of its own, since both write arguments.mod
		file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/modules_${level})
		arguments_fixture(arguments_fortran_${level} arguments_fortran "arguments.f90;arguments_calls.f90" ${GFORTRAN}
			${arguments_flags} -g -O${level} -J ${CMAKE_CURRENT_BINARY_DIR}/modules_${level})
	endif()
endforeach()
# types in units of their own
arguments_fixture(arguments_c_units arguments_c "${c_sources}" ${CMAKE_C_COMPILER} ${arguments_flags} -Wno-psabi -g -gdwarf-4 -Og
	-fdebug-types-section)
arguments_fixture(arguments_bare arguments_bare "${c_sources}" ${CMAKE_C_COMPILER} ${arguments_flags} -Wno-psabi -O2)
if(LLD)
	set(arm64_flags --target=aarch64-linux-gnu -fuse-ld=${LLD} -ffreestanding -nostdlib -O2 -g ${arguments_flags})
	arguments_fixture(arguments_c_arm64 arguments_arm64 arguments.c ${CLANG} ${arm64_flags})
	if(CLANGXX)
		arguments_fixture(arguments_cxx_arm64 arguments_arm64 arguments_arm64.cpp ${CLANGXX} ${arm64_flags})
	endif()
endif()
if(SDT_H)
	foreach(level 0 2)
		arguments_fixture(operands_${level} operands operands.c ${CMAKE_C_COMPILER} ${arguments_flags} -O${level})
		arguments_fixture(operands_clang_${level} operands operands.c ${CLANG} ${arguments_flags} -O${level})
	endforeach()
	target_compile_definitions(test_operand PRIVATE FIXTURE_OPERANDS="${operands}")
endif()

add_custom_target(fixture_arguments DEPENDS ${arguments_fixtures})
foreach(module argument operand capture)
	add_dependencies(test_${module} fixture_arguments)
	target_link_libraries(test_${module} PRIVATE ${CMAKE_DL_LIBS})
endforeach()
set(one ${CMAKE_CURRENT_BINARY_DIR}/libpf_arguments_)
target_compile_definitions(test_argument PRIVATE FIXTURE_ARGUMENTS_C="${arguments_c}" FIXTURE_ARGUMENTS_CXX="${arguments_cxx}"
	FIXTURE_ARGUMENTS_OPTIMISED="${one}c_2.so:${one}c_clang_2.so" FIXTURE_ARGUMENTS_ONE="${one}c_2.so"
	FIXTURE_ARGUMENTS_OTHER="${one}c_0.so")
if(GFORTRAN)
	target_compile_definitions(test_argument PRIVATE FIXTURE_ARGUMENTS_FORTRAN="${arguments_fortran}")
endif()
if(LLD)
	target_compile_definitions(test_argument PRIVATE FIXTURE_ARGUMENTS_ARM64="${arguments_arm64}")
endif()
target_compile_definitions(test_capture PRIVATE FIXTURE_ARGUMENTS_C="${one}c_2.so" FIXTURE_ARGUMENTS_CXX="${one}cxx_2.so"
	FIXTURE_ARGUMENTS_BARE="${one}bare.so")
