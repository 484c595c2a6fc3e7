# sida_library(NAME <name> SOURCES ... [DEPS ...])      a static library, one per folder
# sida_program(NAME <name> SOURCES ... [DEPS ...])      an installed executable
# sida_test(NAME <name> SOURCES ... [DEPS ...])         a GoogleTest executable known to ctest

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)  # An installed program finds LibTorch where the build found it.

find_program(SIDA_CCACHE ccache)
if(SIDA_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${SIDA_CCACHE}")
endif()
find_program(SIDA_MOLD mold)
if(SIDA_MOLD AND NOT SIDA_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()

# -ffp-contract=off: an addition that one build fuses and another does not would change bits.
add_compile_options(-ffp-contract=off)
if(SIDA_SANITIZE)
  add_compile_options(-fsanitize=${SIDA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SIDA_SANITIZE})
endif()

if(SIDA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

function(sida_own_code target)
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                         -Wno-missing-field-initializers)  # Designated initialisers leave the rest at its default.
  # GCC 12 sees an overlap in `"x" + std::string` that is not there (GCC bug 105651), and uninitialised members in a
  # std::variant that is moved (GCC bug 105562). clang-tidy and the sanitizers look for real ones.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  if(SIDA_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

function(sida_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS" ${ARGN})
  add_library(${ARG_NAME} STATIC ${ARG_SOURCES})
  sida_own_code(${ARG_NAME})
  target_link_libraries(${ARG_NAME} PUBLIC ${ARG_DEPS})
endfunction()

function(sida_program)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  sida_own_code(${ARG_NAME})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS})
  install(TARGETS ${ARG_NAME} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()

function(sida_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  sida_own_code(${ARG_NAME})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_definitions(${ARG_NAME} PRIVATE SIDA_SOURCE_DIR="${PROJECT_SOURCE_DIR}" SIDA_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  set(environment "")
  if(SIDA_SANITIZE STREQUAL "thread")
    set(environment ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
  endif()
  gtest_discover_tests(${ARG_NAME} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 300 LABELS "${ARG_LABELS}" ${environment})
endfunction()
