// Products of packed matrices, one thread: GOP/s (GB/s of weights for one row) for each type,
// instruction set and number of rows, with the weights in the cache and from memory.
//
//   bench/matrix [ISA [TYPE...]]
#include "device/cpu/matrix.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/pack.h"
#include "device/ops_test_support.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace braid {
namespace {

// Time that this thread has run: other programs cost less of the result.
double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Subject {
  cpu::Matrix m;
  std::vector<std::byte> strips;
};

constexpr int64_t kCols = 2048, kRows = 512;

// Many copies of one packed matrix, so that they do not fit into any cache.
void pack(const FileMatrix& file, int copies, const Kernels& k, Subject& s) {
  s.m = cpu::describe(k, file);
  cpu::Matrix& m = s.m;
  m.type = cpu::packed_type(file);
  m.strip_bytes = cpu::strip_bytes(m.type, kCols);
  const size_t bytes = m.strip_bytes * static_cast<size_t>(m.strip_count());
  s.strips.resize(bytes * static_cast<size_t>(copies) + 64);
  std::byte* base = s.strips.data() + 64 - reinterpret_cast<uintptr_t>(s.strips.data()) % 64;
  cpu::pack_strips(m, 0, m.strip_count(), base);
  for (int c = 1; c < copies; ++c) std::memcpy(base + bytes * static_cast<size_t>(c), base, bytes);
  m.strips = base;
}

double rate(const Subject& s, int rows, int copies, double seconds) {
  cpu::Inputs in;
  in.cols = kCols;
  in.rows = rows;
  std::vector<uint8_t> quantised(cpu::Inputs::quantised_bytes(kCols) * static_cast<size_t>(rows));
  std::vector<float> plain(static_cast<size_t>(kCols * rows)),
      row(static_cast<size_t>(kCols), 0.5f);
  in.quantised = quantised.data();
  in.plain = plain.data();
  for (int r = 0; r < rows; ++r) in.put(*s.m.kernels, r, row.data());
  std::vector<float> out(static_cast<size_t>(rows * kRows));
  double best = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const double start = now();
    double products = 0;
    cpu::Matrix m = s.m;
    for (int c = 0; now() - start < seconds; c = (c + 1) % copies, ++products) {
      m.strips =
          s.m.strips + static_cast<size_t>(c) * m.strip_bytes * static_cast<size_t>(m.group_strips);
      multiply(m, 0, kRows, in, out.data(), kRows, nullptr);
    }
    best = std::max(best, products * 2 * kRows * kCols * rows / (now() - start) / 1e9);
  }
  return best;
}

}  // namespace
}  // namespace braid

int main(int argc, char** argv) {
  using namespace braid;
  const std::string isa = argc > 1 ? argv[1] : cpu::usable_isas().front();
  const Kernels k = cpu::kernels_of(isa);
  std::printf("%s, %d x %d, one thread: GOP/s from cache / from memory\n", isa.c_str(),
              static_cast<int>(kRows), static_cast<int>(kCols));
  for (const DTypeInfo& t : all_dtypes()) {
    bool wanted = argc <= 2 && t.weights;
    for (int i = 2; i < argc; ++i) wanted = wanted || t.name == argv[i];
    if (!wanted) continue;
    ops_test::RandomFile random(1);
    const FileMatrix file = random.matrix(t.type, kRows, kCols);
    Subject s;
    const int copies = 400;
    pack(file, copies, k, s);
    const double bytes = static_cast<double>(s.m.strip_bytes) / (kStripRows * kCols);
    std::printf("%-8s %6.3f bits", std::string(t.name).c_str(), 8 * bytes);
    for (int rows : {1, 2, 4, 8, 10, 12, 16, 24, 48, 512}) {
      const double hot = rate(s, rows, 1, 0.03), cold = rate(s, rows, copies, 0.06);
      if (rows == 1)
        std::printf("  1: %.0f / %.0f (%.1f GB/s)", hot, cold, cold / 2 * bytes);
      else
        std::printf("  %d: %.0f / %.0f", rows, hot, cold);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}
