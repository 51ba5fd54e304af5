# Flags and helpers shared by every RotQ library.

add_library(rotq_options INTERFACE)
target_include_directories(rotq_options INTERFACE ${PROJECT_SOURCE_DIR}/include)
# Generated headers are not ours to mend.
target_include_directories(rotq_options SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/include)
# Float results must not depend on which instructions the compiler picked.
target_compile_options(rotq_options INTERFACE
  -Wall -Wextra -Werror -ffp-contract=off -fvisibility-inlines-hidden)
if(ROTQ_SANITIZE)
  target_compile_options(rotq_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(rotq_options INTERFACE -fsanitize=address,undefined)
endif()

# rotq_add_library(Name sources... [LINK libs...] [DEPENDS targets...])
# A static library with RotQ's flags.
function(rotq_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC rotq_options ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(ROTQ_HEADERS_TARGET)
    target_precompile_headers(${name} REUSE_FROM ${ROTQ_HEADERS_TARGET})
  endif()
endfunction()

# All of the unit tests, and nothing that they do not need.
add_custom_target(rotq-unittests)

# rotq_add_unittest(Name sources... [LINK libs...]): one GoogleTest binary,
# registered with CTest.
function(rotq_add_unittest name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE rotq_options ${ARG_LINK} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  add_dependencies(rotq-unittests ${name})
endfunction()
