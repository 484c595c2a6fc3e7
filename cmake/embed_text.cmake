# Writes a C++ file with the text of another file as a constant: cmake -DSOURCE=… -DMADE=… -DFUNCTION=… -P embed_text.cmake
file(READ "${SOURCE}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," characters "${hex}")
string(REGEX REPLACE "(('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',))" "\\1\n"
       characters "${characters}")
file(WRITE "${MADE}" "#include \"${HEADER}\"

namespace ${NAMESPACE} {
namespace {

constexpr char kText[] = {${characters}'\\0'};

}  // namespace

std::string_view ${FUNCTION}() {
  return {kText, ${bytes}};
}

}  // namespace ${NAMESPACE}
")
