# LibTorch by own imported targets: Torch's own package file needs a whole CUDA tool-chain even for a CPU build.
#   sida_torch: ATen and c10 on the CPU.
# libtorch_cpu.so needs libcudart and libcupti; the wheels of the same names lie beside it, in the layout that its own
# run path expects (nvidia/cu13/lib).

if(DEFINED ENV{SIDA_CACHE})
  set(sida_cache "$ENV{SIDA_CACHE}")
else()
  set(sida_cache "$ENV{HOME}/.cache/sida")
endif()
set(sida_torch_root "${SIDA_LIBTORCH}")
if(NOT sida_torch_root)
  set(sida_torch_root "${sida_cache}/libtorch-2.11.0/torch")
endif()
if(NOT EXISTS "${sida_torch_root}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found in ${sida_torch_root}: run deploy/install-deps.sh, or set -DSIDA_LIBTORCH=DIR")
endif()

set(sida_torch_nvidia "")
get_filename_component(sida_torch_parent "${sida_torch_root}" DIRECTORY)
foreach(dir "${sida_torch_parent}/nvidia/cu13/lib" /usr/local/cuda/lib64)
  if(EXISTS "${dir}/libcudart.so.13")
    list(APPEND sida_torch_nvidia "${dir}")
  endif()
endforeach()
file(GLOB sida_torch_cupti "${sida_torch_parent}/nvidia/cu13/lib/libcupti.so.13" /usr/local/cuda/extras/CUPTI/lib64/libcupti.so.13)
foreach(file ${sida_torch_cupti})
  get_filename_component(dir "${file}" DIRECTORY)
  list(APPEND sida_torch_nvidia "${dir}")
endforeach()
list(REMOVE_DUPLICATES sida_torch_nvidia)

add_library(sida_torch INTERFACE)
# After the system's own: LibTorch ships headers of libraries (fmt) that Debian's spdlog needs in another version.
target_compile_options(sida_torch INTERFACE
  "SHELL:-idirafter ${sida_torch_root}/include" "SHELL:-idirafter ${sida_torch_root}/include/torch/csrc/api/include")
target_link_libraries(sida_torch INTERFACE "${sida_torch_root}/lib/libc10.so" "${sida_torch_root}/lib/libtorch_cpu.so")
target_link_options(sida_torch INTERFACE "-Wl,-rpath,${sida_torch_root}/lib")
foreach(dir ${sida_torch_nvidia})
  target_link_options(sida_torch INTERFACE "-Wl,-rpath-link,${dir}" "-Wl,-rpath,${dir}")
endforeach()

# What the programs need of it, for an installation that is complete in itself, as in a container image:
#   cmake --install build/release --component libtorch
set(sida_torch_files "${sida_torch_root}/lib/libc10.so" "${sida_torch_root}/lib/libtorch_cpu.so" ${sida_torch_cupti})
foreach(file "${sida_torch_root}/lib/libgomp.so.1" "${sida_torch_parent}/nvidia/cu13/lib/libcudart.so.13")
  if(EXISTS "${file}")
    list(APPEND sida_torch_files "${file}")
  endif()
endforeach()
install(PROGRAMS ${sida_torch_files} DESTINATION lib COMPONENT libtorch EXCLUDE_FROM_ALL)
