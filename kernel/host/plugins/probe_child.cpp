// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/probe_child.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clocale>
#include <cstring>
#include <exception>
#include <filesystem>
#include <map>
#include <new>

#include "kernel/host/plugins/bundled.h"
#include "kernel/host/plugins/entry_check.h"
#include "kernel/host/plugins/fp_mode.h"
#include "kernel/host/plugins/loader.h"

extern char** environ;

namespace attune::probing {
namespace {

constexpr int kRounds = 64;       // of create and destroy, for leaks
constexpr size_t kLent = 1 << 16;  // bytes of memory that is lent for a call; the next call gets others

Words* words = nullptr;
std::byte* lent = nullptr;

void copy(char* into, size_t size, const std::string& text) {
  std::strncpy(into, text.c_str(), size - 1);
}

[[noreturn]] void broken(const char* rule, const std::string& expected, const std::string& found) {
  copy(words->expected, sizeof words->expected, expected);
  copy(words->found, sizeof words->found, found);
  copy(words->rule, sizeof words->rule, rule);
  _exit(0);
}

void doing(const std::string& what) {
  std::memset(words->doing, 0, sizeof words->doing);
  copy(words->doing, sizeof words->doing, what);
}

/// A fault inside memory that was lent, or another one.
void on_fault(int number, siginfo_t* info, void*) {
  const auto* const at = static_cast<std::byte*>(info->si_addr);
  if (at >= lent && at < lent + 2 * kLent) {
    std::strcpy(words->expected, "no use of a pointer after the call that lent it");
    std::strcpy(words->found, "one");
    std::strcpy(words->rule, "P-12");
    _exit(0);
  }
  signal(number, SIG_DFL);
  raise(number);
}

void watch_faults() {
  static char stack[1 << 16];
  const stack_t other{stack, 0, sizeof stack};
  sigaltstack(&other, nullptr);
  struct sigaction action {};
  action.sa_sigaction = &on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int number : {SIGSEGV, SIGBUS}) sigaction(number, &action, nullptr);
}

/// What of a process belongs to all of it.
using State = std::map<std::string, std::string>;
State process_state() {
  State state;
  for (int number = 1; number < 32; ++number) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    state["the handler of signal " + std::to_string(number)] =
        std::to_string(reinterpret_cast<uintptr_t>(action.sa_sigaction));
  }
  state["the locale"] = setlocale(LC_ALL, nullptr);
  std::error_code ignored;
  state["the working folder"] = std::filesystem::current_path(ignored).string();
  const mode_t mask = umask(0);
  umask(mask);
  state["the file mode mask"] = std::to_string(mask);
  for (char** entry = environ; entry && *entry; ++entry) state["the environment"] += *entry + std::string("\n");
  return state;
}

void check_state(const State& before) {
  for (const auto& [what, value] : process_state()) {
    if (before.at(what) != value) broken("P-10", what + " to stay as it is", "another one");
  }
}

/// Runs plugin code; no exception may come out of it.
template <typename Body>
auto call(const std::string& what, Body body) {
  doing(what);
  std::string said = "no std::exception";
  try {
    return body();
  } catch (const std::exception& error) {
    said = error.what();
  } catch (...) {
  }
  broken("P-11", "no exception to leave the plugin", "\"" + said + "\"");
}

const void* no_service(const attune_host*, const char*) { return nullptr; }
int32_t failed(const attune_host*, int32_t code, attune_str) { return code; }

/// The tree of `value` inside the memory that is lent.
class Loan {
 public:
  explicit Loan(const Json& json) : memory_(lent + kLent * (turn_++ % 2)) {
    mprotect(memory_, kLent, PROT_READ | PROT_WRITE);
    value_ = copy(to_value(json, arena_));
  }
  /// The call is over.
  void end() { mprotect(memory_, kLent, PROT_NONE); }
  const attune_value* value() const { return value_; }
  template <typename T>
  T* place(const T& what) {
    return new (take(sizeof(T))) T(what);
  }

 private:
  std::byte* take(size_t size) {
    const size_t at = (used_ + 15) / 16 * 16;
    if (at + size > kLent) throw std::bad_alloc();
    used_ = at + size;
    return memory_ + at;
  }
  attune_str text(attune_str from) {
    auto* const to = reinterpret_cast<char*>(take(from.size + 1));
    if (from.size) std::memcpy(to, from.data, from.size);
    return {to, from.size};
  }
  attune_value* copy(const attune_value& from) {
    auto* const made = place(from);
    fill(*made);
    return made;
  }
  void fill(attune_value& value) {
    value.text = text(value.text);
    if (value.n_items == 0) return;
    auto* const items = reinterpret_cast<attune_value*>(take(value.n_items * sizeof(attune_value)));
    std::memcpy(items, value.items, value.n_items * sizeof(attune_value));
    for (size_t i = 0; i < value.n_items; ++i) fill(items[i]);
    value.items = items;
    if (!value.keys) return;
    auto* const keys = reinterpret_cast<attune_str*>(take(value.n_items * sizeof(attune_str)));
    for (size_t i = 0; i < value.n_items; ++i) keys[i] = text(value.keys[i]);
    value.keys = keys;
  }

  static inline unsigned turn_ = 0;
  std::byte* const memory_;
  Arena arena_;
  attune_value* value_ = nullptr;
  size_t used_ = 0;
};

/// Defaults of a factory's options; empty where some must be given.
std::optional<Json> defaults(const Provided& factory) {
  try {
    return validate_options(factory.options, Json::object());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void give_record(attune_dataset* table, const std::string& name) {
  if (!ATTUNE_HAS(table, attune_dataset, map)) return;
  const Json record = {{"text", "a"}, {"prompt", "b"}, {"question", "c"}, {"answer", "d"}};
  for (int i = 0; i < 2; ++i) {
    Loan loan(record);
    const auto* const sink = loan.place(attune_sample_sink{
        ATTUNE_END(attune_sample_sink, emit), 0, nullptr,
        [](void*, const attune_sample*) -> int32_t { return ATTUNE_OK; }});
    call("map of " + name, [&] { return table->map(table->self, loan.value(), sink); });
    loan.end();
  }
}

void destroy(void* made, const Provided& factory, const std::string& name) {
  // Every table of the pure tier has `self` and `destroy` in these places.
  auto* const table = static_cast<attune_dataset*>(made);
  if (table->size < ATTUNE_END(attune_dataset, destroy) || !table->destroy)
    broken("P-18", "a table with `destroy`", "none in what create of " + name + " made");
  if (factory.kind == "dataset/1") give_record(table, name);
  call("destroy of " + name, [&] { table->destroy(table->self); });
}

void try_factory(const attune_factory& made, const Provided& factory, const attune_host& host) {
  const auto options = defaults(factory);
  if (!options) return;
  const std::string name = factory.kind + " \"" + factory.name + "\"";
  size_t halfway = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (round == kRounds / 2) halfway = mallinfo2().uordblks;
    Loan loan(*options);
    void* table = nullptr;
    const int32_t code = call("create of " + name, [&] { return made.create(&host, loan.value(), &table); });
    loan.end();
    if (code != ATTUNE_OK) return;
    if (!table) broken("P-11", "an object where create reports success", "NULL");
    destroy(table, factory, name);
  }
  const size_t now = mallinfo2().uordblks;
  constexpr size_t kSlack = 16 * kRounds / 2;
  if (now > halfway + kSlack) {
    broken("P-18", "what create makes to be freed by destroy",
           std::to_string(now - halfway) + " bytes more after " + std::to_string(kRounds / 2) + " objects of " + name);
  }
}

size_t threads() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) (void)entry, ++count;
  return count;
}

void check_left_behind(size_t before) {
  doing("deinit");
  if (waitpid(-1, nullptr, WNOHANG) >= 0) broken("P-16", "no process to be left", "one");
  // A thread that was joined may take a moment to vanish.
  for (int i = 0; threads() > before && i < 100; ++i) usleep(1000);
  if (threads() > before) broken("P-16", "no thread to be left", std::to_string(threads() - before));
}

const attune_entry* open_plugin(const PluginInfo& plugin, const SealedFile& file) {
  doing("loading");
  open_bundled(file);
  void* const library = dlopen(file.loadable().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) broken("P-08", "every library and symbol that it needs to be there", dlerror());
  using Entry = const attune_entry* (*)();
  const auto ask = reinterpret_cast<Entry>(dlsym(library, "attune_plugin_v1"));
  if (!ask) broken("P-01", "one exported symbol, attune_plugin_v1", "none");
  const attune_entry* const entry = call("attune_plugin_v1", ask);
  if (++words->entered > 1) broken("P-11", "functions that return once", "a jump out of a later one");
  if (const std::string wrong = entry_difference(entry, plugin); !wrong.empty())
    broken("P-03", "the code to be what its note says", wrong);
  return entry;
}

void try_plugin(const PluginInfo& plugin, const SealedFile& file, const attune_host& host) {
  const State before = process_state();
  const size_t alone = threads();
  const uint64_t mode = fp_mode();
  const auto torch = torch_libraries();
  const auto check_all = [&] {
    if (fp_mode() != mode) broken("P-17", "the floating-point mode to stay as it is", "another one");
    check_state(before);
    if (plugin.tier == Tier::kPure && torch_libraries().size() > torch.size())
      broken("P-05", "a plugin of the pure tier to open no LibTorch", "it opened " + torch_libraries().back());
  };
  const attune_entry* const entry = open_plugin(plugin, file);
  check_all();
  if (entry->init && call("init", [&] { return entry->init(&host); }) != ATTUNE_OK) return;
  check_all();
  for (auto factory = entry->factories; *factory; ++factory) {
    for (const Provided& provided : plugin.provides) {
      const bool same = provided.kind == (*factory)->kind && provided.name == (*factory)->name;
      if (same && plugin.tier == Tier::kPure) try_factory(**factory, provided, host);
    }
  }
  check_all();
  if (entry->deinit) call("deinit", [&] { entry->deinit(); });
  check_all();
  check_left_behind(alone);
}

void move_in() {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) signal(number, SIG_DFL);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
  lent = static_cast<std::byte*>(mmap(nullptr, 2 * kLent, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  watch_faults();
}

}  // namespace

void run(const PluginInfo& plugin, const SealedFile& file, const ProbeLimits& limits, Words& shared) {
  words = &shared;
  try {
    move_in();
    if (plugin.tier == Tier::kTorch) load_engine(limits.engine);
    static const attune_host host{ATTUNE_END(attune_host, fail), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR,
                                  nullptr, &no_service, &failed};
    try_plugin(plugin, file, host);
    words->done = true;
  } catch (const std::exception& error) {
    broken("P-11", "functions that return", error.what());
  }
  _exit(0);
}

}  // namespace attune::probing
