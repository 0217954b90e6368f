// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attune/plugin.h"

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

/// A tokenizer plugin is any class with `Impl(Value options)` and the members of Tokenizer; it need not derive from it. All
/// but `vocabulary` and `token` may throw Error; `render` throws ATTUNE_E_UNSUPPORTED where there is no template.
template <typename Impl>
int32_t create_tokenizer(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_tokenizer, Impl>(host, options, out, [](attune_tokenizer& table) {
    using Self = Instance<attune_tokenizer, Impl>;
    using Ids = std::span<const int64_t>;
    table.size = ATTUNE_END(attune_tokenizer, render);
    table.vocabulary = [](void* self, int64_t* size) -> int32_t {
      return guard(Self::of(self).host, [&] { *size = Self::of(self).impl.vocabulary(); });
    };
    table.token = [](void* self, attune_str name, int64_t* id) -> int32_t {
      return guard(Self::of(self).host, [&] { *id = Self::of(self).impl.token(view(name)); });
    };
    table.encode = [](void* self, attune_str text, uint32_t flags, const attune_encoding_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        const Encoding made = Self::of(self).impl.encode(view(text), (flags & ATTUNE_ENCODE_ADD_SPECIAL) != 0);
        const attune_encoding c{ATTUNE_END(attune_encoding, n_ids), 0, made.ids.data(), made.offsets.data(), made.ids.size()};
        deliver(sink->emit(sink->context, &c));
      });
    };
    table.decode = [](void* self, const int64_t* ids, size_t n, uint32_t flags, const attune_text_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        const std::string text = Self::of(self).impl.decode(Ids(ids, n), (flags & ATTUNE_DECODE_SKIP_SPECIAL) != 0);
        deliver(sink->emit(sink->context, str(text)));
      });
    };
    table.decode_next = [](void* self, const int64_t* ids, size_t n, uint32_t flags, const attune_text_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        const std::string text = Self::of(self).impl.decode_next(Ids(ids, n), (flags & ATTUNE_DECODE_SKIP_SPECIAL) != 0);
        deliver(sink->emit(sink->context, str(text)));
      });
    };
    table.render = [](void* self, const attune_turn* turns, size_t n, uint32_t flags, const attune_rendering_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        const Rendering made =
            Self::of(self).impl.render(std::span(turns, n), (flags & ATTUNE_RENDER_GENERATION_PROMPT) != 0);
        const attune_rendering c{ATTUNE_END(attune_rendering, n_spans), 0, str(made.text), made.spans.data(), made.spans.size()};
        deliver(sink->emit(sink->context, &c));
      });
    };
  });
}

}  // namespace attune

#define ATTUNE_TOKENIZER(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "tokenizer/1", name, \
                                          &attune::create_tokenizer<Class>}
