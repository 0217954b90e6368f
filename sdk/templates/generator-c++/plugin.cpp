// SPDX-License-Identifier: Apache-2.0
// An answer repeats the prompt's last turn.
#include "attune/generator.h"
#include "attune/sample.h"

namespace {

using namespace attune;

class @Name@ {
 public:
  explicit @Name@(Value options) : prefix_(options["prefix"].text()) {}

  Reply answer(const attune_request& request) const {
    if (request.kind != ATTUNE_REQUEST_GENERATE) {
      throw Error("expected a request to generate; this back end gives no likelihoods and no values", ATTUNE_E_UNSUPPORTED);
    }
    if (request.n_turns == 0) throw Error("expected a prompt, found no turn");
    Reply reply;
    reply.text = prefix_ + text_of(request.turns[request.n_turns - 1], "@name@");
    for (size_t s = 0; s < request.n_stops; ++s) {
      if (const size_t at = reply.text.find(view(request.stops[s])); at != std::string::npos) {
        reply.text.resize(at);
        reply.stop = ATTUNE_STOP_STRING;
      }
    }
    return reply;
  }

 private:
  std::string prefix_;
};

ATTUNE_GENERATOR(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
