#include "meta/profile/recorder.h"

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include "autograd/op.h"
#include "kernels/watch.h"
#include "meta/clock.h"
#include "tensor/error.h"
#include "tensor/queue_marks.h"
#include "tensor/trace.h"

namespace innerloop::meta::profile {
namespace {

/// What one thread does; only that thread writes to it.
struct ThreadLog {
  Track track;
  std::vector<std::int32_t> open;
  std::vector<std::pair<std::size_t, std::size_t>> marks;  ///< beside the spans: of kernels on a device, begin and end

  std::string_view keep(std::string_view name) {
    const auto known = track.names.find(name);
    return known != track.names.end() ? *known : *track.names.emplace(name).first;
  }
};

}  // namespace

class Recorder::State {
 public:
  State(Device* device, HostClock clock) : device_(device), clock_(clock) {
    IL_CHECK(device_ == nullptr || clock_ == HostClock::kWall,
             "profile: kernels of {} are timed on its queue; a thread's clock is for the CPU", device_->name());
    IL_CHECK(kernels::watch_internal::current.load() == nullptr, "profile: kernels are watched already; end that first");
    if (device_ != nullptr) {
      device_->synchronize();
      marks_ = make_queue_marks(*device_);
    }
    number_ = ++sessions_;
    begin_ = Clock::now();
    if (marks_ != nullptr) marks_->mark();
    living_ = this;
    previous_ = trace_internal::current.load(std::memory_order_relaxed);
    set_trace_hooks(&kTraceHooks);
    kernels::set_kernel_hooks(&kKernelHooks);
  }
  ~State() { stop(); }

  Recording finish() {
    if (device_ != nullptr) device_->synchronize();
    Recording r;
    r.seconds = now();
    r.clock = clock_;
    stop();
    if (error_) std::rethrow_exception(error_);
    for (ThreadLog& log : logs_) {
      IL_CHECK(log.open.empty(), "profile: ended inside the range {}",
               log.track.spans[static_cast<std::size_t>(log.open.back())].name);
      log.track.name = fmt::format("thread {}", r.threads.size() + 1);
      r.threads.push_back(std::move(log.track));
    }
    if (marks_ != nullptr && !logs_.empty()) r.queue = queue_of(r.threads.front(), logs_.front());
    for (Track& t : r.threads) note_insides(t);
    return r;
  }

 private:
  double now() const { return seconds_since(begin_); }

  void stop() {
    if (living_ != this) return;
    kernels::set_kernel_hooks(nullptr);
    set_trace_hooks(previous_);
    living_ = nullptr;
  }

  ThreadLog& log() {
    thread_local std::uint64_t session = 0;
    thread_local ThreadLog* mine = nullptr;
    if (session != number_) {
      const std::lock_guard lock(mutex_);
      mine = &logs_.emplace_back();
      session = number_;
    }
    return *mine;
  }

  Span& open_span(std::string_view name, SpanKind kind) {
    ThreadLog& l = log();
    Span& span = l.track.spans.emplace_back();
    span.name = l.keep(name);
    span.kind = kind;
    span.parent = l.open.empty() ? -1 : l.open.back();
    l.open.push_back(static_cast<std::int32_t>(l.track.spans.size() - 1));
    l.marks.emplace_back();
    return span;
  }
  /// Last before the span's own work.
  void start_clock(Span& span) const {
    if (clock_ == HostClock::kThread) span.taken = -seconds_of(HostClock::kThread);
    span.begin = now();
  }
  void close_span() {
    const double end = now();
    ThreadLog& l = log();
    Span& span = l.track.spans[static_cast<std::size_t>(l.open.back())];
    span.end = end;
    span.taken = clock_ == HostClock::kThread ? span.taken + seconds_of(HostClock::kThread) : end - span.begin;
    l.open.pop_back();
  }

  void begin_kernel(const kernels::KernelCall& call) {
    ThreadLog& l = log();
    if (!l.open.empty()) {
      Span& around = l.track.spans[static_cast<std::size_t>(l.open.back())];
      around.composed = around.is_kernel();
    }
    Span& span = open_span(call.name, SpanKind::kKernel);
    span.cost = call.cost;
    if (const char* layer = autograd::current_layer(); layer != nullptr) span.layer = l.keep(layer);
    span.derivative = autograd::current_derivative();
    span.step = current_inner_step();
    if (marks_ != nullptr) l.marks.back().first = mark();
    start_clock(span);
  }
  void end_kernel() {
    ThreadLog& l = log();
    if (marks_ != nullptr) l.marks[static_cast<std::size_t>(l.open.back())].second = mark();
    close_span();
  }

  std::size_t mark() noexcept {
    try {
      return marks_->mark();
    } catch (...) {
      if (!error_) error_ = std::current_exception();
      return 0;
    }
  }

  /// Kernels by the times of their marks.
  Track queue_of(const Track& thread, const ThreadLog& log) {
    const std::vector<double> seconds = marks_->seconds();
    Track queue;
    queue.name = "device queue";
    std::vector<Span*> kernel(thread.spans.size(), nullptr);
    queue.spans.reserve(thread.spans.size());  // so that these stay where they are
    for (std::size_t i = 0; i < thread.spans.size(); ++i) {
      if (!thread.spans[i].is_kernel()) continue;
      Span& span = queue.spans.emplace_back(thread.spans[i]);
      span.begin = seconds[log.marks[i].first];
      span.end = seconds[log.marks[i].second];
      span.taken = span.end - span.begin;
      kernel[i] = &span;
      Span* around = span.parent < 0 ? nullptr : kernel[static_cast<std::size_t>(span.parent)];
      if (around != nullptr) around->inside += span.taken;
    }
    return queue;
  }

  static void note_insides(Track& track) {
    for (const Span& span : track.spans) {
      if (!span.is_kernel() || span.parent < 0) continue;
      Span& around = track.spans[static_cast<std::size_t>(span.parent)];
      if (around.is_kernel()) around.inside += span.taken;
    }
  }

  static void begin_range(const char* name) noexcept {
    State& s = *living_;
    Span& span = s.open_span(name, SpanKind::kRange);
    if (const char* layer = autograd::current_layer(); layer != nullptr) span.layer = s.log().keep(layer);
    span.derivative = autograd::current_derivative();
    span.step = current_inner_step();
    s.start_clock(span);
  }
  static void end_range() noexcept { living_->close_span(); }
  static void kernel_begins(const kernels::KernelCall& call) noexcept { living_->begin_kernel(call); }
  static void kernel_ends(const kernels::KernelCall&) noexcept { living_->end_kernel(); }

  static constexpr TraceHooks kTraceHooks{&begin_range, &end_range};
  static constexpr kernels::KernelHooks kKernelHooks{&kernel_begins, &kernel_ends};
  static inline State* living_ = nullptr;
  static inline std::atomic<std::uint64_t> sessions_{0};

  Device* const device_;
  const HostClock clock_;
  std::unique_ptr<QueueMarks> marks_;
  std::uint64_t number_ = 0;
  Clock::time_point begin_;
  const TraceHooks* previous_ = nullptr;
  std::mutex mutex_;
  std::deque<ThreadLog> logs_;
  std::exception_ptr error_;
};

Recorder::Recorder(Device* device, HostClock clock) : state_(std::make_unique<State>(device, clock)) {}
Recorder::~Recorder() = default;
Recording Recorder::finish() { return state_->finish(); }

std::vector<const Track*> Recording::lanes() const {
  if (queue) return {&*queue};
  std::vector<const Track*> out;
  for (const Track& t : threads)
    for (const Span& s : t.spans)
      if (s.is_kernel()) {
        out.push_back(&t);
        break;
      }
  return out;
}

double Recording::kernel_seconds() const {
  double sum = 0;
  for (const Track* lane : lanes())
    for (const Span& span : lane->spans) sum += span.is_kernel() ? span.taken - span.inside : 0;
  return sum;
}

std::vector<const Span*> ranges_around(const Track& parents, const Span& span) {
  std::vector<const Span*> around;
  for (std::int32_t at = span.parent; at >= 0; at = parents.spans[static_cast<std::size_t>(at)].parent) {
    const Span& s = parents.spans[static_cast<std::size_t>(at)];
    if (!s.is_kernel()) around.insert(around.begin(), &s);
  }
  return around;
}

}  // namespace innerloop::meta::profile
