// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attune/abi.h"
#include "attune/value.h"

namespace attune {

/// Ids with the bytes of the text that each stands for.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<attune_token_offset> offsets;
};

/// A rendered conversation; spans say where each turn's content lies.
struct Rendering {
  std::string text;
  std::vector<attune_span> spans;
};

/// The run's tokenizer, as the host and models see it. Implemented by the host over a `tokenizer/1` table; every call
/// throws Error with the plugin named. [worker]
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids there are, added tokens included.
  virtual int64_t vocabulary() const = 0;
  /// The id of "bos", "eos", "pad", "unk" or of a token by its text; -1 if there is none.
  virtual int64_t token(std::string_view name) const = 0;
  virtual Encoding encode(std::string_view text, bool add_special) const = 0;
  virtual std::string decode(std::span<const int64_t> ids, bool skip_special) const = 0;
  /// The text that the last of `ids` adds; empty while a character is incomplete.
  virtual std::string decode_next(std::span<const int64_t> ids, bool skip_special) const = 0;
  virtual Rendering render(std::span<const attune_turn> turns, bool generation_prompt) const = 0;
};

}  // namespace attune
