// From images to tasks: decoding and loading a folder of PNG files, and drawing and augmenting meta-batches.
#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "io/dataset.h"
#include "io/synthetic.h"
#include "meta/task_source.h"

namespace innerloop::bench {
namespace {

namespace fs = std::filesystem;
using kernels::Augmentation, kernels::AugmentKind;

/// Synthetic X-rays as PNG files, gone when the program ends.
class Folder {
 public:
  explicit Folder(const io::SyntheticOptions& options)
      : path_(fs::temp_directory_path() / fmt::format("innerloop_bench_{}_{}", ::getpid(), options.size)) {
    io::write_synthetic(path_.string(), options);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

void load_folder(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  Context context(threads);
  const ContextScope scope(context);
  static const Folder folder({.per_class = 16, .size = 224});  // made once, under whichever comes first
  std::int64_t images = 0;
  for (auto _ : state) images += io::load_images(folder.path(), {.size = 224}).count();
  state.counters["images"] = benchmark::Counter(static_cast<double>(images), benchmark::Counter::kIsRate);
}
BENCHMARK(load_folder)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

struct Batch {
  const char* name;
  std::int64_t size, ways, shots, tasks;
};
constexpr Batch kBatches[] = {{"w1", 28, 5, 1, 32}, {"w2", 84, 5, 5, 4}, {"w3", 500, 3, 1, 4}};

void draw(benchmark::State& state, Context& context, const Batch& batch, const std::vector<Augmentation>& augment) {
  const io::ImageSet set = io::synthetic_images({.per_class = 8, .size = batch.size});
  const meta::TaskSource source(set, {.scheme = kernels::TaskScheme::kInstances,
                                      .ways = batch.ways,
                                      .shots = batch.shots,
                                      .queries = batch.shots,
                                      .tasks = batch.tasks,
                                      .augment = augment});
  std::int64_t step = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(source.draw(step++));
    wait_for(context);
  }
  state.counters["images"] = benchmark::Counter(static_cast<double>(2 * batch.tasks * batch.ways * batch.shots),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void register_all() {
  const struct {
    const char* name;
    std::vector<Augmentation> augment;
  } kinds[] = {{"plain", {}},
               {"salt_pepper", {{.kind = AugmentKind::kSaltPepper, .probability = 0.5F}}},
               {"gaussian", {{.kind = AugmentKind::kGaussian, .std = 0.1F}}},
               {"shift", {{.kind = AugmentKind::kShift, .pixels = 6}}},
               {"released", {{.kind = AugmentKind::kSaltPepper, .probability = 0.5F},
                             {.kind = AugmentKind::kShift, .pixels = 6}}}};
  for (const Batch& batch : kBatches) {
    for (const auto& kind : kinds) {
      add(fmt::format("draw/{}/{}", batch.name, kind.name),
          [batch, augment = kind.augment](benchmark::State& state, Context& context) {
            draw(state, context, batch, augment);
          });
    }
  }
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace
}  // namespace innerloop::bench
