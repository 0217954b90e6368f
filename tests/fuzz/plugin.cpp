// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <vector>

#include "fuzz/target.h"

namespace attune::fuzz {
namespace {

const void* service(const attune_host*, const char*) { return nullptr; }
/// A file of any content is refused with reasons of its own: an exception or panic that nobody expected is a find.
int32_t fail(const attune_host*, int32_t code, attune_str why) {
  if (code == ATTUNE_E_INTERNAL || code == ATTUNE_E_NOMEM) std::cerr << view(why) << std::endl, std::abort();
  return code;
}
const attune_host host{ATTUNE_END(attune_host, fail), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, nullptr, &service, &fail};

const attune_entry* entry_of([[maybe_unused]] const std::string& plugin) {
#ifdef ATTUNE_FUZZED_PLUGIN
  return attune_plugin_v1();
#else
  const std::string path = std::string(ATTUNE_PLUGIN_DIR) + "/" + plugin + ".attune.so";
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) std::cerr << dlerror() << std::endl, std::abort();
  return reinterpret_cast<const attune_entry* (*)()>(dlsym(library, "attune_plugin_v1"))();
#endif
}

/// Touches every byte, so that a sanitizer sees one that is not there.
void touch(std::string_view bytes) {
  static volatile unsigned sum = 0;
  for (const char byte : bytes) sum = sum + static_cast<unsigned char>(byte);
}
void touch(const attune_value& value) {
  touch(view(value.text));
  for (size_t i = 0; i < value.n_items; ++i) {
    if (value.keys) touch(view(value.keys[i]));
    touch(value.items[i]);
  }
}

int32_t take_record(void*, const attune_value* value) {
  if (value->type != ATTUNE_MAP) std::abort();
  touch(*value);
  return ATTUNE_OK;
}
int32_t take_name(void* names, const attune_tensor* tensor) {
  static_cast<std::vector<std::string>*>(names)->push_back(string(tensor->name));
  return ATTUNE_OK;
}
int32_t take_tensor(void*, const attune_tensor* tensor) {
  touch({static_cast<const char*>(tensor->data.data), tensor->data.size});
  return ATTUNE_OK;
}
int32_t take_text(void*, attune_str text) {
  touch(view(text));
  return ATTUNE_OK;
}

}  // namespace

void* make(const std::string& plugin, const std::string& kind, const Json& options) {
  static std::map<std::string, const attune_entry*> entries;
  const attune_entry*& entry = entries[plugin];
  if (!entry) entry = entry_of(plugin);
  Arena arena;
  const attune_value value = to_value(options, arena);
  for (auto factory = entry->factories; *factory; ++factory) {
    void* made = nullptr;
    if ((*factory)->kind == kind) return (*factory)->create(&host, &value, &made) == ATTUNE_OK ? made : nullptr;
  }
  std::abort();
}

void read_all(const std::string& plugin, const std::string& suffix, const Json& options, std::string_view bytes) {
  Json all = {{"path", file_of(bytes, "file" + suffix)}, {"max_bytes", 1 << 20}};
  all.update(options);
  auto* const reader = static_cast<attune_reader*>(make(plugin, "reader/1", all));
  if (!reader) return;
  int64_t count = 0;
  const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, nullptr, &take_record};
  if (reader->count(reader->self, &count) == ATTUNE_OK) {
    if (count < 0) std::abort();
    for (int64_t i = 0; i < std::min<int64_t>(count, 64); ++i) reader->read(reader->self, i, 1, &sink);
    reader->read(reader->self, 0, count, &sink);
    reader->read(reader->self, count, 1, &sink);
  }
  reader->destroy(reader->self);
}

void read_tensors(const std::string& plugin, const std::string& suffix, std::string_view bytes) {
  auto* const weights = static_cast<attune_weights*>(make(plugin, "weights/1", {{"path", file_of(bytes, "file" + suffix)}}));
  if (!weights) return;
  std::vector<std::string> names;
  const attune_tensor_sink list{ATTUNE_END(attune_tensor_sink, emit), 0, &names, &take_name};
  const attune_tensor_sink read{ATTUNE_END(attune_tensor_sink, emit), 0, nullptr, &take_tensor};
  const attune_text_sink text{ATTUNE_END(attune_text_sink, emit), 0, nullptr, &take_text};
  if (weights->list(weights->self, &list) == ATTUNE_OK) {
    for (const std::string& name : names) weights->read(weights->self, str(name), &read);
  }
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "other"})
    weights->document(weights->self, str(name), &text);
  weights->destroy(weights->self);
}

}  // namespace attune::fuzz
