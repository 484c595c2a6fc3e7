# sida_embed(TARGET <library> FILE <text file> FUNCTION <name> NAMESPACE <namespace> HEADER <header>)
#   compiles the file's text into the library: `std::string_view <name>()`, declared by the header.

set(SIDA_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/embed_text.cmake")

function(sida_embed)
  cmake_parse_arguments(ARG "" "TARGET;FILE;FUNCTION;HEADER;NAMESPACE" "" ${ARGN})
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FILE}")
  set(made "${CMAKE_CURRENT_BINARY_DIR}/${ARG_FUNCTION}.cc")
  add_custom_command(OUTPUT "${made}"
                     COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${source}" "-DMADE=${made}" "-DFUNCTION=${ARG_FUNCTION}"
                             "-DHEADER=${ARG_HEADER}" "-DNAMESPACE=${ARG_NAMESPACE}" -P "${SIDA_EMBED_SCRIPT}"
                     DEPENDS "${source}" "${SIDA_EMBED_SCRIPT}"
                     COMMENT "Embedding ${ARG_FILE}" VERBATIM)
  target_sources(${ARG_TARGET} PRIVATE "${made}")
endfunction()
