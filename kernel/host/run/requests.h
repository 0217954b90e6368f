// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "attune/sample.h"
#include "kernel/host/services/run_services.h"

namespace attune {

/// An answer that outlives its sink.
struct OwnedAnswer {
  int32_t stop = 0;
  uint64_t id = 0;
  std::string text;
  std::vector<int64_t> ids;
  std::vector<double> logprobs;
  std::vector<double> values;
  size_t n_places = 0, n_outputs = 0;  ///< of the values

  explicit OwnedAnswer(const attune_answer& answer);
  /// Borrowed: valid while this is.
  attune_answer c() const;
};

/// "end", "stop_string" or "length".
std::string stop_name(int32_t stop);

/// Requests that outlive what they were copied from. Ids are their positions.
class RequestList {
 public:
  explicit RequestList(uint64_t seed) : seed_(seed) {}

  /// A copy, with the list's seed and the next id.
  void add(const attune_request& request);
  size_t size() const { return requests_.size(); }
  std::vector<const attune_request*> pointers() const;

 private:
  struct Owned {
    SampleBuilder turns;
    std::vector<std::string> stop_texts;
    std::vector<attune_str> stops;
  };

  uint64_t seed_;
  std::deque<Owned> owned_;
  std::deque<attune_request> requests_;
};

/// Puts all requests to the generator at once, so that it may batch them as it likes. Answers come
/// back in the order of the requests; one that is missing, double or unknown is an error. The
/// generator tells its own progress.
std::vector<OwnedAnswer> ask(attune_generator& generator, const RequestList& requests,
                             RunServices& host);

}  // namespace attune
