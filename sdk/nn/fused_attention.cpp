// SPDX-License-Identifier: Apache-2.0
#include "nn/fused_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "nn/attention_loops.h"
#include "nn/parallel.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

using Range = std::pair<int64_t, int64_t>;

constexpr int64_t kTileRows = 192;          // Rows of queries, of all heads that share a key head, in one product.
constexpr int64_t kTileElements = 2 << 20;  // Scores that are there at a time.

/// fp32, or fp64 where the model is: half precision gains nothing here and loses digits.
at::ScalarType wide(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

/// Legend: G key heads, g query heads of each. Heads lie outermost, so that a product is one of plain matrices.
at::Tensor queries_GNgd(const at::Tensor& x_NHd, int64_t groups) {
  return x_NHd.view({x_NHd.size(0), groups, -1, x_NHd.size(2)}).permute({1, 0, 2, 3}).to(wide(x_NHd)).contiguous();
}
at::Tensor keys_GNd(const at::Tensor& x_NGd) { return x_NGd.permute({1, 0, 2}).to(wide(x_NGd)); }

/// One segment's place among the rows of queries and of keys.
struct Place {
  Range rows;               ///< queries
  std::vector<Range> keys;  ///< what they attend to, in order; the last query lines up with the last key
  int64_t key_count() const {
    return std::accumulate(keys.begin(), keys.end(), int64_t(0), [](int64_t sum, const Range& range) { return sum + range.second - range.first; });
  }
};

Place place_of(const Segment& segment) {
  Place made{{segment.begin, segment.end}, {}};
  std::vector<Range> all = segment.context;
  all.emplace_back(segment.begin, segment.end);
  for (const Range& range : all) {
    if (range.first == range.second) continue;
    if (!made.keys.empty() && made.keys.back().second == range.first) made.keys.back().second = range.second;
    else made.keys.push_back(range);
  }
  return made;
}

/// Segments that share rows of context: their gradients meet, so one thread takes them all.
std::vector<std::vector<Place>> families(std::vector<Place> places) {
  std::erase_if(places, [](const Place& place) { return place.rows.first == place.rows.second; });
  std::ranges::sort(places, {}, [](const Place& place) { return place.rows.first; });
  std::vector<std::vector<Place>> made;
  int64_t reaches = 0;
  for (size_t i = places.size(); i-- > 0;) {
    if (i + 1 == places.size() || reaches >= places[i].rows.second) {
      made.emplace_back();
      reaches = places[i].rows.first;
    }
    for (const Range& range : places[i].keys) reaches = std::min(reaches, range.first);
    made.back().push_back(places[i]);
  }
  return made;
}

/// Rows of several ranges as one matrix; a view where they lie together.
at::Tensor gather(const at::Tensor& x_Nd, const std::vector<Range>& ranges) {
  if (ranges.size() == 1) return x_Nd.slice(0, ranges[0].first, ranges[0].second);
  std::vector<at::Tensor> parts;
  for (const Range& range : ranges) parts.push_back(x_Nd.slice(0, range.first, range.second));
  return at::cat(parts);
}

void scatter_add(const at::Tensor& x_Nd, const std::vector<Range>& ranges, const at::Tensor& part_Kd) {
  if (ranges.size() == 1) return;  // gather() gave a view.
  int64_t row = 0;
  for (const Range& range : ranges) {
    const int64_t count = range.second - range.first;
    x_Nd.slice(0, range.first, range.second).add_(part_Kd.narrow(0, row, count));
    row += count;
  }
}

/// Some rows of queries against the keys that at least one of them reaches: [lo, hi) of the place's keys.
struct Tile {
  int64_t begin, end, lo, hi;
  int64_t held;  ///< keys before the place's first query
  int64_t window;

  Range reach(int64_t row) const {
    const int64_t to = held + row + 1;
    return {(window > 0 ? std::max<int64_t>(0, to - window) : 0) - lo, to - lo};
  }
};

template <typename Body>
void each_tile(const Place& place, int64_t group, int64_t window, const Body& body) {
  const int64_t rows = place.rows.second - place.rows.first, held = place.key_count() - rows;
  for (int64_t begin = 0; begin < rows;) {
    const int64_t reached = window > 0 ? std::min(held + rows, window + kTileRows) : held + rows;
    const int64_t step = std::clamp<int64_t>(kTileElements / std::max<int64_t>(1, reached * group), 1, std::max<int64_t>(1, kTileRows / group));
    Tile tile{begin, std::min(rows, begin + step), 0, 0, held, window};
    tile.lo = tile.reach(begin).first, tile.hi = held + tile.end;
    body(tile);
    begin = tile.end;
  }
}

/// Room for scores, used again from tile to tile.
class Room {
 public:
  explicit Room(at::TensorOptions options) : options_(options) {}
  at::Tensor matrix(int64_t rows, int64_t columns) {
    if (!all_.defined() || all_.numel() < rows * columns) all_ = at::empty({rows * columns}, options_);
    return all_.narrow(0, 0, rows * columns).view({rows, columns});
  }

 private:
  at::TensorOptions options_;
  at::Tensor all_;
};

/// Families times key heads on the pool's threads where they are many; else one after the other, and each product is spread.
template <typename Body>
void each_task(size_t families, int64_t groups, const Body& body) {
  const auto tasks = int64_t(families) * groups;
  const auto run = [&](int64_t begin, int64_t end) {
    const at::AutoDispatchBelowAutograd plain;
    for (int64_t t = begin; t < end; ++t) body(size_t(t / groups), t % groups);
  };
  if (tasks >= 4 * at::get_num_threads()) parallel(tasks, 1, run);
  else run(0, tasks);
}

template <typename T>
void softmax_tile(const Tile& tile, const at::Tensor& score, int64_t group, T scale, T* lse) {
  const int64_t n = score.size(1);
  T* s = score.data_ptr<T>();
  parallel(score.size(0), std::max<int64_t>(1, 8192 / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const auto [from, to] = tile.reach(tile.begin + r / group);
      lse[r] = softmax_row(s + r * n, from, to, n, scale);
    }
  });
}

template <typename T>
void softmax_tile_backward(const Tile& tile, const at::Tensor& score, const at::Tensor& gradient, int64_t group, T scale, const T* lse, const T* delta) {
  const int64_t n = score.size(1);
  T *s = score.data_ptr<T>(), *g = gradient.data_ptr<T>();
  parallel(score.size(0), std::max<int64_t>(1, 8192 / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const auto [from, to] = tile.reach(tile.begin + r / group);
      softmax_row_backward(s + r * n, g + r * n, from, to, n, scale, lse[r], delta[r]);
    }
  });
}

struct Attended {
  at::Tensor out_GNgd, lse_GNg;
};

template <typename T>
Attended attend(const at::Tensor& q_GNgd, const at::Tensor& k_GKd, const at::Tensor& v_GKd, const std::vector<std::vector<Place>>& families, double scale,
                int64_t window) {
  const int64_t group = q_GNgd.size(2);
  Attended made{at::empty_like(q_GNgd), at::empty({q_GNgd.size(0), q_GNgd.size(1), group}, q_GNgd.options())};
  each_task(families.size(), q_GNgd.size(0), [&](size_t family, int64_t head) {
    const at::Tensor q_Nd = q_GNgd[head].flatten(0, 1), out_Nd = made.out_GNgd[head].flatten(0, 1);
    T* lse = made.lse_GNg[head].template data_ptr<T>();
    Room room(q_Nd.options());
    for (const Place& place : families[family]) {
      const at::Tensor k = gather(k_GKd[head], place.keys), v = gather(v_GKd[head], place.keys);
      each_tile(place, group, window, [&](const Tile& tile) {
        const int64_t first = (place.rows.first + tile.begin) * group, rows = (tile.end - tile.begin) * group;
        at::Tensor score = room.matrix(rows, tile.hi - tile.lo), out = out_Nd.narrow(0, first, rows);
        at::mm_out(score, q_Nd.narrow(0, first, rows), k.slice(0, tile.lo, tile.hi).t());
        softmax_tile<T>(tile, score, group, T(scale), lse + first);
        at::mm_out(out, score, v.slice(0, tile.lo, tile.hi));
      });
    }
  });
  return made;
}

struct Inputs {
  at::Tensor q_GNgd, k_GNd, v_GNd;
};

template <typename T>
Inputs attend_backward(const Inputs& in, const at::Tensor& grad_GNgd, const at::Tensor& lse_GNg, const at::Tensor& delta_GNg,
                       const std::vector<std::vector<Place>>& families, double scale, int64_t window) {
  const int64_t group = in.q_GNgd.size(2);
  const Inputs made{at::empty_like(in.q_GNgd), at::zeros_like(in.k_GNd), at::zeros_like(in.v_GNd)};
  each_task(families.size(), in.q_GNgd.size(0), [&](size_t family, int64_t head) {
    const at::Tensor q_Nd = in.q_GNgd[head].flatten(0, 1), grad_Nd = grad_GNgd[head].flatten(0, 1), dq_Nd = made.q_GNgd[head].flatten(0, 1);
    const T *lse = lse_GNg[head].template const_data_ptr<T>(), *delta = delta_GNg[head].template const_data_ptr<T>();
    Room scores(q_Nd.options()), gradients(q_Nd.options());
    for (const Place& place : families[family]) {
      const at::Tensor k = gather(in.k_GNd[head], place.keys), v = gather(in.v_GNd[head], place.keys);
      const bool view = place.keys.size() == 1;
      const at::Tensor dk = view ? gather(made.k_GNd[head], place.keys) : at::zeros_like(k), dv = view ? gather(made.v_GNd[head], place.keys) : at::zeros_like(v);
      each_tile(place, group, window, [&](const Tile& tile) {
        const int64_t first = (place.rows.first + tile.begin) * group, rows = (tile.end - tile.begin) * group, keys = tile.hi - tile.lo;
        const at::Tensor q = q_Nd.narrow(0, first, rows), grad = grad_Nd.narrow(0, first, rows), k_here = k.narrow(0, tile.lo, keys);
        at::Tensor p = scores.matrix(rows, keys), ds = gradients.matrix(rows, keys), dq = dq_Nd.narrow(0, first, rows);
        at::mm_out(p, q, k_here.t());
        at::mm_out(ds, grad, v.narrow(0, tile.lo, keys).t());
        softmax_tile_backward<T>(tile, p, ds, group, T(scale), lse + first, delta + first);
        dv.narrow(0, tile.lo, keys).addmm_(p.t(), grad);
        at::mm_out(dq, ds, k_here);
        dk.narrow(0, tile.lo, keys).addmm_(ds.t(), q);
      });
      scatter_add(made.k_GNd[head], place.keys, dk);
      scatter_add(made.v_GNd[head], place.keys, dv);
    }
  });
  return made;
}

double scale_or_default(double scale, int64_t head_size) { return scale == 0 ? 1 / std::sqrt(double(head_size)) : scale; }

at::Tensor in_rows(const at::Tensor& x_GNgd, at::ScalarType dtype) {
  return x_GNgd.permute({1, 0, 2, 3}).flatten(1, 2).to(dtype).contiguous();
}

/// Segments through autograd's own store of plain data.
std::vector<int64_t> flatten(const std::vector<std::vector<Place>>& families) {
  std::vector<int64_t> flat;
  for (const auto& family : families) {
    flat.push_back(int64_t(family.size()));
    for (const Place& place : family) {
      flat.insert(flat.end(), {place.rows.first, place.rows.second, int64_t(place.keys.size())});
      for (const Range& range : place.keys) flat.insert(flat.end(), {range.first, range.second});
    }
  }
  return flat;
}
std::vector<std::vector<Place>> unflatten(const std::vector<int64_t>& flat) {
  std::vector<std::vector<Place>> families;
  for (size_t i = 0; i < flat.size();) {
    auto& family = families.emplace_back(size_t(flat[i++]));
    for (Place& place : family) {
      place.rows = {flat[i], flat[i + 1]};
      place.keys.resize(size_t(flat[i + 2]));
      i += 3;
      for (Range& range : place.keys) range = {flat[i], flat[i + 1]}, i += 2;
    }
  }
  return families;
}

class FusedOnCpu final : public Function<FusedOnCpu> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& query_NHd, const Variable& key_NGd, const Variable& value_NGd,
                          const std::vector<std::vector<Place>>& families, double scale, int64_t window) {
    const at::Tensor q = queries_GNgd(query_NHd, key_NGd.size(1)), k = keys_GNd(key_NGd), v = keys_GNd(value_NGd);
    const Attended made = q.scalar_type() == at::kDouble ? attend<double>(q, k, v, families, scale, window) : attend<float>(q, k, v, families, scale, window);
    const at::Tensor out_NHd = in_rows(made.out_GNgd, query_NHd.scalar_type());
    ctx->save_for_backward({query_NHd, key_NGd, value_NGd, out_NHd, made.lse_GNg});
    ctx->saved_data["families"] = flatten(families);
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["window"] = window;
    return out_NHd;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const int64_t groups = saved[1].size(1);
    const Inputs in{queries_GNgd(saved[0], groups), keys_GNd(saved[1]), keys_GNd(saved[2])};
    const at::Tensor grad = queries_GNgd(grads[0].contiguous(), groups), lse = saved[4];
    const at::Tensor delta = (grad * queries_GNgd(saved[3], groups)).sum(-1);
    const auto families = unflatten(ctx->saved_data["families"].toIntVector());
    const double scale = ctx->saved_data["scale"].toDouble();
    const int64_t window = ctx->saved_data["window"].toInt();
    const Inputs made = grad.scalar_type() == at::kDouble ? attend_backward<double>(in, grad, lse, delta, families, scale, window)
                                                          : attend_backward<float>(in, grad, lse, delta, families, scale, window);
    const auto stored = saved[0].scalar_type();
    const auto keys = [&](const at::Tensor& x_GNd) { return x_GNd.permute({1, 0, 2}).to(stored).contiguous(); };
    return {in_rows(made.q_GNgd, stored), keys(made.k_GNd), keys(made.v_GNd), Variable(), Variable(), Variable()};
  }
};

}  // namespace

at::Tensor fused_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd, const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                           const AttentionOptions& options) {
  std::vector<Place> places;
  for (const Segment& segment : segments) places.push_back(place_of(segment));
  return FusedOnCpu::apply(query_NHd.contiguous(), key_NGd, value_NGd, families(std::move(places)), scale_or_default(options.scale, query_NHd.size(2)), options.window);
}

at::Tensor fused_attention(const at::Tensor& query_RHd, const at::Tensor& key_KGd, const at::Tensor& value_KGd, const AttentionOptions& options) {
  const at::NoGradGuard no_grad;
  const std::vector<std::vector<Place>> one = {{{{0, query_RHd.size(0)}, {{0, key_KGd.size(0)}}}}};
  const at::Tensor q = queries_GNgd(query_RHd.contiguous(), key_KGd.size(1)), k = keys_GNd(key_KGd), v = keys_GNd(value_KGd);
  const double scale = scale_or_default(options.scale, query_RHd.size(2));
  const Attended made = q.scalar_type() == at::kDouble ? attend<double>(q, k, v, one, scale, options.window) : attend<float>(q, k, v, one, scale, options.window);
  return in_rows(made.out_GNgd, query_RHd.scalar_type());
}

}  // namespace attune::nn
