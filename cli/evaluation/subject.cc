#include "cli/evaluation/subject.h"

#include <algorithm>
#include <numeric>

#include "common/runtime/clock.h"

namespace sida::cli {
namespace {

constexpr std::uint8_t kRanks = 3;

predictor::Predictions no_predictions(std::size_t layers, std::size_t tokens, std::uint8_t k) {
  predictor::Predictions none;
  none.layers = static_cast<std::uint32_t>(layers);
  none.tokens = static_cast<std::uint32_t>(tokens);
  none.k = k;
  none.experts.assign(layers * tokens * k, -1);
  none.confidences.assign(layers * tokens * k, 0);
  return none;
}

// `of_token`: one token over all layers.
void set_token(predictor::Predictions& all, std::size_t token, const predictor::Predictions& of_token) {
  if (of_token.layers == 0) return;  // Says nothing of the decoder.
  for (std::size_t layer = 0; layer < all.layers; ++layer) {
    for (std::size_t rank = 0; rank < all.k; ++rank) {
      const std::size_t to = (layer * all.tokens + token) * all.k + rank;
      all.experts[to] = of_token.experts[layer * of_token.k + rank];
      all.confidences[to] = of_token.confidences[layer * of_token.k + rank];
    }
  }
}

class HashSubject : public Subject {
 public:
  HashSubject(predictor::HashFunction& function, const trace::TraceHeader& header)
      : function_(function), header_(header), k_(std::min(kRanks, function.info().k_max)) {}

  std::vector<Named> name_experts(std::span<const trace::TracedSequence> sequences) override {
    std::vector<predictor::Source> sources;
    for (const auto& sequence : sequences) {
      sources.push_back({sequence.source, k_});
      cost_.source_tokens += sequence.source.size();
      cost_.target_tokens += sequence.target.size();
    }
    const TimePoint begun = steady_now();
    auto beginnings = function_.begin(sources);
    const TimePoint encoded = steady_now();
    std::vector<Named> named;
    std::vector<predictor::SequenceState*> states;
    for (std::size_t index = 0; index < sequences.size(); ++index) {
      named.push_back(
          {std::move(beginnings[index].predictions),
           no_predictions(static_cast<std::size_t>(header_.decoder_layers), sequences[index].target.size(), k_)});
      states.push_back(beginnings[index].state.get());
    }
    decode(sequences, states, named);
    cost_.source_seconds += std::chrono::duration<double>(encoded - begun).count();
    cost_.target_seconds += std::chrono::duration<double>(steady_now() - encoded).count();
    return named;
  }

  [[nodiscard]] Cost cost() const override { return cost_; }

 private:
  // Step by step, all sequences that have the step together.
  void decode(std::span<const trace::TracedSequence> sequences, const std::vector<predictor::SequenceState*>& states,
              std::vector<Named>& named) {
    std::vector<std::vector<std::int32_t>> inputs;
    std::size_t longest = 0;
    for (const auto& sequence : sequences) {
      inputs.push_back(trace::decoder_input(header_, sequence));
      longest = std::max(longest, inputs.back().size());
    }
    if (header_.decoder_layers == 0) return;
    for (std::size_t step = 0; step < longest; ++step) {
      std::vector<predictor::DecoderInput> now;
      std::vector<std::size_t> whose;
      for (std::size_t index = 0; index < inputs.size(); ++index) {
        if (step >= inputs[index].size()) continue;
        now.push_back({states[index], inputs[index][step], k_});
        whose.push_back(index);
      }
      const auto predicted = function_.advance(now);
      for (std::size_t index = 0; index < whose.size(); ++index) {
        set_token(named[whose[index]].decoder, step, predicted[index]);
      }
    }
  }

  predictor::HashFunction& function_;
  trace::TraceHeader header_;
  std::uint8_t k_;
  Cost cost_;
};

class CommonestSubject : public Subject {
 public:
  CommonestSubject(const std::vector<std::vector<std::uint64_t>>& tokens_by_expert, const trace::TraceHeader& header)
      : encoder_layers_(static_cast<std::size_t>(header.encoder_layers)) {
    for (const auto& counts : tokens_by_expert) {
      std::vector<std::int16_t> order(counts.size());
      std::iota(order.begin(), order.end(), std::int16_t{0});
      std::stable_sort(order.begin(), order.end(), [&](std::int16_t a, std::int16_t b) {
        return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
      });
      order.resize(kRanks, -1);
      commonest_.push_back(std::move(order));
    }
  }

  std::vector<Named> name_experts(std::span<const trace::TracedSequence> sequences) override {
    std::vector<Named> named;
    for (const auto& sequence : sequences) {
      named.push_back({of_stack(0, encoder_layers_, sequence.source.size()),
                       of_stack(encoder_layers_, commonest_.size() - encoder_layers_, sequence.target.size())});
    }
    return named;
  }

 private:
  [[nodiscard]] predictor::Predictions of_stack(std::size_t first, std::size_t layers, std::size_t tokens) const {
    auto all = no_predictions(layers, tokens, kRanks);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      for (std::size_t token = 0; token < tokens; ++token) {
        std::copy_n(commonest_[first + layer].begin(), kRanks,
                    all.experts.begin() + static_cast<std::ptrdiff_t>((layer * tokens + token) * kRanks));
      }
    }
    return all;
  }

  std::size_t encoder_layers_;
  std::vector<std::vector<std::int16_t>> commonest_;  // [layer][3]
};

class OracleSubject : public Subject {
 public:
  explicit OracleSubject(const trace::TraceHeader& header) : top_(static_cast<std::size_t>(header.top())) {}

  std::vector<Named> name_experts(std::span<const trace::TracedSequence> sequences) override {
    std::vector<Named> named;
    for (const auto& sequence : sequences) {
      named.push_back(
          {of_stack(sequence.encoder, sequence.source.size()), of_stack(sequence.decoder, sequence.target.size())});
    }
    return named;
  }

 private:
  [[nodiscard]] predictor::Predictions of_stack(const std::vector<trace::TracedLayer>& layers,
                                                std::size_t tokens) const {
    auto all = no_predictions(layers.size(), tokens, kRanks);
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      for (std::size_t token = 0; token < tokens; ++token) {
        std::int16_t* named = all.experts.data() + (layer * tokens + token) * kRanks;
        named[0] = layers[layer].gate[token];
        std::size_t rank = 1;
        for (std::size_t next = 0; next < top_ && rank < kRanks; ++next) {
          const std::int16_t expert = layers[layer].top_experts[token * top_ + next];
          if (expert != named[0]) named[rank++] = expert;
        }
      }
    }
    return all;
  }

  std::size_t top_;
};

}  // namespace

std::unique_ptr<Subject> make_hash_subject(predictor::HashFunction& function, const trace::TraceHeader& header) {
  return std::make_unique<HashSubject>(function, header);
}

std::unique_ptr<Subject> make_commonest_subject(const std::vector<std::vector<std::uint64_t>>& tokens_by_expert,
                                                const trace::TraceHeader& header) {
  return std::make_unique<CommonestSubject>(tokens_by_expert, header);
}

std::unique_ptr<Subject> make_oracle_subject(const trace::TraceHeader& header) {
  return std::make_unique<OracleSubject>(header);
}

}  // namespace sida::cli
