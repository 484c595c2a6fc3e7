#include "common/base/version.h"

namespace sida {

std::string_view version() {
  return SIDA_VERSION;
}
std::string_view commit() {
  return SIDA_COMMIT;
}
std::string_view compiler() {
  return SIDA_COMPILER;
}

}  // namespace sida
