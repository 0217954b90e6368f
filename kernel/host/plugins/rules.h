// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/metadata.h"
#include "kernel/host/plugins/refusal.h"
#include "kernel/host/plugins/sealed_file.h"

/// What must hold of a plugin. Numbers are stable; what breaks P-10 to P-19 shows when it runs.
///   P-01  it exports attune_plugin_v1 and nothing else
///   P-02  it is a whole shared library for this machine with one well-formed note
///   P-03  (loading) the entry's id, ABI and factories equal the note
///   P-04  it needs no newer ABI than the host has
///   P-05  (pure tier) it needs no LibTorch, and opens none
///   P-06  (torch tier) its build fingerprint equals the host's
///   P-07  it replaces no allocation function
///   P-08  (loading) the libraries and symbols that it needs are there
///   P-09  no static thread-local storage, text relocation, executable stack or foreign run path
///   P-10  it registers no operators and leaves signals, locale, folder and environment alone
///   P-11  its functions end by returning: no exception, longjmp, exit or crash leaves them
///   P-12  it keeps no pointer that it borrowed
///   P-16  it leaves no thread and no process behind
///   P-17  (loading) it leaves the floating-point mode of the process alone
///   P-18  it frees what it makes
///   P-19  it answers in time
///   P-20  one file has its id and version
///   P-21  nobody but its owner and group can change it
///   P-22  what is loaded is what was checked
/// and of its origin, where the site asks (kernel/host/trust): T-01 to T-06.
namespace attune {

/// What a plugin must fit to.
struct HostFacts {
  int abi_major = 0, abi_minor = 0;
  std::string fingerprint;
};
HostFacts this_host();

/// P-04 and P-06: what the note alone tells.
std::vector<Refusal> check_metadata(const PluginInfo& plugin, const HostFacts& host);

/// P-01, P-05, P-07, P-09 and P-10: what the rest of the file tells.
std::vector<Refusal> check_elf(const PluginInfo& plugin, const ElfFacts& facts);

/// Every rule that can be checked without running the plugin, of the bytes that will be loaded.
std::vector<Refusal> check_sealed(const PluginInfo& plugin, const SealedFile& file,
                                  const HostFacts& host);
/// The same of the file as it is now.
std::vector<Refusal> check_file(const PluginInfo& plugin, const HostFacts& host);

/// P-21: a refusal where anybody on the machine may put files into the folder.
std::vector<Refusal> check_folder(const std::string& folder);

/// "torch: 2.11.0 here, 2.9.0 in the plugin"; one line per field that differs.
std::vector<std::string> fingerprint_differences(std::string_view host, std::string_view plugin);

/// Names of symbols and libraries that only the torch tier may need.
bool needs_torch_symbol(std::string_view symbol);
bool is_torch_library(std::string_view soname);

}  // namespace attune
