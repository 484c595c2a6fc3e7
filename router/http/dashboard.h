// The page at / of the admin port.
#pragma once

#include <string>
#include <string_view>

namespace sida::router {

// The text of pages/dashboard.html, compiled in. Valid for ever.
std::string_view dashboard_page();

// A Content-Security-Policy under which exactly the page's own <style> and <script> run, by their SHA-256, and under
// which it may ask its own server only. Empty when the page has not exactly one of each.
std::string content_security_policy(std::string_view page);

}  // namespace sida::router
