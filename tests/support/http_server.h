// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace attune::testing {

struct HttpRequest {
  std::string head, body;
};
struct HttpReply {
  int status = 200;
  std::string body;
  std::string headers = {};   ///< lines that end in \r\n
  bool hang_up = false;  ///< close the connection without an answer
};

/// A server on a port of this machine, one connection at a time, until the object goes.
class HttpServer {
 public:
  explicit HttpServer(std::function<HttpReply(const HttpRequest&, size_t number)> answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no local port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::vector<HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      talk(connection);
      close(connection);
    }
  }

  void talk(int connection) {
    std::string text;
    size_t head = std::string::npos, wanted = 0;
    char piece[4096];
    while (head == std::string::npos || text.size() < head + 4 + wanted) {
      const ssize_t n = recv(connection, piece, sizeof piece, 0);
      if (n <= 0) return;
      text.append(piece, static_cast<size_t>(n));
      head = text.find("\r\n\r\n");
      const size_t length = text.find("Content-Length: ");
      if (head != std::string::npos && length < head) wanted = std::stoul(text.substr(length + 16));
    }
    const HttpRequest request{text.substr(0, head), text.substr(head + 4)};
    size_t number;
    {
      const std::lock_guard lock(mutex_);
      number = requests_.size();
      requests_.push_back(request);
    }
    const HttpReply reply = answer_(request, number);
    if (reply.hang_up) return;
    const std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nConnection: close\r\n" + reply.headers +
                            "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n" + reply.body;
    for (size_t sent = 0; sent < out.size();) {
      const ssize_t n = send(connection, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }

  std::function<HttpReply(const HttpRequest&, size_t)> answer_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

}  // namespace attune::testing
