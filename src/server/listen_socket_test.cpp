#include "server/listen_socket.h"

#include "base/check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace braid {
namespace {

std::string error_of(const std::string& host, int port) {
  try {
    const ListenSocket socket(host, port, 8);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

std::string temporary(const char* name) {
  return (std::filesystem::temp_directory_path() / fmt::format("{}.{}", name, getpid())).string();
}

bool connects(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return ok;
}

TEST(ListenSocket, AnyFreePort) {
  const ListenSocket socket("127.0.0.1", 0, 8);
  EXPECT_GT(socket.port(), 0);
  EXPECT_EQ(socket.address(), fmt::format("127.0.0.1:{}", socket.port()));
}

TEST(ListenSocket, NamesOfThisMachine) {
  EXPECT_TRUE(ListenSocket("localhost", 0, 8).address().starts_with("127.0.0.1:"));
  EXPECT_TRUE(ListenSocket("0.0.0.0", 0, 8).address().starts_with("0.0.0.0:"));
  EXPECT_TRUE(ListenSocket("", 0, 8).address().starts_with("0.0.0.0:"));
}

TEST(ListenSocket, ErrorsNameTheRemedy) {
  const ListenSocket taken("127.0.0.1", 0, 8);
  const std::string busy = error_of("127.0.0.1", taken.port());
  EXPECT_NE(busy.find(fmt::format("127.0.0.1:{}", taken.port())), std::string::npos) << busy;
  EXPECT_NE(busy.find("--port"), std::string::npos) << busy;
  EXPECT_NE(error_of("203.0.113.7", 0).find("--host"), std::string::npos);
  EXPECT_NE(error_of("no.such.host.invalid", 0).find("no.such.host.invalid"), std::string::npos);
}

TEST(ListenSocket, APath) {
  const std::string path = temporary("braid_listen.sock");
  EXPECT_TRUE(is_socket_path(path) && is_socket_path("braid.sock"));
  EXPECT_FALSE(is_socket_path("127.0.0.1") || is_socket_path("localhost") || is_socket_path("::"));
  {
    ListenSocket socket(path, 0, 8);
    EXPECT_TRUE(connects(path));
    EXPECT_NE(error_of(path, 0).find("another program listens there"), std::string::npos);
    socket.refuse();
    EXPECT_FALSE(connects(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ListenSocket, AFileLeftBehindIsReplacedAndAnotherIsNot) {
  const std::string path = temporary("braid_left.sock");
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  { const ListenSocket socket(path, 0, 8); }

  std::ofstream(path) << "precious";
  EXPECT_NE(error_of(path, 0).find("no socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
  std::filesystem::remove(path);
  EXPECT_NE(error_of("/" + std::string(200, 'x') + ".sock", 0).find("too long"), std::string::npos);
  EXPECT_NE(error_of("/no/such/folder/a.sock", 0).find("/no/such/folder/a.sock"),
            std::string::npos);
}

}  // namespace
}  // namespace braid
