// What `sida status --watch` shows: a screen on a terminal, a line elsewhere. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace sida::cli {

// "ready  running 1  waiting 0  tokens/s 120.5  hit rate 98.2 %  agreement 87.1 %  finished 40  failed 0". Rates are of
// the time between two statuses; `earlier` may be null, and then they are "-". Missing fields show as "-".
std::string status_line(const nlohmann::json& status, const nlohmann::json& earlier,
                        std::chrono::duration<double> between);

struct ScreenSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

// `text` from the upper left corner, over what was there: longer lines are cut, and when there are more lines than rows
// the last one tells how many are missing. Contains the terminal's control sequences, and none that came with the text.
std::string screen_of(const std::string& text, ScreenSize size);

// Before the first screen and after the last one: another page of the terminal, so that nothing of it stays.
inline constexpr const char* kEnterScreen = "\033[?1049h\033[?25l";
inline constexpr const char* kLeaveScreen = "\033[?25h\033[?1049l";

}  // namespace sida::cli
