// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/witness.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "attune/text.h"
#include "kernel/host/validate/child.h"

namespace attune::validate {
namespace {

/// What host->fail was told on this thread since a call began.
struct Told {
  int times = 0;
  int32_t code = 0;
  std::string why;
};
thread_local Told told;

}  // namespace

Witness::Witness(Kind kind) : kind_(kind) {
  room_.host = {.size = ATTUNE_END(attune_host, fail),
                .abi_major = ATTUNE_ABI_MAJOR,
                .abi_minor = ATTUNE_ABI_MINOR,
                .context = this,
                .service = &Witness::service,
                .fail = &Witness::fail};
  log_ = {.size = ATTUNE_END(attune_log, write), .reserved = 0, .context = this, .write = [](const attune_log*, int32_t, attune_str) {}};
  if (kind == Kind::kNewer) {
    room_.host.size = sizeof room_;
    room_.host.abi_minor += 1;
    std::memset(room_.more, 0xA5, sizeof room_.more);
  }
}

const void* Witness::service(const attune_host* host, const char* id) {
  auto& self = *static_cast<Witness*>(host->context);
  if (!id) {
    self.fault("service() was asked for NULL");
    return nullptr;
  }
  return self.kind_ != Kind::kNoServices && std::string_view(id) == "attune.log/1" ? &self.log_ : nullptr;
}

int32_t Witness::fail(const attune_host*, int32_t code, attune_str why) {
  ++told.times;
  told.code = code;
  told.why.assign(why.data ? why.data : "", why.data ? why.size : 0);
  return code;
}

void Witness::fault(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (faults_.size() < 5 && std::find(faults_.begin(), faults_.end(), what) == faults_.end()) faults_.push_back(what);
}

std::vector<std::string> Witness::faults() const {
  const std::scoped_lock lock(mutex_);
  return faults_;
}

Answer Witness::call(const std::string& function, const std::function<int32_t()>& body, const int32_t* refused) {
  told = {};
  doing(function);
  int32_t code = 0;
  try {
    code = body();
  } catch (const std::exception& error) {
    throw Failed(function + ": an exception left the plugin: " + error.what());
  } catch (...) {
    throw Failed(function + ": an exception that is no std::exception left the plugin");
  }
  const std::string number = std::to_string(code);
  if (refused && code == *refused && code != ATTUNE_OK) return {code, told.why};
  if (code == ATTUNE_OK && told.times > 0) fault(function + " told of a failure (\"" + told.why + "\") and returned 0");
  if (code != ATTUNE_OK) {
    if (code < ATTUNE_E_INVALID || code > ATTUNE_E_INTERNAL) fault(function + " returned " + number + ", which is no attune_code");
    if (told.times == 0)
      fault(function + " returned " + number + " without host->fail: nobody learns why");
    else if (told.code != code)
      fault(function + " told of code " + std::to_string(told.code) + " and returned " + number);
    else if (told.why.find_first_not_of(" \t\n") == std::string::npos)
      fault(function + " returned " + number + " with an empty message");
    else if (utf8(told.why) != told.why)
      fault(function + " returned " + number + " with a message that is not UTF-8");
  }
  return {code, told.why};
}

}  // namespace attune::validate
