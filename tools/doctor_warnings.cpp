#include "tools/doctor.h"
#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

void processor_warnings(const DoctorReport& r, std::vector<std::string>& out) {
  const Machine& m = r.machine;
  if (!r.isas.empty() && r.isas.front() == "portable")
    out.push_back(
        "No instruction set with kernels of its own: everything runs in plain C++, many times "
        "slower. On x86-64, Braid wants AVX2, FMA and F16C; in a virtual machine, pass the host's "
        "processor through.");
  if (m.cpu_limit && m.logical > 0 && *m.cpu_limit < m.logical)
    out.push_back(fmt::format(
        "The control group allows {:g} of {} processors: raise its limit (docker run --cpus), or "
        "keep -t at or below it.",
        *m.cpu_limit, m.logical));
  if (!m.governor.empty() && m.governor != "performance" && m.governor != "schedutil")
    out.push_back(
        fmt::format("The governor is \"{}\", which may keep clocks low: cpupower frequency-set -g "
                    "performance.",
                    m.governor));
  if (m.turbo && !*m.turbo)
    out.push_back("Turbo is switched off: prompts are worked on more slowly than they could be.");
  if (m.load && m.logical > 0 && *m.load > 0.5 * m.logical)
    out.push_back(
        fmt::format("Other programs are at work (load {:.1f} on {} processors): what was measured "
                    "here is lower "
                    "than it could be, and so is every speed.",
                    *m.load, m.logical));
  if (m.numa_nodes > 1)
    out.push_back(
        fmt::format("Memory lies in {} nodes: weights packed into memory are placed where they are "
                    "read, those of a pack cache are not. Compare with one node alone (numactl "
                    "--cpunodebind=0 --membind=0) for a model that fits into it.",
                    m.numa_nodes));
}

void memory_warnings(const DoctorReport& r, std::vector<std::string>& out) {
  const Machine& m = r.machine;
  if (m.memory_limit && m.memory && *m.memory_limit < *m.memory)
    out.push_back(fmt::format(
        "The control group allows {} of {} memory: raise its limit (docker run --memory) for a "
        "model that is larger.",
        bytes_text(*m.memory_limit), bytes_text(*m.memory)));
  if (m.swap_used.value_or(0) > size_t{64} << 20)
    out.push_back(fmt::format(
        "{} of swap are in use: a model that shares memory with what was swapped out is slow. "
        "Close other programs.",
        bytes_text(*m.swap_used)));
  if (m.transparent_huge_pages == "never")
    out.push_back(
        "Transparent huge pages are off: echo madvise > "
        "/sys/kernel/mm/transparent_hugepage/enabled, as root.");
}

}  // namespace

std::vector<std::string> warnings_of(const DoctorReport& r) {
  std::vector<std::string> out;
  processor_warnings(r, out);
  memory_warnings(r, out);
  // The list of known models is no reason to warn; one that was named is.
  if (r.models.size() == 1 && fit_of(r.models[0], r.machine) == Fit::kNo)
    out.push_back(fmt::format(
        "{} needs {}, and there is not so much memory: it would be read from disk again and again. "
        "Take a smaller type or model.",
        r.models[0].name, bytes_text(r.models[0].needed())));
  if (r.packed && !r.packed->file.empty() && !r.packed->file_bytes &&
      r.packed->free.value_or(r.packed->bytes) < r.packed->bytes)
    out.push_back(fmt::format(
        "The pack cache would take {}, and its disk has {}: it would not be written. Make room, or "
        "name a folder on another disk (--pack-cache).",
        bytes_text(r.packed->bytes), bytes_text(*r.packed->free)));
  if (r.disk.rotating.value_or(false))
    out.push_back("The disk turns: loading a large model takes minutes. Flash is much faster.");
  return out;
}

}  // namespace braid
