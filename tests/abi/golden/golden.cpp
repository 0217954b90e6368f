// SPDX-License-Identifier: Apache-2.0
// The data set of golden.c, by the strings, containers and exceptions of whichever C++ library it is linked to.
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "attune/abi.h"

namespace {

attune_str borrow(const std::string& text) { return {text.data(), text.size()}; }

std::string field(const attune_value& record, const std::string& name) {
  std::map<std::string, const attune_value*> fields;
  for (size_t i = 0; i < record.n_items; ++i) fields[std::string(record.keys[i].data, record.keys[i].size)] = &record.items[i];
  const auto found = fields.find(name);
  if (found == fields.end() || found->second->type != ATTUNE_STRING) throw std::invalid_argument("expected the field " + name);
  return std::string(found->second->text.data, found->second->text.size);
}

struct Golden {
  attune_dataset table;
  const attune_host* host;

  int32_t map(const attune_value& record, const attune_sample_sink& sink) const {
    const std::string question = field(record, "question"), user = "user", assistant = "assistant";
    const std::string png = "image/png", uri = "a.png", good = "good", answer = "answer", id = "one";
    const std::vector<attune_part> parts = {{ATTUNE_TEXT, 0, {}, {}, {question.data(), question.size()}},
                                            {ATTUNE_IMAGE, 0, borrow(png), borrow(uri), {}}};
    const std::vector<attune_turn> turns = {{borrow(user), parts.data(), 2, 1.0}, {borrow(assistant), parts.data(), 1, 0.5}};
    std::vector<attune_view> views(2, {turns.data(), turns.size(), NAN, borrow(good)});
    views[1].rating = 2;
    const attune_value label = {ATTUNE_INT, 0, 42, 42, {}, nullptr, nullptr, 0};
    const attune_str name = borrow(answer);
    const attune_value labels = {ATTUNE_MAP, 0, 0, 0, {}, &label, &name, 1};
    const attune_sample sample = {ATTUNE_END(attune_sample, labels), 0, borrow(id), views.data(), views.size(), 1, &labels};
    return sink.emit(sink.context, &sample);
  }
};

void destroy(void* self) { delete static_cast<Golden*>(self); }

int32_t map(void* self, const attune_value* record, const attune_sample_sink* sink) {
  const Golden& me = *static_cast<const Golden*>(self);
  try {
    return me.map(*record, *sink);
  } catch (const std::exception& error) {
    return me.host->fail(me.host, ATTUNE_E_INVALID, borrow(error.what()));
  }
}

int32_t create(const attune_host* host, const attune_value*, void** out) {
  const auto* log = static_cast<const attune_log*>(host->service(host, "attune.log/1"));
  if (ATTUNE_HAS(log, attune_log, write)) log->write(log, ATTUNE_LOG_INFO, borrow("created"));
  auto* made = new Golden{{ATTUNE_END(attune_dataset, map), 0, nullptr, &destroy, &map}, host};
  made->table.self = made;
  *out = &made->table;
  return ATTUNE_OK;
}

}  // namespace

extern "C" ATTUNE_EXPORT const attune_entry* attune_plugin_v1(void) {
  static const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, "dataset/1", PLUGIN_NAME, &create};
  static const attune_factory* const factories[] = {&factory, nullptr};
  static const attune_entry entry = {ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, PLUGIN_ID, "", nullptr, nullptr, factories};
  return &entry;
}
