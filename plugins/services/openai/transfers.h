// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Many POST requests at one time, tried again where that may help.
namespace attune::openai {

struct Post {
  std::string url, body;
};

struct Settings {
  std::string api_key;
  int64_t concurrency = 8;
  double timeout = 300;     ///< seconds of one try
  int64_t retries = 5;
  double retry_wait = 0.5;  ///< seconds; doubles with each try
};

/// Calls `done(index, answer's body)` on this thread for each post, as each is ready. Throws Error
/// with the server's words where it refuses, or where no try was answered (ATTUNE_E_IO); the key is
/// in no message.
void post_all(const std::vector<Post>& posts, const Settings& settings,
              const std::function<void(size_t, const std::string&)>& done);

}  // namespace attune::openai
