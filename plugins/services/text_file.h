// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mapped_file.h"

namespace attune {

/// What a decompressor did with some input.
struct Decoded {
  size_t read = 0, written = 0;
  bool ended = false;  ///< a member is complete; another may follow
  std::string error;   ///< not empty: the data is damaged
};

/// One compressed format. `step` takes from `in`, writes to `out`; after the end of a member it starts the next.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual Decoded step(std::string_view in, char* out, size_t room) = 0;
};

class Gzip final : public Decoder {
 public:
  Gzip() {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Decoded step(std::string_view in, char* out, size_t room) override {
    if (ended_) inflateReset(&stream_);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(room);
    const int state = inflate(&stream_, Z_NO_FLUSH);
    ended_ = state == Z_STREAM_END;
    const bool bad = !ended_ && state != Z_OK && state != Z_BUF_ERROR;
    return {in.size() - stream_.avail_in, room - stream_.avail_out, ended_, bad ? (stream_.msg ? stream_.msg : "no reason given") : ""};
  }

 private:
  z_stream stream_{};
  bool ended_ = false;
};

class Bzip2 final : public Decoder {
 public:
  Bzip2() { start(); }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }
  Decoded step(std::string_view in, char* out, size_t room) override {
    if (ended_) BZ2_bzDecompressEnd(&stream_), start();
    stream_.next_in = const_cast<char*>(in.data());
    stream_.avail_in = static_cast<unsigned>(in.size());
    stream_.next_out = out;
    stream_.avail_out = static_cast<unsigned>(room);
    const int state = BZ2_bzDecompress(&stream_);
    ended_ = state == BZ_STREAM_END;
    const bool bad = !ended_ && state != BZ_OK;
    return {in.size() - stream_.avail_in, room - stream_.avail_out, ended_, bad ? "code " + std::to_string(state) : ""};
  }

 private:
  void start() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  bz_stream stream_{};
  bool ended_ = false;
};

class Zstandard final : public Decoder {
 public:
  Decoded step(std::string_view in, char* out, size_t room) override {
    ZSTD_inBuffer source{in.data(), in.size(), 0};
    ZSTD_outBuffer target{out, room, 0};
    const size_t state = ZSTD_decompressStream(stream_.get(), &target, &source);
    const bool bad = ZSTD_isError(state);
    return {source.pos, target.pos, !bad && state == 0, bad ? ZSTD_getErrorName(state) : ""};
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
};

/// The text of a file: mapped, or decompressed into memory where its first bytes are those of gzip, bzip2 or Zstandard. A
/// byte order mark is not part of it.
class TextFile {
 public:
  TextFile(const std::string& path, int64_t max_bytes) : file_(path) {
    text_ = file_.bytes();
    if (text_.starts_with("\x1f\x8b")) decode(path, Gzip(), "gzip", static_cast<size_t>(max_bytes));
    else if (text_.starts_with("BZh")) decode(path, Bzip2(), "bzip2", static_cast<size_t>(max_bytes));
    else if (text_.starts_with("\x28\xb5\x2f\xfd")) decode(path, Zstandard(), "zstd", static_cast<size_t>(max_bytes));
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  std::string_view text() const { return text_; }
  /// 1 for the first line.
  size_t line_of(size_t offset) const {
    return 1 + static_cast<size_t>(std::count(text_.begin(), text_.begin() + offset, '\n'));
  }

 private:
  void decode(const std::string& path, Decoder&& decoder, const std::string& format, size_t max_bytes) {
    std::string_view rest = text_;
    std::string chunk(size_t{1} << 18, '\0');
    bool ended = false, full = false;
    while (!rest.empty() || full) {
      // A file may be several members, one after the other, then zeros.
      if (ended && rest.find_first_not_of('\0') == rest.npos) break;
      const Decoded made = decoder.step(rest.substr(0, size_t{1} << 30), chunk.data(), chunk.size());
      if (!made.error.empty()) {
        throw Error(path + ": damaged " + format + " data after " + std::to_string(decoded_.size() + made.written) +
                    " bytes of text: " + made.error);
      }
      rest.remove_prefix(made.read);
      if (made.written > max_bytes - decoded_.size()) {
        throw Error(path + ": inflates to more than " + std::to_string(max_bytes) +
                    " bytes; raise `max_bytes` or decompress the file");
      }
      decoded_.append(chunk, 0, made.written);
      ended = made.ended;
      full = made.written == chunk.size() && !ended;
      if (made.read == 0 && made.written == 0 && !ended) break;
    }
    if (!ended) {
      throw Error(path + ": the " + format + " data ends early, after " + std::to_string(decoded_.size()) +
                  " bytes of text; is the download complete?");
    }
    text_ = decoded_;
  }

  MappedFile file_;
  std::string decoded_;
  std::string_view text_;
};

/// "no valid UTF-8, found the byte 0xE4; convert the file", or nothing where `text` is UTF-8.
inline std::optional<std::string> utf8_fault(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = text[i];
    const size_t size = lead < 0x80   ? 1
                        : lead < 0xC2 ? 0
                        : lead < 0xE0 ? 2
                        : lead < 0xF0 ? 3
                        : lead < 0xF5 ? 4
                                      : 0;
    bool good = size > 0 && i + size <= text.size();
    for (size_t k = 1; good && k < size; ++k)
      good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    const unsigned char second = good && size > 1 ? text[i + 1] : 0x90;
    // Overlong forms, surrogates and what lies beyond U+10FFFF.
    good = good && !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F) &&
           !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F);
    if (!good) {
      constexpr char kDigits[] = "0123456789ABCDEF";
      return std::string("no valid UTF-8, found the byte 0x") + kDigits[lead >> 4] +
             kDigits[lead & 15] + "; convert the file";
    }
    i += size;
  }
  return std::nullopt;
}

}  // namespace attune
