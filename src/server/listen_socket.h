// The socket that a server listens on: an address and port, or a file in the file system.
#pragma once

#include <string>
#include <string_view>

namespace braid {

// A host with a slash in it, or that ends with ".sock", is the path of a Unix socket.
bool is_socket_path(std::string_view host);

class ListenSocket {
 public:
  // Throws Error that names address, reason and remedy. Port 0: any free one. A socket file that
  // nobody listens on any more is replaced.
  ListenSocket(const std::string& host, int port, int backlog);
  ~ListenSocket();  // closes it
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;

  int fd() const { return fd_; }
  int port() const { return port_; }                     // 0 of a Unix socket
  const std::string& address() const { return shown_; }  // "127.0.0.1:8080", "[::1]:8080", a path
  // Whoever comes from now on is refused by the system; the socket's file goes. The descriptor
  // stays, for others may still watch it.
  void refuse();

 private:
  void listen_on_path(const std::string& path, int backlog);
  void listen_on_port(const std::string& host, int port, int backlog);

  int fd_ = -1, port_ = 0;
  std::string shown_, path_;
};

}  // namespace braid
