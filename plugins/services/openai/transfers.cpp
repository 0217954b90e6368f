// SPDX-License-Identifier: Apache-2.0
#include "transfers.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "attune/error.h"

namespace attune::openai {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostBytes = size_t{256} << 20;  // of one answer
constexpr double kLongestWait = 60;

size_t receive(char* data, size_t size, size_t count, void* into) {
  auto& text = *static_cast<std::string*>(into);
  if (text.size() + size * count > kMostBytes) return 0;
  text.append(data, size * count);
  return size * count;
}

/// One request until it is answered.
struct Transfer {
  size_t index = 0;
  int64_t tries = 0;
  Clock::time_point not_before = Clock::now();
  std::string answer;
  CURL* handle = nullptr;
};

/// {"error": {"message": ...}} of the usual servers, else the first bytes.
std::string words_of(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object()) {
    const auto error = json.value("error", nlohmann::json());
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      return error["message"].get<std::string>();
    if (error.is_string()) return error.get<std::string>();
    if (json.contains("message") && json["message"].is_string()) return json["message"].get<std::string>();
  }
  return body.substr(0, 300);
}

class Transfers {
 public:
  Transfers(const std::vector<Post>& posts, const Settings& settings)
      : posts_(posts), settings_(settings), multi_(curl_multi_init()) {
    if (!multi_) throw Error("libcurl cannot be used: out of memory", ATTUNE_E_NOMEM);
    headers_ = curl_slist_append(headers_, "Content-Type: application/json");
    if (!settings.api_key.empty())
      headers_ = curl_slist_append(headers_, ("Authorization: Bearer " + settings.api_key).c_str());
    for (size_t i = posts.size(); i > 0; --i) {
      waiting_.push_back(std::make_unique<Transfer>());
      waiting_.back()->index = i - 1;
    }
  }
  ~Transfers() {
    for (auto& transfer : running_) stop(*transfer);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  void run(const std::function<void(size_t, const std::string&)>& done) {
    while (!waiting_.empty() || !running_.empty()) {
      start_due();
      int active = 0;
      curl_multi_perform(multi_, &active);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result, done);
      }
      curl_multi_poll(multi_, nullptr, 0, running_.empty() ? until_due() : 100, nullptr);
    }
  }

 private:
  void start_due() {
    for (size_t i = waiting_.size(); i > 0 && running_.size() < size_t(settings_.concurrency); --i) {
      if (waiting_[i - 1]->not_before > Clock::now()) continue;
      running_.push_back(std::move(waiting_[i - 1]));
      waiting_.erase(waiting_.begin() + static_cast<long>(i - 1));
      start(*running_.back());
    }
  }

  int until_due() const {
    if (waiting_.empty()) return 0;
    const auto first = std::min_element(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
      return a->not_before < b->not_before;
    });
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>((*first)->not_before - Clock::now());
    return static_cast<int>(std::clamp<int64_t>(wait.count() + 1, 0, 100));
  }

  void start(Transfer& transfer) {
    const Post& post = posts_[transfer.index];
    transfer.answer.clear();
    ++transfer.tries;
    CURL* const handle = transfer.handle = curl_easy_init();
    if (!handle) throw Error("libcurl cannot be used: out of memory", ATTUNE_E_NOMEM);
    curl_easy_setopt(handle, CURLOPT_URL, post.url.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, post.body.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer.answer);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout * 1000));
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_multi_add_handle(multi_, handle);
  }

  void stop(Transfer& transfer) {
    curl_multi_remove_handle(multi_, transfer.handle);
    curl_easy_cleanup(transfer.handle);
    transfer.handle = nullptr;
  }

  void finish(CURL* handle, CURLcode result, const std::function<void(size_t, const std::string&)>& done) {
    const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& t) { return t->handle == handle; });
    std::unique_ptr<Transfer> transfer = std::move(*found);
    running_.erase(found);
    long status = 0;
    curl_off_t asked = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &asked);
    stop(*transfer);
    if (result == CURLE_OK && status >= 200 && status < 300) return done(transfer->index, transfer->answer);
    const bool may_pass = result == CURLE_OK ? status == 408 || status == 429 || status >= 500
                                             : result != CURLE_UNSUPPORTED_PROTOCOL && result != CURLE_URL_MALFORMAT &&
                                                   result != CURLE_WRITE_ERROR;
    if (!may_pass || transfer->tries > settings_.retries) give_up(*transfer, result, status);
    const double doubled = settings_.retry_wait * double(uint64_t{1} << std::min<int64_t>(transfer->tries - 1, 20));
    const double wait = std::min(kLongestWait, std::max(doubled, double(asked)));
    transfer->not_before = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(wait * 1000));
    waiting_.push_back(std::move(transfer));
  }

  [[noreturn]] void give_up(const Transfer& transfer, CURLcode result, long status) const {
    const std::string where = posts_[transfer.index].url + ": ";
    const std::string tries = " (after " + std::to_string(transfer.tries) + (transfer.tries == 1 ? " try)" : " tries)");
    if (result != CURLE_OK) {
      throw Error(where + curl_easy_strerror(result) + tries + "; is the server up, and `url` its address?", ATTUNE_E_IO);
    }
    const std::string cure = status == 401 || status == 403 ? "; check `api_key`"
                             : status == 404                ? "; check `url` and `model`"
                                                            : "";
    throw Error(where + "HTTP " + std::to_string(status) + ": " + words_of(transfer.answer) + tries + cure,
                status < 500 ? ATTUNE_E_INVALID : ATTUNE_E_IO);
  }

  const std::vector<Post>& posts_;
  const Settings& settings_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  std::vector<std::unique_ptr<Transfer>> waiting_, running_;
};

}  // namespace

void post_all(const std::vector<Post>& posts, const Settings& settings,
              const std::function<void(size_t, const std::string&)>& done) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw Error(std::string("libcurl cannot be used: ") + curl_easy_strerror(ready), ATTUNE_E_INTERNAL);
  Transfers(posts, settings).run(done);
}

}  // namespace attune::openai
