#include "tools/version.h"

#include "device/cpu/cpu_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

// The commit of the checkout when the build was configured; empty where there is no git.
#ifndef BRAID_COMMIT
#define BRAID_COMMIT ""
#endif

namespace braid {
namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "g++ " __VERSION__;
#else
constexpr const char* kCompiler = "unknown";
#endif

#if defined(__OPTIMIZE__)
constexpr const char* kOptimised = "";
#else
constexpr const char* kOptimised = ", not optimised";
#endif

}  // namespace

std::string build_version() { return BRAID_VERSION; }
std::string build_commit() { return BRAID_COMMIT; }

std::string version_text() {
  const std::string commit = BRAID_COMMIT;
  return fmt::format("braid {}\n{}compiler: {}{}\ninstruction sets: {}\n", BRAID_VERSION,
                     commit.empty() ? "" : fmt::format("commit: {}, when configured\n", commit),
                     kCompiler, kOptimised, fmt::join(cpu::built_isas(), ", "));
}

}  // namespace braid
