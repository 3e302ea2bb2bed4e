#include "meta/profile/flame.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/html.h"
#include "meta/profile/flame_page.h"
#include "meta/profile/table.h"

namespace innerloop::meta::profile {
namespace {

struct Node {
  double seconds = 0;
  std::string kind = "range";  ///< or the derivative order of a kernel
  double flops = 0, bytes = 0;
  std::vector<std::string> order;  ///< children as they first came
  std::map<std::string, std::unique_ptr<Node>> children;

  Node& child(const std::string& name) {
    std::unique_ptr<Node>& slot = children[name];
    if (slot == nullptr) {
      slot = std::make_unique<Node>();
      order.push_back(name);
    }
    return *slot;
  }
};

std::string label_of(const Span& span) {
  return span.step != kNoInnerStep && (span.name == "inner step" || span.name == "hessian-vector product")
             ? fmt::format("{} {}", span.name, span.step + 1)
             : std::string(span.name);
}

/// The box of a span, below those of the spans around it.
Node& box_of(Node& root, const Track& parents, const Span& span) {
  std::vector<const Span*> path{&span};
  for (std::int32_t at = span.parent; at >= 0; at = parents.spans[static_cast<std::size_t>(at)].parent)
    path.push_back(&parents.spans[static_cast<std::size_t>(at)]);
  Node* node = &root;
  for (auto s = path.rbegin(); s != path.rend(); ++s) node = &node->child(label_of(**s));
  return *node;
}

Node tree_of(const Recording& recording) {
  Node root;
  const auto lanes = recording.lanes();
  for (const Track* lane : lanes) {
    const Track& parents = recording.parents_of(*lane);
    const bool queue = &parents != lane;
    for (const Span& span : lane->spans) {
      Node& box = box_of(root, parents, span);
      box.seconds += span.taken;
      if (span.is_kernel()) {
        box.kind = place_of(parents, span).order;
        if (!span.composed) {
          box.flops += static_cast<double>(span.cost.flops);
          box.bytes += static_cast<double>(span.cost.bytes);
        }
      }
      // On a device, ranges are as long as the kernels in them.
      if (queue && (span.parent < 0 || !parents.spans[static_cast<std::size_t>(span.parent)].is_kernel()))
        for (std::int32_t at = span.parent; at >= 0; at = parents.spans[static_cast<std::size_t>(at)].parent)
          box_of(root, parents, parents.spans[static_cast<std::size_t>(at)]).seconds += span.taken;
    }
  }
  root.seconds = recording.seconds * static_cast<double>(std::max<std::size_t>(1, lanes.size()));
  return root;
}

nlohmann::ordered_json json_of(const std::string& name, const Node& node) {
  nlohmann::ordered_json j{{"n", name}, {"s", node.seconds}, {"k", node.kind}};
  if (node.flops > 0) j["f"] = node.flops;
  if (node.bytes > 0) j["b"] = node.bytes;
  if (!node.order.empty()) {
    j["c"] = nlohmann::ordered_json::array();
    for (const std::string& child : node.order) j["c"].push_back(json_of(child, *node.children.at(child)));
  }
  return j;
}

/// JSON inside of a script element: no text in it may end the element.
std::string for_script(std::string json) {
  std::string out;
  for (const char c : json) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

void replace(std::string& page, std::string_view mark, const std::string& by) {
  const std::size_t at = page.find(mark);
  page.replace(at, mark.size(), by);
}

}  // namespace

std::string flame_page(const Recording& recording, const std::string& title) {
  const Node root = tree_of(recording);
  const std::string tree = json_of("meta-step, all lanes", root).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::string page(flame_template());
  // From the last to the first, so that nothing is looked for in what was put in.
  replace(page, "@TREE@", for_script(tree));
  replace(page, "@HEADING@", io::escape_html(title));
  replace(page, "@TITLE@", io::escape_html(title));
  return page;
}

}  // namespace innerloop::meta::profile
