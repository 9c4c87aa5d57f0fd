// The pack cache: what it gives is what packing gives, whatever lies in its place.
#include "device/cpu/pack_cache.h"

#include "base/checksum.h"
#include "device/cpu/pack.h"
#include "device/cpu/pack_test_support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <map>
#include <thread>

namespace braid::cpu {
namespace {

namespace fs = std::filesystem;
using pack_test::Folder;
using pack_test::Loaded;
using pack_test::WeightFile;

constexpr const char* kModel = "A model: \xc3\xa4/../x";

class PackCacheTest : public testing::Test {
 protected:
  PackCacheTest() : file_(folder_ / "weights", size_t{12} << 20) {}

  Loaded load(const std::string& cache, const std::string& isa = "portable", int threads = 2,
              const std::function<void(const LoadProgress&)>& progress = {}) const {
    Loaded l{open_cpu({threads, isa, cache}), {}, {}};
    const auto matrix = [&](DType type, int64_t rows, int64_t cols, size_t offset) {
      const PackedMatrix m =
          l.device->prepare(file_.matrix(type, rows, cols, offset), MatrixUse::kProduct);
      l.matrices.push_back(static_cast<const Matrix*>(m.impl));
    };
    matrix(DType::Q4_K, 9000, 1024, 0);  // more than one slice
    matrix(DType::Q6_K, 100, 256, size_t{6} << 20);
    matrix(DType::F32, 50, 64, size_t{7} << 20);
    matrix(DType::F16, 70, 33, size_t{8} << 20);
    matrix(DType::Q8_0, 3000, 512, size_t{9} << 20);
    const FilePages pages(file_.files());
    l.device->load(
        {kModel, &pages, {progress, [&](const std::string& text) { l.notes.push_back(text); }}});
    return l;
  }
  std::vector<std::byte> fresh() const { return load("").bytes(); }
  std::string cache() const { return folder_ / "cache"; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(cache()))
      names.push_back(entry.path().filename());
    return names;
  }
  std::string cache_file() const {
    EXPECT_EQ(names().size(), 1u);
    return fs::path(cache()) / names().at(0);
  }
  static void expect_note(const Loaded& l, size_t i, const std::string& part) {
    ASSERT_LT(i, l.notes.size()) << part;
    EXPECT_NE(l.notes[i].find(part), std::string::npos) << l.notes[i] << "\nhas no " << part;
  }

  Folder folder_;
  WeightFile file_;
};

TEST_F(PackCacheTest, TheNextStartMapsTheSameBytes) {
  const std::vector<std::byte> expected = fresh();
  const Loaded first = load(cache());
  EXPECT_TRUE(first.bytes() == expected);
  ASSERT_EQ(first.notes.size(), 1u);
  expect_note(first, 0, "--pack-cache: writing 0.0");
  EXPECT_EQ(names().size(), 1u);
  EXPECT_TRUE(names().at(0).starts_with("A-model-----..-x-")) << names().at(0);
  EXPECT_TRUE(names().at(0).ends_with(".braidpack")) << names().at(0);
  for (const std::string& isa : usable_isas())
    for (int threads : {1, 3}) {
      bool packed = false;
      const Loaded next = load(cache(), isa, threads, [&](const LoadProgress&) { packed = true; });
      EXPECT_TRUE(next.bytes() == expected) << isa;
      EXPECT_EQ(next.notes, std::vector<std::string>()) << isa;
      EXPECT_FALSE(packed) << isa;
      EXPECT_EQ(next.device->allocated(), 0u);
      ASSERT_EQ(next.device->mapped_weights().size(), 1u);
      EXPECT_EQ(next.device->mapped_weights()[0].size(), expected.size());
    }
}

TEST_F(PackCacheTest, TheModelMayMove) {
  load(cache());
  const std::vector<std::byte> expected = fresh();
  const std::string elsewhere = folder_ / "elsewhere";
  fs::rename(file_.path(), elsewhere);
  fs::copy_file(elsewhere, file_.path());
  timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  struct stat status {};
  stat(elsewhere.c_str(), &status);
  times[1] = status.st_mtim;
  utimensat(AT_FDCWD, file_.path().c_str(), times, 0);
  file_.map();
  const Loaded next = load(cache());
  EXPECT_EQ(next.notes, std::vector<std::string>());
  EXPECT_TRUE(next.bytes() == expected);
}

// --- files that must not be used ---

struct BadFile {
  const char* name;
  std::function<void(const std::string& path)> spoil;
  const char* note;
};

void overwrite(const std::string& path, std::streamoff at, std::string_view bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(at, at < 0 ? std::ios::end : std::ios::beg);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good());
}
void resize(const std::string& path, int64_t by) {
  fs::resize_file(path, static_cast<uintmax_t>(static_cast<int64_t>(fs::file_size(path)) + by));
}
// A header whose checksum is right again.
void forge(const std::string& path, size_t at, uint64_t value) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  std::vector<std::byte> header(64 + 8 * 4);
  file.read(reinterpret_cast<char*>(header.data()), static_cast<std::streamsize>(header.size()));
  std::memcpy(header.data() + at, &value, sizeof value);
  std::memset(header.data() + 56, 0, 8);
  const uint64_t sum = checksum64(header);
  std::memcpy(header.data() + 56, &sum, 8);
  file.seekp(0);
  file.write(reinterpret_cast<const char*>(header.data()),
             static_cast<std::streamsize>(header.size()));
}

const std::vector<BadFile>& bad_files() {
  static const std::vector<BadFile> files = {
      {"empty", [](auto& p) { fs::resize_file(p, 0); }, "is too short for a header"},
      {"half a header", [](auto& p) { fs::resize_file(p, 40); }, "is too short for a header"},
      {"header without sums", [](auto& p) { fs::resize_file(p, 64); }, "is cut off in its header"},
      {"something else", [](auto& p) { std::ofstream(p) << std::string(1000, 'x'); },
       "is no file of packed weights"},
      {"another layout", [](auto& p) { forge(p, 8, 2 | uint64_t{4} << 32); },
       "has layout 2, this Braid packs layout 1"},
      {"other slices", [](auto& p) { forge(p, 8, 1 | uint64_t{8} << 32); }, "has a damaged header"},
      {"another key", [](auto& p) { forge(p, 16, 7); }, "is of another model"},
      {"the other half of the key", [](auto& p) { forge(p, 24, 7); }, "is of another model"},
      {"data elsewhere", [](auto& p) { forge(p, 32, uint64_t{1} << 62); }, "has a damaged header"},
      {"more data than there is", [](auto& p) { forge(p, 40, ~uint64_t{0}); },
       "has a damaged header"},
      {"very many slices", [](auto& p) { forge(p, 48, uint64_t{1} << 60); },
       "has a damaged header"},
      {"no header yet", [](auto& p) { overwrite(p, 0, std::string(4096, '\0')); },
       "is no file of packed weights"},
      {"a wrong sum", [](auto& p) { overwrite(p, 64, "x"); }, "has a damaged header"},
      {"a byte less", [](auto& p) { resize(p, -1); }, "bytes, expected"},
      {"a byte more", [](auto& p) { resize(p, 1); }, "bytes, expected"},
      {"nothing behind the header", [](auto& p) { fs::resize_file(p, 1 << 20); },
       "bytes, expected"},
      {"damaged at the start", [](auto& p) { overwrite(p, 2 << 20, "xxxx"); },
       "is damaged at byte 2097152"},
      {"zeros at the end", [](auto& p) { overwrite(p, -4096, std::string(4096, '\0')); },
       "is damaged at byte"},
      {"a link",
       [](auto& p) {
         fs::rename(p, p + ".real");
         fs::create_symlink(p + ".real", p);
       },
       "cannot be opened"},
      {"a pipe",
       [](auto& p) {
         fs::remove(p);
         mkfifo(p.c_str(), 0600);
       },
       "is no regular file"}};
  return files;
}

TEST_F(PackCacheTest, BadFilesAreRefusedAndWrittenAgain) {
  const std::vector<std::byte> expected = fresh();
  for (const BadFile& bad : bad_files()) {
    SCOPED_TRACE(bad.name);
    fs::remove_all(cache());
    load(cache());
    const std::string path = cache_file();
    bad.spoil(path);
    const Loaded next = load(cache());
    ASSERT_EQ(next.notes.size(), 2u);
    expect_note(next, 0, bad.note);
    expect_note(next, 0, path);
    expect_note(next, 0, "it is written again");
    EXPECT_TRUE(next.bytes() == expected);
    const Loaded third = load(cache());
    EXPECT_EQ(third.notes, std::vector<std::string>());
    EXPECT_TRUE(third.bytes() == expected);
  }
}

TEST_F(PackCacheTest, AChangedModelIsPackedAgain) {
  load(cache());
  struct stat status {};
  stat(file_.path().c_str(), &status);
  const timespec old[2] = {status.st_atim, status.st_mtim};
  // The same bytes at another time, then other bytes at the old time.
  const timespec now[2] = {{0, UTIME_OMIT}, {status.st_mtim.tv_sec + 1, 0}};
  utimensat(AT_FDCWD, file_.path().c_str(), now, 0);
  file_.map();
  expect_note(load(cache()), 0, "or the model has changed");
  EXPECT_TRUE(load(cache()).notes.empty());

  utimensat(AT_FDCWD, file_.path().c_str(), old, 0);
  file_.map();
  expect_note(load(cache()), 0, "or the model has changed");
  overwrite(file_.path(), 9 << 20, std::string(3000 * 544, '\x5a'));  // the last matrix
  utimensat(AT_FDCWD, file_.path().c_str(), old, 0);
  file_.map();
  const Loaded changed = load(cache());
  expect_note(changed, 0, "or the model has changed");
  EXPECT_TRUE(changed.bytes() == fresh());
}

// --- files that cannot be written ---

TEST_F(PackCacheTest, WithoutRoomTheWeightsArePackedIntoMemory) {
  const std::vector<std::byte> expected = fresh();
  const auto refused = [&](const std::string& where, const std::string& part) {
    const Loaded l = load(where);
    expect_note(l, l.notes.size() - 1, part);
    expect_note(l, l.notes.size() - 1, "packed into memory instead");
    EXPECT_TRUE(l.bytes() == expected);
    EXPECT_GT(l.device->allocated(), 0u);
  };
  refused(file_.path() + "/cache", "cannot be made");

  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1 << 20, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  refused(cache(), "files may have 1.0 MiB (ulimit -f)");
  setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_EQ(names(), std::vector<std::string>());

  load(cache());
  const std::string path = cache_file();
  fs::remove(path);
  fs::create_directories(path);
  refused(cache(), "is a folder in the file's place");
}

// 64 TiB: the same GiB of a file without blocks, again and again.
TEST_F(PackCacheTest, AFullDiskIsSeenBeforeAnythingIsPacked) {
  const std::string path = folder_ / "sparse";
  std::ofstream(path).put('x');
  fs::resize_file(path, size_t{1} << 30);
  std::vector<MmapFile> files;
  files.emplace_back(path);
  const FilePages pages(files);
  FileMatrix huge{DType::F16, 1 << 19, {}};
  for (int i = 0; i < 1 << 16; ++i) huge.runs.push_back({files[0].bytes().data(), 1 << 10, 1.0f});
  const Kernels kernels = kernels_of("portable");
  Matrix m = describe(kernels, huge);
  m.type = packed_type(huge);
  m.strip_bytes = strip_bytes(m.type, huge.cols);
  PackPlan plan;
  plan.add(m);
  const PackCache full(cache(), "full", plan, pages);
  try {
    const PackCache::Writer writer(full);
    FAIL() << "a disk of more than 64 TiB?";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("67108994.0 MiB cannot be written: No space left"),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(names(), std::vector<std::string>());
}

// Where no blocks can be taken beforehand, it fills up meanwhile.
TEST_F(PackCacheTest, ADiskThatFillsUpMeanwhileCostsTheCacheOnly) {
  const std::vector<std::byte> expected = fresh();
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  bool packed_again = false;
  const Loaded l = load(cache(), "portable", 1, [&](const LoadProgress& p) {
    const rlimit small{1 << 20, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    packed_again = packed_again || p.stage == LoadStage::kPacking;
  });
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, old);
  ASSERT_EQ(l.notes.size(), 2u);
  expect_note(l, 1, "cannot be written: File too large");
  EXPECT_TRUE(packed_again);
  EXPECT_TRUE(l.bytes() == expected);
  EXPECT_EQ(names(), std::vector<std::string>());
}

struct Stop {};

TEST_F(PackCacheTest, AnInterruptedWriteLeavesNothing) {
  const std::vector<std::byte> expected = fresh();
  for (LoadStage stage : {LoadStage::kCaching, LoadStage::kSyncing}) {
    EXPECT_THROW(load(cache(), "portable", 1,
                      [&](const LoadProgress& p) {
                        EXPECT_EQ(names().size(), 1u);
                        EXPECT_TRUE(names().at(0).ends_with(".part"));
                        if (p.stage == stage) throw Stop();
                      }),
                 Stop);
    EXPECT_EQ(names(), std::vector<std::string>());
  }
  EXPECT_THROW(load("", "portable", 2, [](const LoadProgress&) { throw Stop(); }), Stop);
  // One that was killed could not tidy up.
  load(cache());
  const std::string path = cache_file();
  fs::rename(path, path + ".part");
  resize(path + ".part", 12345);
  const Loaded next = load(cache());
  EXPECT_EQ(next.notes.size(), 1u);
  EXPECT_EQ(cache_file(), path);
  EXPECT_TRUE(next.bytes() == expected);
  EXPECT_TRUE(load(cache()).notes.empty());
}

TEST_F(PackCacheTest, OneProcessWritesAndTheOthersGoOnWithoutIt) {
  const std::vector<std::byte> expected = fresh();
  int refused = 0;
  load(cache(), "portable", 1, [&](const LoadProgress& p) {
    if (p.stage != LoadStage::kCaching || refused++ > 0) return;
    const Loaded other = load(cache());
    ASSERT_EQ(other.notes.size(), 1u);
    expect_note(other, 0, "another process is writing it");
    expect_note(other, 0, "packed into memory instead");
    EXPECT_TRUE(other.bytes() == expected);
  });
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(load(cache()).notes.empty());
}

TEST_F(PackCacheTest, ManyAtOnceAllGetTheirWeights) {
  const std::vector<std::byte> expected = fresh();
  for (int round = 0; round < 5; ++round) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] { EXPECT_TRUE(load(cache(), "portable", 1).bytes() == expected); });
    threads.clear();
    EXPECT_TRUE(load(cache()).notes.empty());
    fs::remove(cache_file());
  }
}

// Weights that lie in no file have no identity.
TEST_F(PackCacheTest, WeightsInMemoryAreNotCached) {
  const std::vector<std::byte> values(size_t{34} * 8 * 16, std::byte{1});
  const auto device = open_cpu({1, "portable", cache()});
  const PackedMatrix m = device->prepare(FileMatrix{DType::Q8_0, 256, {{values.data(), 16, 1.0f}}},
                                         MatrixUse::kProduct);
  std::string note;
  const FilePages pages(file_.files());
  device->load({"memory", &pages, {{}, [&](const std::string& text) { note = text; }}});
  EXPECT_NE(note.find("the weights of memory lie in no file"), std::string::npos) << note;
  EXPECT_NE(static_cast<const Matrix*>(m.impl)->strips, nullptr);
}

// Files in caches out there have these bytes: a change of any needs another kPackLayout.
TEST(PackLayout, IsPinned) {
  const std::map<std::string, uint64_t> expected = {
      {"BF16", 0x66937f75b6651af1},   {"F16", 0x66937f75b6651af1},
      {"F32", 0xb3519e00ce5fa5ab},    {"IQ1_M", 0xccae795fdb2783a7},
      {"IQ1_S", 0x0a15dc4c7b4b3648},  {"IQ2_S", 0x211e78705e045b1f},
      {"IQ2_XS", 0x2f9c302eb2355348}, {"IQ2_XXS", 0x7623c83d510d7432},
      {"IQ3_S", 0x24123f72b04f53eb},  {"IQ3_XXS", 0xec701a3f12a52a68},
      {"IQ4_NL", 0x09266541c6edd198}, {"IQ4_XS", 0xff61ed85f3387232},
      {"MXFP4", 0x357beefdc1f1beda},  {"NVFP4", 0x91db97661a4bdd14},
      {"Q2_K", 0x1d77eb80f496af4d},   {"Q3_K", 0xf865a2888fd07ab9},
      {"Q4_0", 0x09266541c6edd198},   {"Q4_1", 0x0119a952452d3789},
      {"Q4_K", 0xa02bc8dadd6d73a3},   {"Q5_0", 0x6cf2182eee81cb8b},
      {"Q5_1", 0xd7d9d60833f45968},   {"Q5_K", 0x7e7f4c20eb895b17},
      {"Q6_K", 0x4707bac52a9cc0c6},   {"Q8_0", 0x26d4d52a88a54440},
  };
  std::vector<std::byte> bytes(1 << 20);
  uint64_t state = 1;
  for (std::byte& b : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    b = static_cast<std::byte>(state >> 56);
  }
  const Kernels kernels = kernels_of("portable");
  std::map<std::string, uint64_t> sums;
  for (const DTypeInfo& t : all_dtypes()) {
    if (!t.weights) continue;
    const FileMatrix file{t.type, 512, {{bytes.data(), 37, 1.0f}}};
    Matrix m = describe(kernels, file);
    m.type = packed_type(file);
    m.strip_bytes = strip_bytes(m.type, 512);
    std::vector<std::byte> packed(static_cast<size_t>(m.strip_count()) * m.strip_bytes);
    pack_strips(m, 0, m.strip_count(), packed.data());
    sums[std::string(t.name)] = checksum64(packed);
  }
  for (const auto& [type, sum] : sums) {
    const auto found = expected.find(type);
    EXPECT_TRUE(found != expected.end() && found->second == sum)
        << fmt::format("{{\"{}\", 0x{:016x}}},", type, sum);
  }
  EXPECT_EQ(kPackLayout, 1u);
}

}  // namespace
}  // namespace braid::cpu
