# sida_library(NAME <name> SOURCES ... [DEPS ...])      a static library, one per folder
# sida_program(NAME <name> SOURCES ... [DEPS ...])      an installed executable
# sida_test(NAME <name> SOURCES ... [DEPS ...])         a GoogleTest executable known to ctest

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# An installed program finds LibTorch beside it (component libtorch), or else where the build found it.
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib")
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

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
if(SIDA_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-tsan)  # It warns of every fence that it does not follow; Asio's reference counts end on one.
endif()

if(SIDA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# The one place where the time limits of tests follow the sanitizer: how many times longer than a release's they are.
set(sida_time_scale 1)
set(sida_sanitizer_options "")  # At most one VARIABLE=VALUE.
if(SIDA_SANITIZE MATCHES "thread")
  set(sida_time_scale 10)
  # die_after_fork: a test of the transport forks a process that dies with its sockets.
  set(sida_sanitizer_options "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp:die_after_fork=0")
elseif(SIDA_SANITIZE)
  set(sida_time_scale 5)
endif()

# Limits the time of a test that add_test made (TIMEOUT_S: seconds of a release), and gives it the environment of all tests,
# in which SIDA_TEST_TIME_SCALE tells scripts how much longer to wait.
function(sida_test_limits test)
  cmake_parse_arguments(ARG "" "TIMEOUT_S" "ENVIRONMENT" ${ARGN})
  math(EXPR timeout "${ARG_TIMEOUT_S} * ${sida_time_scale}")
  set(environment ${ARG_ENVIRONMENT} ${sida_sanitizer_options} "SIDA_TEST_TIME_SCALE=${sida_time_scale}")
  set_tests_properties("${test}" PROPERTIES TIMEOUT ${timeout} ENVIRONMENT "${environment}")
endfunction()

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
  if(SIDA_SANITIZE)
    target_compile_options(${ARG_NAME} PRIVATE -O0)  # Of a test's own code only the compile time is felt.
  endif()
  set(environment "")
  if(sida_sanitizer_options)
    set(environment ENVIRONMENT "${sida_sanitizer_options}")
  endif()
  math(EXPR timeout "300 * ${sida_time_scale}")
  math(EXPR discovery "60 * ${sida_time_scale}")
  gtest_discover_tests(${ARG_NAME} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT ${discovery}
                       PROPERTIES TIMEOUT ${timeout} LABELS "${ARG_LABELS}" ${environment})
endfunction()
