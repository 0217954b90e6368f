// SPDX-License-Identifier: Apache-2.0
// plugins keygen, sign and verify: signatures in minisign's format.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/plugins/sealed_file.h"
#include "kernel/host/services/files.h"
#include "kernel/host/trust/gate.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

std::string_view content(const SealedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

OptionSpec password_option() {
  return {"password-file", "FILE", "The secret key's password is the first line of this file"};
}

std::string password_from(const Arguments& arguments) {
  const auto file = arguments.text("password-file");
  if (!file) return "";
  const std::string text = read_text(*file);
  const std::string line = text.substr(0, text.find_first_of("\r\n"));
  if (line.empty()) throw ExitError(Exit::kUsage, *file + ": expected a password, found none");
  return line;
}

/// A new file that only its owner may read.
void write_secret(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    throw ExitError(Exit::kUsage, path + ": cannot be made: " + std::strerror(errno) +
                                      "; a secret key is never overwritten");
  }
  const ssize_t wrote = ::write(file, text.data(), text.size());
  ::close(file);
  if (wrote != static_cast<ssize_t>(text.size()))
    throw ExitError(Exit::kRunFailed, path + ": cannot be written: " + std::strerror(errno));
}

int keygen(const Arguments& arguments, Context& context) {
  const std::string name = *arguments.text("NAME");
  const SecretKey key = new_secret_key();
  write_secret(name + ".key", secret_key_text(key, password_from(arguments)));
  const std::string pub = public_key_text(key.public_key());
  write_atomically(name + ".pub", pub);
  const size_t second = pub.find('\n') + 1;
  context.console.out << name << ".key: keep it secret\n"
                      << name << ".pub: for whoever trusts it; in a site's configuration:\n\n"
                      << "[[trust.key]]\nname = \"" << fs::path(name).filename().string()
                      << "\"\nkey = \"" << pub.substr(second, pub.size() - second - 1) << "\"\n";
  return 0;
}

SecretKey secret_key(const Arguments& arguments) {
  const auto file = arguments.text("key");
  if (!file) throw ExitError(Exit::kUsage, "expected --key SECRET, the file that keygen made");
  try {
    return parse_secret_key(read_text(*file), [&] {
      const std::string password = password_from(arguments);
      if (password.empty()) throw Error("it is encrypted; give --password-file FILE");
      return password;
    });
  } catch (const ExitError&) {
    throw;
  } catch (const Error& error) {
    throw ExitError(Exit::kTrust, *file + ": " + error.what());
  }
}

int sign_files(const Arguments& arguments, Context& context) {
  const SecretKey key = secret_key(arguments);
  for (const std::string& path : arguments.all("FILE")) {
    const SealedFile file(path);
    const std::string comment =
        arguments.text("comment", "timestamp:" + std::to_string(std::time(nullptr)) + "\tfile:" +
                                      fs::path(path).filename().string() + "\thashed");
    write_atomically(path + ".minisig", sign(key, content(file), comment));
    context.console.out << path << ".minisig: signed with key " << text_of(key.id) << "\n";
  }
  return 0;
}

/// The keys of --pub, else those of the site.
Policy trusted(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  Policy policy = installation->policy();
  const auto files = arguments.all("pub");
  if (!files.empty()) policy.keys.clear();
  for (const std::string& file : files) {
    try {
      policy.keys.push_back({fs::path(file).stem().string(), parse_public_key(read_text(file))});
    } catch (const ExitError&) {
      throw;
    } catch (const Error& error) {
      throw ExitError(Exit::kTrust, file + ": " + error.what());
    }
  }
  return policy;
}

int verify_files(const Arguments& arguments, Context& context) {
  const Policy policy = trusted(arguments, context);
  std::vector<Refusal> refusals;
  for (const std::string& path : arguments.all("FILE")) {
    try {
      const SealedFile file(path);
      const Signer by = signer_of(path, content(file), policy);
      context.console.out << path << ": signed by " << by.name << " (" << by.id
                          << "): " << by.trusted_comment << "\n";
    } catch (const Refused& refused) {
      refusals.insert(refusals.end(), refused.refusals().begin(), refused.refusals().end());
    }
  }
  if (!refusals.empty()) throw Refused(std::move(refusals));
  return 0;
}

}  // namespace

Command plugins_keygen_command() {
  return {{"plugins keygen",
           "Make a key pair for signing, in minisign's format: NAME.key and NAME.pub",
           "attune plugins keygen site-2026",
           {{"NAME", "Path of the files, without suffix"}},
           {password_option()}},
          &keygen};
}

Command plugins_sign_command() {
  return {{"plugins sign",
           "Sign files as minisign does: FILE.minisig beside each",
           "attune plugins sign --key site-2026.key my_data.attune.so",
           {{"FILE...", "Plugins, the engine, libraries beside a plugin"}},
           {{"key", "SECRET", "The secret key"},
            password_option(),
            {"comment", "TEXT", "The trusted comment; default: time and name of the file"}}},
          &sign_files};
}

Command plugins_verify_command() {
  return {{"plugins verify",
           "Say who signed files; exit code 5 unless a trusted key did",
           "attune plugins verify --pub site-2026.pub my_data.attune.so",
           {{"FILE...", "Signed files"}},
           {{"pub", "FILE", "A public key to trust; default: the keys of the site", true}}},
          &verify_files};
}

}  // namespace attune
