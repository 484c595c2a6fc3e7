#include "cli/span_corruption.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace sida::cli {
namespace {

// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere, which std::uniform_int_distribution is not.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) : state_(seed * 0x9e3779b97f4a7c15U + stream) { next(); }
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  // In [0, bound); the bias is below 2^-40 for the bounds of a text.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

// `parts` positive numbers that add up to `total`, every such split equally likely: parts - 1 cuts out of total - 1.
std::vector<std::size_t> split(std::size_t total, std::size_t parts, Random& random) {
  std::vector<std::size_t> lengths;
  std::size_t cuts_left = parts - 1;
  std::size_t length = 1;
  for (std::size_t place = 1; place < total; ++place) {
    if (random.below(total - place) < cuts_left) {
      lengths.push_back(length);
      length = 0;
      --cuts_left;
    }
    ++length;
  }
  lengths.push_back(length);
  return lengths;
}

}  // namespace

Result<Sentinels> find_sentinels(const tokenizer::Tokenizer& tokenizer, std::int32_t end) {
  Sentinels sentinels{.ids = {}, .end = end};
  while (true) {
    const std::string name = "<extra_id_" + std::to_string(sentinels.ids.size()) + ">";
    const auto ids = tokenizer.encode(name, false);
    if (ids.size() != 1 || tokenizer.token(ids.front()) != name) break;
    sentinels.ids.push_back(ids.front());
  }
  if (sentinels.ids.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "the model's tokeniser has no <extra_id_0>: leave --span-corruption out and give targets");
  }
  return sentinels;
}

std::optional<CorruptedText> hide_spans(std::span<const std::int32_t> tokens, const Sentinels& sentinels,
                                        const SpanCorruption& options, std::uint64_t ordinal) {
  const std::size_t count = tokens.size();
  if (count < 2) return std::nullopt;
  const auto rounded = [](double value) { return static_cast<std::size_t>(std::llround(value)); };
  const std::size_t hidden =
      std::clamp<std::size_t>(rounded(static_cast<double>(count) * options.noise_density), 1, count - 1);
  const std::size_t most = std::min({hidden, count - hidden, sentinels.ids.size()});
  const std::size_t spans =
      std::clamp<std::size_t>(rounded(static_cast<double>(hidden) / options.mean_span_tokens), 1, most);

  Random random(options.seed, ordinal);
  const auto hidden_lengths = split(hidden, spans, random);
  const auto shown_lengths = split(count - hidden, spans, random);
  CorruptedText text;
  std::size_t at = 0;
  const auto copy = [&](std::vector<std::int32_t>& to, std::size_t length) {
    const auto part = tokens.subspan(at, length);
    to.insert(to.end(), part.begin(), part.end());
    at += length;
  };
  for (std::size_t index = 0; index < spans; ++index) {
    copy(text.source, shown_lengths[index]);
    text.source.push_back(sentinels.ids[index]);
    text.target.push_back(sentinels.ids[index]);
    copy(text.target, hidden_lengths[index]);
  }
  text.source.push_back(sentinels.end);
  text.target.push_back(sentinels.end);
  return text;
}

}  // namespace sida::cli
