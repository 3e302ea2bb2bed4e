// With u a patch, m and S the moments of all patches (patches/moments.h) and y = w . u, nothing but the forward pass
// needs y at every pixel. Sums over pixels of terms linear and quadratic in y are forms of m and S, and gz is zero away
// from the chosen pixels, so all else lives on the pooled grid, a quarter of the pixels:
//
//   G = sum gz u,  s = sum gz,  v = S w + (w . m - mean) m     (the mean of (y - mean) u)
//   gbeta = s,  ggamma = rstd (w . G - mean s),  gw = A (G - s m - rstd ggamma v),  A = gamma rstd
//   tmean = tw . m,  trstd = -rstd^3 tw . v,  tp = (A tw + B w) . u + tbeta - A tmean - B mean at the chosen pixels,
//                                             B = tgamma rstd + gamma trstd
//   tggamma = rstd (tw . G + w . tG - tmean s - mean ts) + trstd ggamma / rstd
//   tgw = B (G - s m - rstd ggamma v) + A (tG - ts m - rstd ggamma tv - (trstd ggamma + rstd tggamma) v)
#include "kernels/cpu/block_of_images.h"

#include "kernels/conv_check.h"
#include "kernels/cpu/block_cut.h"
#include "kernels/cpu/conv_forward.h"
#include "kernels/cpu/norm_forward.h"
#include "kernels/cpu/patches/moments.h"
#include "kernels/cpu/patches/passes.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// What a block's kernel is about: checked operands, grid and patches.
template <class T>
struct ImageBlock {
  NormGrid<T> grid;
  PatchShape patches;
  ConstView x, w, moments;

  template <class K>
  explicit ImageBlock(const K& k)
      : grid(k.y.shape, k.pool, K::kName.data()),
        patches{k.geometry, conv_sizes(K::kName, k.geometry, k.x, k.w, k.y)},
        x(k.x),
        w(k.w),
        moments(k.moments) {
    check_moments(K::kName, k.geometry, moments, x.shape, w.shape);
    IL_CHECK(grid.tasks == patches.z.tasks, "{}: the output {} must have the task extent {}", K::kName,
             k.y.shape.to_string(), patches.z.tasks);
  }

  const T* x_of(std::int64_t t) const { return x.as<T>() + t * task_stride(x); }
  const T* weights_of(const ConstView& v, std::int64_t t) const { return v ? v.as<T>() + t * task_stride(v) : nullptr; }
  const double* moments_of(std::int64_t t) const { return moments.as<double>() + t * task_stride(moments); }
  WeightedMoments<T> weighted(const ConstView& v, std::int64_t t, Context& context) const {
    return {moments_of(t), weights_of(v, t), patches.taps(), grid.channels, context};
  }
};

template <class T>
void forward(const ConvBlockForward& k, const ImageBlock<T>& block, const GatherConv<T>& conv, std::int64_t t,
             Context& context) {
  const NormGrid<T>& grid = block.grid;
  const WeightedMoments<T> w = block.weighted(k.w, t, context);
  const T* const weights = block.weights_of(k.w, t);
  T *const mean = k.mean.as<T>() + t * grid.channels, *const rstd = k.rstd.as<T>() + t * grid.channels;
  for (std::int64_t c = 0; c < grid.channels; ++c) {
    double variance = 0;
    for (std::int64_t i = 0; i < block.patches.taps(); ++i)
      variance += static_cast<double>(weights[i * grid.channels + c]) * w.covariance(i, c);
    mean[c] = static_cast<T>(w.mean(c));
    rstd[c] = static_cast<T>(1 / __builtin_sqrt((variance < 0 ? 0 : variance) + k.epsilon));
  }
  const BandBlocks blocks(grid, conv.sweep.row_unit());
  with_side(k.pool, [&](auto side) {
    const NormForward<decltype(side)::value, T> norm(
        {line_of<T>(k.gamma, t), line_of<T>(k.beta, t), k.p.as<T>() + t * grid.pooled_elements(),
         k.choice.as<std::uint8_t>() + t * grid.pooled_elements()},
        grid, context);
    norm.normalise(mean, rstd);
    context.threads().parallel_for(blocks.count, [&](std::int64_t i) {
      const std::int64_t first = blocks.first(i), last = blocks.last(i), row = grid.width * grid.channels;
      const RowRange rows{grid.row_of(first), grid.row_of(last)};
      const Scratch<T> y(context, rows.count() * row);
      GatherConv<T> here = conv;
      here.y = y.data(), here.y_task = 0, here.y_skipped = rows.first * row;
      gather_rows(here, t, rows, context);
      for_each_group_of(grid, first, last, [&](auto lanes, std::int64_t c, std::int64_t begin, std::int64_t end) {
        norm.write(y.data(), here.y_skipped, lanes, c, begin, end);
      });
    });
  });
}

/// G [taps] and s, for each of one or two maps of cotangents on the pooled grid: lines of [padded channels].
template <class T>
class ChosenSums {
 public:
  ChosenSums(const ImageBlock<T>& block, Pool pool, const ConstView& choice, const ConstView& g, const ConstView& tg,
             std::int64_t t, Context& context)
      : grid_(block.grid), taps_(block.patches.taps()), blocks_(block.patches, block.grid) {
    const std::int64_t each = (taps_ + 1) * grid_.padded, size = 2 * each;
    sums_ = Scratch<double>(context, larger(1, blocks_.runs) * size);
    for (std::int64_t i = 0; i < larger(1, blocks_.runs) * size; ++i) sums_.data()[i] = 0;
    const std::int64_t task = t * grid_.pooled_elements();
    with_side(pool, [&](auto side) {
      constexpr int kSide = decltype(side)::value;
      for_each_window_block<kSide>(
          block.patches, grid_, blocks_, block.x_of(t), context,
          [&](std::int64_t run, const PatchTable<kSide, T>& table, std::int64_t first, std::int64_t count) {
            const PooledRows<T> rows{grid_, choice.as<std::uint8_t>() + task, first, count};
            double* const to = sums_.data() + run * size;
            add_chosen(table, block.patches, rows, g.as<T>() + task, to);
            if (tg) add_chosen(table, block.patches, rows, tg.as<T>() + task, to + each);
          });
    });
    for (std::int64_t run = 1; run < blocks_.runs; ++run) add_in_place(sums_.data(), sums_.data() + run * size, size);
  }

  double patch(std::int64_t tap, std::int64_t k) const { return sums_.data()[tap * grid_.padded + k]; }
  double total(std::int64_t k) const { return patch(taps_, k); }
  double tangent_patch(std::int64_t tap, std::int64_t k) const { return patch(taps_ + 1 + tap, k); }
  double tangent_total(std::int64_t k) const { return tangent_patch(taps_, k); }

 private:
  const NormGrid<T>& grid_;
  std::int64_t taps_;
  WindowBlocks blocks_;
  Scratch<double> sums_;
};

/// The constants of a channel.
template <class T>
struct Channel {
  double mean, rstd, gamma;
  template <class K>
  Channel(const K& k, std::int64_t t, std::int64_t c)
      : mean(static_cast<double>(line_of<T>(k.mean, t)[c])),
        rstd(static_cast<double>(line_of<T>(k.rstd, t)[c])),
        gamma(at_or(line_of<T>(k.gamma, t), c, 1)) {}
};

/// Where the tasks' weight gradients go. Into one of task extent 1 they are added in the order of the tasks.
template <class T>
class TaskGradients {
 public:
  TaskGradients(const View& gw, std::int64_t tasks, Context& context)
      : out_(gw.as<T>()), size_(gw.shape.numel() / gw.shape[0]), tasks_(tasks) {
    if (gw.shape[0] != tasks) each_ = Scratch<T>(context, tasks * size_);
  }
  T* of(std::int64_t t) const { return (shared() ? each_.data() : out_) + t * size_; }
  void finish() const {
    for (std::int64_t t = 0; shared() && t < tasks_; ++t)
      for (std::int64_t i = 0; i < size_; ++i) out_[i] = t == 0 ? of(t)[i] : out_[i] + of(t)[i];
  }

 private:
  bool shared() const { return each_.data() != nullptr; }

  T* out_;
  std::int64_t size_, tasks_;
  Scratch<T> each_;
};

template <class T>
void grad(const ConvBlockGrad& k, const ImageBlock<T>& block, std::int64_t t, T* gw, Context& context) {
  const std::int64_t taps = block.patches.taps(), channels = block.grid.channels;
  const ChosenSums<T> sums(block, k.pool, k.choice, k.gp, {}, t, context);
  const WeightedMoments<T> w = block.weighted(k.w, t, context);
  const T* const weights = block.weights_of(k.w, t);
  const double* const m = block.moments_of(t);
  for (std::int64_t c = 0; c < channels; ++c) {
    const Channel<T> ch(k, t, c);
    const double s = sums.total(c);
    double dot = -ch.mean * s;
    for (std::int64_t i = 0; i < taps; ++i) dot += static_cast<double>(weights[i * channels + c]) * sums.patch(i, c);
    const double ggamma = ch.rstd * dot, a = ch.gamma * ch.rstd;
    for (std::int64_t i = 0; i < taps; ++i)
      gw[i * channels + c] =
          static_cast<T>(a * (sums.patch(i, c) - s * m[i] - ch.rstd * ggamma * w.about(ch.mean, i, c)));
    k.gbeta.as<T>()[t * channels + c] = static_cast<T>(s);
    k.ggamma.as<T>()[t * channels + c] = static_cast<T>(ggamma);
  }
}

template <class T>
void tangent(const ConvBlockJvp& k, const ImageBlock<T>& block, std::int64_t t, Context& context) {
  const NormGrid<T>& grid = block.grid;
  const std::int64_t taps = block.patches.taps(), channels = grid.channels,
                     lines = tap_groups(block.patches) * kTapGroup + 1;
  const WeightedMoments<T> w = block.weighted(k.w, t, context);
  const T *const weights = block.weights_of(k.w, t), *const tw = block.weights_of(k.tw, t);
  const T *const tgamma = line_of<T>(k.tgamma, t), *const tbeta = line_of<T>(k.tbeta, t);
  const double* const m = block.moments_of(t);
  const Scratch<T> form(context, lines * grid.padded);
  for (std::int64_t i = 0; i < lines * grid.padded; ++i) form.data()[i] = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    const Channel<T> ch(k, t, c);
    double tmean = 0, along = 0;
    for (std::int64_t i = 0; i < taps && tw != nullptr; ++i) {
      const double v = static_cast<double>(tw[i * channels + c]);
      tmean += v * m[i];
      along += v * w.about(ch.mean, i, c);
    }
    const double trstd = -ch.rstd * ch.rstd * ch.rstd * along;
    const double a = ch.gamma * ch.rstd, b = at_or(tgamma, c, 0) * ch.rstd + ch.gamma * trstd;
    for (std::int64_t i = 0; i < taps; ++i)
      form.data()[i * grid.padded + c] =
          static_cast<T>(a * at_or(tw, i * channels + c, 0) + b * static_cast<double>(weights[i * channels + c]));
    form.data()[(lines - 1) * grid.padded + c] = static_cast<T>(at_or(tbeta, c, 0) - a * tmean - b * ch.mean);
    k.tmean.as<T>()[t * channels + c] = static_cast<T>(tmean);
    k.trstd.as<T>()[t * channels + c] = static_cast<T>(trstd);
  }
  const std::int64_t task = t * grid.pooled_elements();
  T* const tp = k.tp.as<T>() + task;
  // With several groups of taps tp takes sums, which are read again at once.
  const Stores stores =
      tap_groups(block.patches) > 1 ? Stores::kCached : stores_for(tp, channels, grid.pooled_elements());
  with_side(k.pool, [&](auto side) {
    constexpr int kSide = decltype(side)::value;
    for_each_window_block<kSide>(
        block.patches, grid, WindowBlocks(block.patches, grid), block.x_of(t), context,
        [&](std::int64_t, const PatchTable<kSide, T>& table, std::int64_t first, std::int64_t count) {
          const PooledRows<T> rows{grid, k.choice.as<std::uint8_t>() + task, first, count};
          with_stores(stores, [&](auto where) {
            write_chosen<kSide, decltype(where)::value>(table, block.patches, rows, form.data(), tp);
          });
          finish_stores(stores);
        });
  });
}

template <class T>
void grad_tangent(const ConvBlockGradJvp& k, const ImageBlock<T>& block, std::int64_t t, T* tgw, Context& context) {
  const std::int64_t taps = block.patches.taps(), channels = block.grid.channels;
  const ChosenSums<T> sums(block, k.pool, k.choice, k.gp, k.tgp, t, context);
  const WeightedMoments<T> w = block.weighted(k.w, t, context);
  std::unique_ptr<WeightedMoments<T>> tw;
  if (k.tw) tw = std::make_unique<WeightedMoments<T>>(block.weighted(k.tw, t, context));
  const T *const weights = block.weights_of(k.w, t), *const tangents = block.weights_of(k.tw, t);
  const T *const ggammas = line_of<T>(k.ggamma, t), *const tgammas = line_of<T>(k.tgamma, t);
  const T *const tmeans = line_of<T>(k.tmean, t), *const trstds = line_of<T>(k.trstd, t);
  const double* const m = block.moments_of(t);
  for (std::int64_t c = 0; c < channels; ++c) {
    const Channel<T> ch(k, t, c);
    const double ggamma = static_cast<double>(ggammas[c]), tmean = at_or(tmeans, c, 0), trstd = at_or(trstds, c, 0);
    const double s = sums.total(c), ts = sums.tangent_total(c);
    double dot = -tmean * s - ch.mean * ts;
    for (std::int64_t i = 0; i < taps; ++i) {
      dot += static_cast<double>(weights[i * channels + c]) * sums.tangent_patch(i, c);
      dot += at_or(tangents, i * channels + c, 0) * sums.patch(i, c);
    }
    const double tggamma = ch.rstd * dot + trstd * ggamma / ch.rstd;
    const double a = ch.gamma * ch.rstd, b = at_or(tgammas, c, 0) * ch.rstd + ch.gamma * trstd;
    const double along = ch.rstd * ggamma, talong = trstd * ggamma + ch.rstd * tggamma;
    for (std::int64_t i = 0; i < taps; ++i) {
      // Without a tw, ty is zero, and (ty - tmean) is not.
      const double v = w.about(ch.mean, i, c), tv = tw ? tw->about(tmean, i, c) : -tmean * m[i];
      const double first = sums.patch(i, c) - s * m[i] - along * v;
      const double second = sums.tangent_patch(i, c) - ts * m[i] - along * tv - talong * v;
      tgw[i * channels + c] = static_cast<T>(b * first + a * second);
    }
    k.tgbeta.as<T>()[t * channels + c] = static_cast<T>(ts);
    k.tggamma.as<T>()[t * channels + c] = static_cast<T>(tggamma);
  }
}

}  // namespace

void block_of_images(const ConvBlockForward& k, Context& context) {
  with_float(k.y.dtype, ConvBlockForward::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    const ImageBlock<T> block(k);
    const ConvForward op{k.geometry, {k.x, {}}, {k.w, {}}, k.y};
    const ForwardConv<T> conv(op, block.patches.z, 1, context);
    context.threads().parallel_for(block.grid.tasks,
                                   [&](std::int64_t t) { forward(k, block, conv.gather(), t, context); });
  });
}

void block_of_images(const ConvBlockGrad& k, Context& context) {
  IL_CHECK(!k.gx, "{}: a gradient of the images is wanted where y is absent", ConvBlockGrad::kName);
  with_float(k.y.dtype, ConvBlockGrad::kName.data(), [&](auto tag) {
    const ImageBlock<decltype(tag)> block(k);
    const TaskGradients<decltype(tag)> gradients(k.gw, block.grid.tasks, context);
    context.threads().parallel_for(block.grid.tasks,
                                   [&](std::int64_t t) { grad(k, block, t, gradients.of(t), context); });
    gradients.finish();
  });
}

void block_of_images(const ConvBlockJvp& k, Context& context) {
  IL_CHECK(!k.tx, "{}: the images have a tangent where y is absent", ConvBlockJvp::kName);
  with_float(k.y.dtype, ConvBlockJvp::kName.data(), [&](auto tag) {
    const ImageBlock<decltype(tag)> block(k);
    context.threads().parallel_for(block.grid.tasks, [&](std::int64_t t) { tangent(k, block, t, context); });
  });
}

void block_of_images(const ConvBlockGradJvp& k, Context& context) {
  IL_CHECK(!k.tx && !k.tgx, "{}: the images have a tangent, or their gradient one, where y is absent", ConvBlockGradJvp::kName);
  with_float(k.y.dtype, ConvBlockGradJvp::kName.data(), [&](auto tag) {
    const ImageBlock<decltype(tag)> block(k);
    const TaskGradients<decltype(tag)> gradients(k.tgw, block.grid.tasks, context);
    context.threads().parallel_for(block.grid.tasks,
                                   [&](std::int64_t t) { grad_tangent(k, block, t, gradients.of(t), context); });
    gradients.finish();
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
