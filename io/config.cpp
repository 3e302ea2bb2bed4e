#include "io/config.h"

#include <fmt/core.h>

#include <type_traits>

#include "io/config_schema.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

using schema::Key;

std::string print_augmentation(const Augmentation& augmentation) {
  std::string text = fmt::format("{{ kind = \"{}\"", name_of(augmentation));
  std::visit(
      [&](const auto& step) {
        using Step = std::remove_cvref_t<decltype(step)>;
        for (const Key<Step>& key : schema::augmentation_keys<Step>())
          text += fmt::format(", {} = {}", key.name, schema::print(key, step));
      },
      augmentation);
  return text + " }";
}

std::string print_augmentations(const std::vector<Augmentation>& steps, std::string_view separator) {
  std::string text;
  for (const Augmentation& step : steps) {
    if (!text.empty()) text += separator;
    text += print_augmentation(step);
  }
  return text;
}

void check_augmentation(const Augmentation& augmentation, std::size_t index) {
  std::visit(
      [&](const auto& step) {
        using Step = std::remove_cvref_t<decltype(step)>;
        for (const Key<Step>& key : schema::augmentation_keys<Step>())
          schema::check(key, step, fmt::format("augment[{}].{}", index, key.name));
      },
      augmentation);
}

/// The side of the feature map after one block; 0 when nothing is left of it. Both paddings keep ceil(side / stride):
/// symmetric because its kernel is odd.
std::int64_t side_after_block(const ModelConfig& model, std::int64_t side) {
  side = (side + model.stride - 1) / model.stride;
  return model.pool == Pool::kMax ? side / 2 : side;
}

/// What ties the keys of [model] to each other and to the images.
void check_model(const Config& config) {
  const ModelConfig& model = config.model;
  if (model.padding == Padding::kSymmetric && model.kernel % 2 == 0) {
    fail_usage(
        "model.kernel: found {}, expected an odd number: symmetric padding puts (kernel - 1) / 2 on each side; "
        "choose an odd kernel or model.padding = \"same\"",
        model.kernel);
  }
  std::int64_t side = config.data.size;
  for (std::size_t block = 1; block <= model.filters.size(); ++block) {
    side = side_after_block(model, side);
    if (side < 1) {
      fail_usage(
          "data.size: images of {0}x{0} pixels shrink to nothing at block {1} of {2}; raise data.size, shorten "
          "model.filters, lower model.stride or set model.pool = \"none\"",
          config.data.size, block, model.filters.size());
    }
  }
}

template <class Step>
void add_docs(std::vector<KeyDoc>& docs) {
  const Step defaults{};
  for (const Key<Step>& key : schema::augmentation_keys<Step>()) {
    docs.push_back({fmt::format("augment.{}", key.path()), schema::expected(key), schema::print(key, defaults),
                    std::string(key.meaning)});
  }
}

void add_augment_docs(std::vector<KeyDoc>& docs) {
  const Config defaults;
  docs.push_back({"augment",
                  "an array of tables, each with kind = " +
                      schema::describe_choices(schema::augmentation_kinds(), schema::Spelling::kWord),
                  fmt::format("[{}]", print_augmentations(defaults.augment, ", ")),
                  "what makes a query of a support image, applied in order"});
  add_docs<SaltPepper>(docs);
  add_docs<GaussianNoise>(docs);
  add_docs<Shift>(docs);
}

}  // namespace

std::string to_toml(const Config& config) {
  // An array of inline tables reads the same whether it is empty or not, but as a root key it has to come first.
  std::string text = config.augment.empty()
                         ? std::string("augment = []\n")
                         : fmt::format("augment = [\n  {},\n]\n", print_augmentations(config.augment, ",\n  "));

  std::string_view section;
  for (const Key<Config>& key : schema::config_keys()) {
    if (key.section != section) text += fmt::format("\n[{}]\n", key.section);
    section = key.section;
    text += fmt::format("{} = {}\n", key.name, schema::print(key, config));
  }
  return text;
}

void validate(const Config& config) {
  for (const Key<Config>& key : schema::config_keys()) schema::check(key, config, key.path());
  if (config.augment.size() > schema::kMaxAugmentations) {
    fail_usage("augment: found {} tables, expected at most {}", config.augment.size(), schema::kMaxAugmentations);
  }
  for (std::size_t i = 0; i < config.augment.size(); ++i) check_augmentation(config.augment[i], i);

  if (config.supervised.system == System::kUmlf) check_model(config);  // the others have nets of their own
}

std::vector<KeyDoc> key_docs() {
  const Config defaults;
  std::vector<KeyDoc> docs;
  for (std::string_view section : schema::sections()) {
    if (section == "augment") add_augment_docs(docs);
    for (const Key<Config>& key : schema::config_keys()) {
      if (key.section != section) continue;
      docs.push_back({key.path(), schema::expected(key), schema::print(key, defaults), std::string(key.meaning)});
    }
  }
  return docs;
}

}  // namespace innerloop::io
