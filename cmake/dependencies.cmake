# Libraries that sida builds on. All but LibTorch are Debian packages (deploy/packages.txt).

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(tl-expected REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(zmq REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
if(SIDA_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

add_library(sida_msgpack INTERFACE)
target_compile_definitions(sida_msgpack INTERFACE MSGPACK_NO_BOOST)

include(libtorch)
