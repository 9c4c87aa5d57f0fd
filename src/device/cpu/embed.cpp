#include "base/check.h"
#include "device/cpu/cpu_ops.h"

namespace braid::cpu {
namespace {

void work(const EmbedArgs& args, const Share& share) {
  const Matrix& w = impl<Matrix>(args.w);
  const int64_t rows = args.batch.counts->rows;
  for (int64_t r = share.begin(rows); r < share.end(rows); ++r) {
    const int32_t token = args.batch.tokens[r];
    CHECK_THAT(token >= 0 && token < args.w.rows, "token {} of a vocabulary of {}", token,
               args.w.rows);
    decode(w, token, args.x.row(r), share.counters);
  }
}

}  // namespace

void fill_embed(Ops& ops) {
  ops.embed = {[](const EmbedArgs&) { return 1; }, [](const EmbedArgs&, int) { return size_t{0}; },
               work};
}

}  // namespace braid::cpu
