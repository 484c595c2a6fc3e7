# Objects compiled for one instruction set must hold no weak symbol: the linker could pick its copy of an inline function
# for the whole program, which then dies on a processor without those instructions.
#   cmake -DNM=nm "-DOBJECTS=a.o,b.o" -P isa_objects.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
list(LENGTH objects count)
if(count LESS 3)
  message(FATAL_ERROR "expected the objects of three instruction sets, got: ${OBJECTS}")
endif()
foreach(object IN LISTS objects)
  execute_process(COMMAND "${NM}" --demangle --defined-only "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-f]* [WVu] [^\n]*" weak "${symbols}")
  # A pointer to the unwinder, in builds with sanitizers: data, the same in every object.
  list(FILTER weak EXCLUDE REGEX "DW\\.ref\\.__gxx_personality_v0")
  if(weak)
    message(FATAL_ERROR "${object} defines weak symbols: ${weak}")
  endif()
  if(NOT symbols MATCHES "Kernels")
    message(FATAL_ERROR "${object} defines no kernel table")
  endif()
endforeach()
