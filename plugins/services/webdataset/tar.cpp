// SPDX-License-Identifier: Apache-2.0
// Headers of 512 bytes, each followed by its file's bytes in blocks of 512 (POSIX.1-2017, pax,
// "ustar Interchange Format"). Names beyond 100 bytes stand in a pax record or in a member of type
// L.
#include "tar.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "attune/error.h"

namespace attune {
namespace {

constexpr size_t kBlock = 512;

class Tar {
 public:
  Tar(std::string_view archive, const std::function<void(TarMember)>& use)
      : archive_(archive), use_(use) {}

  void walk() {
    while (at_ < archive_.size()) {
      header_ = take(kBlock, "a header");
      if (header_.find_first_not_of('\0') == header_.npos) return;
      check_sum();
      member();
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error("at byte " + std::to_string(at_) + ": " + why);
  }

  std::string_view take(size_t size, const std::string& what) {
    if (size > archive_.size() - at_) {
      refuse("the archive ends within " + what + " of " + std::to_string(size) +
             " bytes; is the download complete?");
    }
    const std::string_view taken = archive_.substr(at_, size);
    at_ += size;
    return taken;
  }

  std::string_view field(size_t offset, size_t size) const {
    const std::string_view field = header_.substr(offset, size);
    return field.substr(0, field.find('\0'));
  }

  /// Octal digits, or, where the first bit is set, a big-endian number (GNU).
  uint64_t number(size_t offset, size_t size) const {
    std::string_view digits = header_.substr(offset, size);
    if (static_cast<unsigned char>(digits[0]) & 0x80) {
      uint64_t value = static_cast<unsigned char>(digits[0]) & 0x7F;
      for (const unsigned char byte : digits.substr(1)) {
        if (value >> 55) refuse("a number in the header is too large");
        value = value << 8 | byte;
      }
      return value;
    }
    digits.remove_prefix(std::min(digits.find_first_not_of(' '), size));
    digits = digits.substr(0, digits.find_first_of(std::string_view(" \0", 2)));
    uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
    if (!digits.empty() && (error != std::errc() || end != digits.data() + digits.size()))
      refuse("expected octal digits in the header, found \"" + std::string(digits) + "\"");
    return value;
  }

  void check_sum() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < kBlock; ++i)
      sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header_[i]);
    if (sum != number(148, 8)) {
      throw Error("at byte " + std::to_string(at_ - kBlock) +
                  ": no tar header: its checksum does not match");
    }
  }

  void member() {
    const char type = header_[156];
    const bool described = type == 'x' || type == 'L' || type == 'K' || type == 'g';
    const uint64_t size = !described && size_ ? *size_ : number(124, 12);
    const std::string name = described || !name_ ? own_name() : *name_;
    const std::string_view data = take(size, "`" + name + "`");
    // The last block may be cut off behind the file's own bytes: nothing is lost.
    at_ = std::min(at_ + (kBlock - size % kBlock) % kBlock, archive_.size());
    if (type == 'x') return pax(data);
    if (type == 'L') {
      name_ = std::string(data.substr(0, data.find('\0')));
      return;
    }
    if (type == 'K' || type == 'g') return;
    name_.reset();
    size_.reset();
    if (type == '5') return;
    if (type == '0' || type == '\0' || type == '7') return use_({name, data});
    if (type == '1' || type == '2') {
      refuse("`" + name + "` is a link; make the archive with the files themselves (tar -h)");
    }
    refuse("`" + name + "` is a member of type '" + std::string(1, type) + "', which is not read");
  }

  std::string own_name() const {
    const bool ustar = header_.substr(257, 6) == std::string_view("ustar\0", 6);
    const std::string prefix(ustar ? field(345, 155) : "");
    return (prefix.empty() ? "" : prefix + "/") + std::string(field(0, 100));
  }

  /// Records "LENGTH key=value\n", where the length counts the whole record.
  void pax(std::string_view records) {
    while (!records.empty()) {
      size_t length = 0;
      const auto [end, error] =
          std::from_chars(records.data(), records.data() + records.size(), length);
      const size_t digits = end - records.data();
      if (error != std::errc() || length <= digits + 1 || length > records.size())
        refuse("damaged pax record");
      std::string_view record = records.substr(digits + 1, length - digits - 2);
      records.remove_prefix(length);
      const size_t equals = record.find('=');
      if (equals == record.npos) refuse("damaged pax record");
      const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key == "path") name_ = std::string(value);
      if (key.starts_with("GNU.sparse")) refuse("a sparse file, which is not read");
      if (key != "size") continue;
      uint64_t size = 0;
      const auto [last, bad] = std::from_chars(value.data(), value.data() + value.size(), size);
      if (bad != std::errc() || last != value.data() + value.size()) refuse("damaged pax record");
      size_ = size;
    }
  }

  std::string_view archive_, header_;
  const std::function<void(TarMember)>& use_;
  size_t at_ = 0;
  std::optional<std::string> name_;  ///< of the next member, from a record before it
  std::optional<uint64_t> size_;
};

}  // namespace

void each_member(std::string_view archive, const std::function<void(TarMember)>& use) {
  Tar(archive, use).walk();
}

}  // namespace attune
