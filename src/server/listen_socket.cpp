#include "server/listen_socket.h"

#include "base/check.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace braid {
namespace {

std::string numeric(const sockaddr_storage& address, socklen_t size, int& port) {
  char host[NI_MAXHOST] = {}, service[NI_MAXSERV] = {};
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  CHECK(getnameinfo(any, size, host, sizeof host, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0);
  port = std::atoi(service);
  return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

std::string remedy(int error, int port) {
  switch (error) {
    case EADDRINUSE:
      return "another program listens there: end it, or choose another port with --port (0: any "
             "free one)";
    case EACCES:
    case EPERM:
      return port > 0 && port < 1024
                 ? "ports below 1024 are for root: choose a higher one with --port"
                 : "no permission: choose another place with --host and --port";
    case EADDRNOTAVAIL:
      return "no network interface of this machine has this address: choose another --host "
             "(0.0.0.0: all)";
    default:
      return std::strerror(error);
  }
}

// Left behind by a server that ended at once: a file, but nobody answers.
bool nobody_listens(const sockaddr_un& address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const int refused =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(probe);
  return refused == ECONNREFUSED;
}

}  // namespace

bool is_socket_path(std::string_view host) {
  return host.find('/') != std::string_view::npos || host.ends_with(".sock");
}

ListenSocket::ListenSocket(const std::string& host, int port, int backlog) {
  if (is_socket_path(host))
    listen_on_path(host, backlog);
  else
    listen_on_port(host, port, backlog);
}

ListenSocket::~ListenSocket() {
  refuse();
  ::close(fd_);
}

void ListenSocket::refuse() {
  shutdown(fd_, SHUT_RDWR);
  if (!path_.empty()) unlink(path_.c_str());
  path_.clear();
}

void ListenSocket::listen_on_path(const std::string& path, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    fail("{}: too long for the name of a socket ({} bytes, at most {})", path, path.size(),
         sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat there {};
  if (lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) fail("{}: is there and no socket: choose another --host", path);
    if (!nobody_listens(address))
      fail("{}: another program listens there: end it, or choose another --host", path);
    unlink(path.c_str());
  }
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) fail("{}: no socket: {}", path, std::strerror(errno));
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd_, backlog) != 0) {
    const int error = errno;
    ::close(fd_);
    fail("{}: cannot listen there: {}", path, std::strerror(error));
  }
  shown_ = path_ = path;
}

void ListenSocket::listen_on_port(const std::string& host, int port, int backlog) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (const int code = getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                   std::to_string(port).c_str(), &hints, &found);
      code != 0)
    fail("{}: no address of this machine has this name ({}): try --host 127.0.0.1", host,
         gai_strerror(code));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(found, freeaddrinfo);
  int error = EADDRNOTAVAIL;
  std::vector<const addrinfo*> places;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) places.push_back(one);
  // "localhost" is two addresses; who tries the other one first comes here in the end.
  std::ranges::stable_sort(places, {}, [](const addrinfo* p) { return p->ai_family != AF_INET; });
  for (const addrinfo* one : places) {
    if (fd_ >= 0) break;
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      error = errno;
      continue;
    }
    const int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (one->ai_family == AF_INET6)  // "::" means all, those of version 4 too
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, backlog) == 0) {
      fd_ = fd;
    } else {
      error = errno;
      ::close(fd);
    }
  }
  if (fd_ < 0)
    fail("{}:{}: cannot listen there: {}", host.empty() ? "*" : host, port, remedy(error, port));
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  shown_ = numeric(address, size, port_);
}

}  // namespace braid
