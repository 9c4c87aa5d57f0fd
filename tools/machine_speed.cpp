#include "tools/machine_speed.h"

#include "tools/doctor.h"

namespace braid {

MachineSpeed measure_speed(int threads, const std::string& /*isa*/) {
  MachineSpeed speed;
  const Bandwidth bandwidth = measure_bandwidth(bandwidth_bytes(read_machine("")), threads);
  speed.threads = bandwidth.threads;
  speed.read_bytes = bandwidth.all_threads;
  return speed;
}

}  // namespace braid
