// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/data_filter.h"

#include "kernel/host/exit.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/sample_text.h"

namespace attune {
namespace {

constexpr size_t kExamples = 5;

/// Some samples of a source.
class KeptSamples final : public SampleSource {
 public:
  KeptSamples(std::unique_ptr<SampleSource> all, std::vector<int64_t> kept)
      : all_(std::move(all)), kept_(std::move(kept)) {}

  int64_t size() const override { return int64_t(kept_.size()); }
  SampleBuilder at(int64_t index) override { return all_->at(kept_[size_t(index)]); }
  std::string digest() const override {
    Sha256 digest;
    digest.add_sized(all_->digest());
    return digest
        .add_sized({reinterpret_cast<const char*>(kept_.data()), kept_.size() * sizeof(int64_t)})
        .hex();
  }
  std::string describe(int64_t index) const override {
    return all_->describe(kept_[size_t(index)]);
  }

 private:
  std::unique_ptr<SampleSource> all_;
  std::vector<int64_t> kept_;
};

template <typename Use>
void each_text(const attune_sample& sample, Use use) {
  for (size_t v = 0; v < sample.n_views; ++v) {
    for (size_t t = v == 0 ? 0 : sample.n_prompt; t < sample.views[v].n_turns; ++t) {
      if (view(sample.views[v].turns[t].role) != "system") use(turn_text(sample.views[v].turns[t]));
    }
  }
}

}  // namespace

void HeldoutItems::add(SampleSource& source) {
  for (int64_t i = 0; i < source.size(); ++i) {
    const SampleBuilder kept = source.at(i);
    items_.push_back(source.describe(i));
    each_text(kept.c(), [&](const std::string& text) {
      const std::vector<uint64_t> words = words_of(text);
      const size_t n = std::min(n_, words.size());
      if (n < std::min(kFewest, n_)) return;
      for (const uint64_t hash : ngrams_of(words, n))
        ngrams_[n].try_emplace(hash, items_.size() - 1);
    });
  }
}

std::string HeldoutItems::found_in(const attune_sample& sample) const {
  std::string found;
  each_text(sample, [&](const std::string& text) {
    if (!found.empty()) return;
    const std::vector<uint64_t> words = words_of(text);
    for (const auto& [n, known] : ngrams_) {
      for (const uint64_t hash : ngrams_of(words, n)) {
        if (const auto at = known.find(hash); at != known.end()) {
          found = items_[at->second];
          return;
        }
      }
    }
  });
  return found;
}

Filtered look_through(const SampleSources& sources, const HeldoutItems& heldout,
                      const FilterOptions& options) {
  Json all_kept = Json::array();
  std::unordered_set<std::string> seen;
  int64_t duplicates = 0, contaminated = 0, left = 0;
  std::vector<std::string> examples;
  for (const std::unique_ptr<SampleSource>& source : sources) {
    Json& kept = all_kept.emplace_back(Json::array());
    for (int64_t i = 0; i < source->size(); ++i) {
      const SampleBuilder builder = source->at(i);
      const attune_sample sample = builder.c();
      if (options.drop_duplicates && !seen.insert(content_key(sample)).second) {
        ++duplicates;
        continue;
      }
      const std::string item = heldout.size() > 0 ? heldout.found_in(sample) : "";
      if (!item.empty()) {
        ++contaminated;
        if (examples.size() < kExamples)
          examples.push_back(source->describe(i) + " holds words of " + item);
        if (options.contaminated != "report") continue;
      }
      ++left;
      if (!kept.empty() && kept.back()[0].get<int64_t>() + kept.back()[1].get<int64_t>() == i)
        kept.back()[1] = kept.back()[1].get<int64_t>() + 1;
      else
        kept.push_back({i, 1});
    }
  }
  if (contaminated > 0 && options.contaminated == "refuse") {
    std::string why =
        std::to_string(contaminated) + " training samples hold words of held-out items";
    for (const std::string& example : examples) why += "\n  " + example;
    throw ExitError(Exit::kData, why +
                                     "\n  = help: contaminated = \"drop\" in [data] leaves them "
                                     "out, \"report\" keeps and counts them");
  }
  if (left == 0)
    throw ExitError(Exit::kData,
                    "no training sample is left without duplicates and contaminated samples");
  return {{{"duplicates", duplicates}, {"contaminated", contaminated}, {"examples", examples}},
          all_kept};
}

void keep_only(SampleSources& sources, const Json& kept) {
  for (size_t s = 0; s < sources.size(); ++s) {
    std::vector<int64_t> indices;
    for (const Json& run : kept.at(s)) {
      const int64_t first = run.at(0);
      for (int64_t i = first; i < first + run.at(1).get<int64_t>(); ++i) indices.push_back(i);
    }
    if (int64_t(indices.size()) < sources[s]->size())
      sources[s] = std::make_unique<KeptSamples>(std::move(sources[s]), std::move(indices));
  }
}

Json filter_samples(SampleSources& sources, const HeldoutItems& heldout,
                    const FilterOptions& options) {
  const Filtered filtered = look_through(sources, heldout, options);
  keep_only(sources, filtered.kept);
  return filtered.found;
}

}  // namespace attune
