// SPDX-License-Identifier: Apache-2.0
// An event file is a row of records
//   u64 length, u32 masked CRC-32C of the length, bytes, u32 masked CRC-32C of the bytes
// and each record an Event in protocol buffer encoding:
//   Event       1 wall_time (double), 2 step (int64), 3 file_version (string), 5 Summary, 7
//   SessionLog Summary     1 Value, repeated          Value  1 tag (string), 2 simple_value (float)
//   SessionLog  1 status (START = 1)
#include "event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "attune/error.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

/// CRC with Castagnoli's polynomial, reflected.
uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t rest = i;
      for (int bit = 0; bit < 8; ++bit) rest = rest & 1 ? rest >> 1 ^ 0x82F63B78u : rest >> 1;
      made[i] = rest;
    }
    return made;
  }();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~crc;
}

/// As TFRecord stores it, so that a CRC of data that holds CRCs stays good.
uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u; }

std::string fixed(uint64_t value, int bytes) {
  std::string made;
  for (int i = 0; i < bytes; ++i) made += static_cast<char>(value >> (8 * i));
  return made;
}

std::string varint(uint64_t value) {
  std::string made;
  for (; value >= 0x80; value >>= 7) made += static_cast<char>(value | 0x80);
  return made += static_cast<char>(value);
}

std::string field(int number, WireType type, const std::string& payload) {
  const std::string size = type == kBytes ? varint(payload.size()) : "";
  return varint(static_cast<uint64_t>(number) << 3 | type) + size + payload;
}

std::string event(double wall_time, int64_t step, int number, const std::string& what) {
  return field(1, kFixed64, fixed(std::bit_cast<uint64_t>(wall_time), 8)) +
         field(2, kVarint, varint(static_cast<uint64_t>(step))) + field(number, kBytes, what);
}

/// The seconds in the name of the latest event file; 0 where there is none.
int64_t latest(const fs::path& folder) {
  int64_t found = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    int64_t seconds = 0;
    if (!name.starts_with(kPrefix)) continue;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), seconds);
    found = std::max({found, seconds, int64_t{1}});
  }
  return found;
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return *name ? name : "localhost";
}

}  // namespace

EventFile::EventFile(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) {
    throw Error("tensorboard: cannot make the folder " + folder + ": " + failed.message(),
                ATTUNE_E_IO);
  }
  const int64_t before = latest(folder), now = std::time(nullptr);
  continues_ = before > 0;
  const std::string seconds = std::to_string(std::max(now, before + 1));
  path_ = (fs::path(folder) / (std::string(kPrefix) + seconds + "." + host_name() + "." +
                               std::to_string(::getpid()) + ".0"))
              .string();
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw Error("tensorboard: cannot create " + path_ + ": " + std::strerror(errno), ATTUNE_E_IO);
  }
  record(field(1, kFixed64, fixed(std::bit_cast<uint64_t>(static_cast<double>(now)), 8)) +
         field(3, kBytes, "brain.Event:2"));
}

EventFile::~EventFile() {
  if (file_ >= 0) ::close(file_);
}

void EventFile::scalars(double wall_time, int64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    const std::string value = fixed(std::bit_cast<uint32_t>(scalar.value), 4);
    summary +=
        field(1, kBytes, field(1, kBytes, std::string(scalar.name)) + field(2, kFixed32, value));
  }
  record(event(wall_time, step, 5, summary));
}

void EventFile::restart(double wall_time, int64_t step) {
  record(event(wall_time, step, 7, field(1, kVarint, varint(1))));
}

void EventFile::record(const std::string& event) {
  const std::string length = fixed(event.size(), 8);
  const std::string bytes =
      length + fixed(masked_crc(length), 4) + event + fixed(masked_crc(event), 4);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(file_, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      throw Error("tensorboard: cannot write " + path_ + ": " + std::strerror(errno), ATTUNE_E_IO);
    }
    done += static_cast<size_t>(wrote);
  }
}

}  // namespace attune
