#include "nn/systems/system.h"

#include "nn/systems/alexnet.h"
#include "nn/systems/cnn_lstm.h"
#include "nn/systems/cnn_rnn.h"
#include "nn/systems/covxnet.h"
#include "nn/systems/emcnet.h"
#include "nn/systems/lenet5.h"
#include "nn/systems/vgg19.h"

namespace innerloop::nn {
namespace {

struct Entry {
  System system;
  std::string_view name;
  Classifier (*make)(const SystemOptions&);
  double rate;
};

constexpr Entry kEntries[] = {
    {System::kLenet5, "lenet5", lenet5, 1e-3},      {System::kAlexnet, "alexnet", alexnet, 3e-4},
    {System::kVgg19, "vgg19", vgg19, 1e-4},         {System::kCovxnet, "covxnet", covxnet, 1e-3},
    {System::kCnnLstm, "cnn_lstm", cnn_lstm, 1e-4}, {System::kCnnRnn, "cnn_rnn", cnn_rnn, 1e-4},
    {System::kEmcnet, "emcnet", emcnet, 3e-4}};

const Entry& entry_of(System system) { return kEntries[static_cast<std::size_t>(system)]; }

}  // namespace

std::string_view name_of(System system) { return entry_of(system).name; }

double adam_rate(System system) { return entry_of(system).rate; }

const std::vector<System>& all_systems() {
  static const std::vector<System> all = [] {
    std::vector<System> systems;
    for (const Entry& e : kEntries) systems.push_back(e.system);
    return systems;
  }();
  return all;
}

std::int64_t smallest_side(System system) {
  // Shapes alone: no parameter is made. A network that takes a side takes all larger ones.
  for (std::int64_t side = 1;; ++side) {
    try {
      entry_of(system).make({.system = system, .side = side, .channels = 1, .ways = 2});
      return side;
    } catch (const Error&) {
      IL_CHECK(side < 1024, "{}: takes no side", name_of(system));
    }
  }
}

Classifier make_system(const SystemOptions& options) {
  IL_CHECK(options.width_factor > 0, "{}: a width factor of {}; it must be above 0", name_of(options.system),
           options.width_factor);
  const std::int64_t smallest = smallest_side(options.system);
  IL_CHECK(options.side >= smallest, "data.size: {} takes images of {} pixels a side at least, and {} were asked for",
           name_of(options.system), smallest, options.side);
  return entry_of(options.system).make(options);
}

}  // namespace innerloop::nn
