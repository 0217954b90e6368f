// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zlib.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "mapped_file.h"

namespace attune {

/// The text of a file: mapped, or inflated into memory if gzip made it (its first bytes tell). A
/// byte order mark is not part of it.
class TextFile {
 public:
  TextFile(const std::string& path, int64_t max_bytes) : file_(path) {
    text_ = file_.bytes();
    if (text_.starts_with("\x1f\x8b")) {
      inflate_all(path, static_cast<size_t>(max_bytes));
      text_ = inflated_;
    }
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
  void inflate_all(const std::string& path, size_t max_bytes) {
    z_stream stream{};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
    struct End {
      z_stream* stream;
      ~End() { inflateEnd(stream); }
    } end{&stream};
    std::string_view rest = text_;
    std::string chunk(size_t{1} << 18, '\0');
    int state = Z_OK;
    while (!rest.empty() || stream.avail_out == 0) {
      if (state ==
          Z_STREAM_END) {  // A file may be several members, one after the other, then zeros.
        if (rest.find_first_not_of('\0') == rest.npos) return;
        inflateReset(&stream);
      }
      const size_t given = std::min(rest.size(), size_t{1} << 30);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
      stream.avail_in = static_cast<uInt>(given);
      stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream.avail_out = static_cast<uInt>(chunk.size());
      state = inflate(&stream, Z_NO_FLUSH);
      if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) {
        throw Error(path + ": damaged gzip data after " + std::to_string(inflated_.size()) +
                    " bytes of text: " + (stream.msg ? stream.msg : "no reason given"));
      }
      rest.remove_prefix(given - stream.avail_in);
      const size_t made = chunk.size() - stream.avail_out;
      if (made > max_bytes - inflated_.size()) {
        throw Error(path + ": inflates to more than " + std::to_string(max_bytes) +
                    " bytes; raise `max_bytes` or decompress the file");
      }
      inflated_.append(chunk, 0, made);
      if (state == Z_BUF_ERROR && rest.empty()) break;
    }
    if (state != Z_STREAM_END) {
      throw Error(path + ": the gzip data ends early, after " + std::to_string(inflated_.size()) +
                  " bytes of text; is the download complete?");
    }
  }

  MappedFile file_;
  std::string inflated_;
  std::string_view text_;
};

}  // namespace attune
