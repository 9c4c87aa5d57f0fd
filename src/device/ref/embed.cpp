// x = rows of the embedding.
#include "device/ref/ref_ops.h"

namespace braid::ref {
namespace {

void work(const EmbedArgs& args, const Share& share) {
  const int rows = checked_rows(args, args.x);
  for (int64_t r = share.begin(rows); r < share.end(rows); ++r)
    impl<Matrix>(args.w).read(args.batch.tokens[r], args.x.row(r), share.counters);
}

}  // namespace

void fill_embed(Ops& ops) {
  ops.embed = {[](const EmbedArgs&) { return 1; }, [](const EmbedArgs&, int) { return size_t{0}; },
               work};
}

}  // namespace braid::ref
