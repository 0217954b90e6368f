// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel/host/engine_api.h"

namespace attune {

using SampleSources = std::vector<std::unique_ptr<SampleSource>>;

/// The words of held-out items, to find training samples that hold them. A text of an item is found
/// by any `n` words in a row (Brown et al., 2020, appendix C); one of fewer words whole, if it has
/// at least kFewest.
class HeldoutItems {
 public:
  static constexpr size_t kFewest = 5;

  explicit HeldoutItems(size_t n) : n_(n) {}
  void add(SampleSource& source);
  int64_t size() const { return int64_t(items_.size()); }
  /// The item that the sample holds words of; empty: none.
  std::string found_in(const attune_sample& sample) const;

 private:
  size_t n_;
  std::vector<std::string> items_;
  std::unordered_map<size_t, std::unordered_map<uint64_t, size_t>>
      ngrams_;  ///< length -> hash -> item
};

struct FilterOptions {
  bool drop_duplicates = false;
  std::string contaminated = "refuse";  ///< refuse | drop | report
};

/// Leaves out of `sources`, in place, samples whose content was there before in any of them and
/// samples that hold words of held-out items. Returns what was found: {"duplicates": n,
/// "contaminated": n, "examples": ["train.jsonl row 3 holds ..."]}. Throws ExitError(kData) where
/// contaminated samples are to be refused, and where nothing is left.
Json filter_samples(SampleSources& sources, const HeldoutItems& heldout,
                    const FilterOptions& options);

/// The same in two parts: what stays of each source, as runs [[first, how many], ...], which can be
/// kept and used again.
struct Filtered {
  Json found;  ///< as filter_samples returns it
  Json kept;   ///< one list of runs for each source
};
Filtered look_through(const SampleSources& sources, const HeldoutItems& heldout,
                      const FilterOptions& options);
void keep_only(SampleSources& sources, const Json& kept);

}  // namespace attune
