#include "io/safetensors.h"

#include <gtest/gtest.h>

#include "data_fixtures.h"
#include "tensor/context.h"

namespace innerloop::io {
namespace {

/// A file with this header and as many bytes of data.
std::string raw(const std::string& header, std::size_t data_bytes, std::uint64_t claimed = UINT64_MAX) {
  std::uint64_t length = claimed == UINT64_MAX ? header.size() : claimed;
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  return bytes + header + std::string(data_bytes, '\x01');
}

TensorFile sample_file() {
  TensorFile file;
  file.add("z.first", Tensor::from<float>({2, 2}, std::vector<float>{1, -2.5f, 3, 1e-40f}));
  file.add("bytes", Tensor::from<std::uint8_t>({3}, std::vector<std::uint8_t>{0, 7, 255}));
  file.add("a \"quoted\" name", Tensor::from<double>({1}, std::vector<double>{0.1}));
  file.add("scalar", Tensor::from<std::int32_t>({}, std::vector<std::int32_t>{-5}));
  file.add("none", Tensor::zeros({4, 0, 2}, DType::kI64));
  file.add("big", Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{INT64_MIN, INT64_MAX}));
  file.metadata = {{"format", "test"}, {"config", "a = 1\nb = \"é\"\n"}};
  return file;
}

TEST(Safetensors, GivesBackWhatWasWritten) {
  const TempFolder folder;
  const std::string path = folder.path("t.safetensors");
  const TensorFile written = sample_file();
  write_safetensors(path, written);
  const TensorFile read = read_safetensors(path);
  EXPECT_EQ(read.metadata, written.metadata);
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (const auto& [name, tensor] : written.tensors) {
    const Tensor& other = read.at(name);
    EXPECT_EQ(other.shape(), tensor.shape()) << name;
    EXPECT_EQ(other.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(std::memcmp(other.view().data, tensor.view().data, tensor.bytes()), 0) << name;
  }
  EXPECT_EQ(read.tensors[0].first, "z.first");
  EXPECT_EQ(read.tensors[1].first, "bytes");
  EXPECT_EQ(read.find("absent"), nullptr);
  EXPECT_SAYS(read.at("absent"), path + ": there is no tensor 'absent'; it has: z.first");
}

TEST(Safetensors, BytesAreAFunctionOfTheContent) {
  const TempFolder folder;
  write_safetensors(folder.path("a"), sample_file());
  write_safetensors(folder.path("b"), sample_file());
  const std::string bytes = read_file(folder.path("a"));
  EXPECT_EQ(bytes, read_file(folder.path("b")));
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ(header % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + header + 16 + 3 + 8 + 4 + 0 + 16);
}

TEST(Safetensors, ReadsAFileByHand) {
  const TempFolder folder;
  const std::string path = folder.write("hand", raw(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                                                    R"("a":{"dtype":"U8","shape":[1,1],"data_offsets":[0,1]}})",
                                                    3));
  const TensorFile file = read_safetensors(path);
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].first, "a");
  EXPECT_EQ(file.at("b").item(1), 1);
}

struct Lie {
  const char* what;
  std::string bytes, says;
};

TEST(Safetensors, CatchesEveryLie) {
  const auto one = [](const std::string& entry) { return R"({"t":)" + entry + "}"; };
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const Lie lies[] = {
      {"empty", "", "0 bytes are too few"},
      {"short", "1234567", "7 bytes are too few"},
      {"header beyond the file", raw(one(good), 8, 1000), "claims a header of 1000 bytes"},
      {"header of 2^63 bytes", raw(one(good), 8, std::uint64_t{1} << 63), "claims a header of 9223372036854775808"},
      {"text", "this is a text, no tensors at all", "claims a header"},
      {"not JSON", raw("{\"t\":", 8), "not JSON"},
      {"bytes that are no UTF-8", raw("{\"\xff\":1}", 0), "not JSON"},
      {"a list", raw("[1,2]", 0), "not a JSON object"},
      {"deep", raw(std::string(100'000, '[') + std::string(100'000, ']'), 0), "too deep"},
      {"entry is a number", raw(R"({"t":3})", 0), "'t': its entry is not an object"},
      {"no dtype", raw(one(R"({"shape":[2],"data_offsets":[0,8]})"), 8), "'dtype' is missing"},
      {"no shape", raw(one(R"({"dtype":"F32","data_offsets":[0,8]})"), 8), "'shape' is missing"},
      {"unknown dtype", raw(one(R"({"dtype":"F16","shape":[4],"data_offsets":[0,8]})"), 8),
       "dtype 'F16' is not one of"},
      {"dtype a number", raw(one(R"({"dtype":32,"shape":[4],"data_offsets":[0,8]})"), 8), "dtype is not a string"},
      {"negative shape", raw(one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), 8),
       "-2 in its shape is not a size"},
      {"fractional shape", raw(one(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})"), 8), "2.0 in its shape"},
      {"overflowing extent", raw(one(R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]})"), 8),
       "is not a size"},
      {"overflowing product", raw(one(R"({"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,0]})"), 0),
       "too large for any file"},
      {"huge tensor in a small file",
       raw(one(R"({"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]})"), 8),
       "end beyond the 8 bytes"},
      {"rank 7", raw(one(R"({"dtype":"F32","shape":[1,1,1,1,1,1,2],"data_offsets":[0,8]})"), 8), "rank 7"},
      {"shape of another size", raw(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), 8), "needs 12 bytes"},
      {"offsets backwards", raw(one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), 8), "run backwards"},
      {"three offsets", raw(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4,8]})"), 8), "are not two sizes"},
      {"negative offset", raw(one(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})"), 8), "are not two sizes"},
      {"truncated data", raw(one(good), 7), "end beyond the 7 bytes"},
      {"trailing bytes", raw(one(good), 9), "1 bytes after the last tensor"},
      {"a gap",
       raw(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
           R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
           3),
       "1 bytes before tensor 'b'"},
      {"overlap",
       raw(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
           R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
           3),
       "'a' and 'b' overlap"},
      {"same bytes twice",
       raw(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
           R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
           2),
       "overlap"},
      {"a name twice",
       raw(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
           R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
           1),
       "'a' stands twice"},
      {"metadata a list", raw(R"({"__metadata__":[]})", 0), "__metadata__ is not an object"},
      {"metadata of numbers", raw(R"({"__metadata__":{"k":1}})", 0), "the value of 'k' is not a string"},
  };
  const TempFolder folder;
  for (const Lie& lie : lies) {
    SCOPED_TRACE(lie.what);
    const std::string path = folder.write("lie", lie.bytes);
    EXPECT_SAYS(read_safetensors(path), lie.says);
    EXPECT_SAYS(read_safetensors(path), path);
  }
  EXPECT_SAYS(read_safetensors(folder.path("absent")), "no such file");
  EXPECT_SAYS(read_safetensors(folder.path()), "is not a file");
}

TEST(Safetensors, AnyCutAndAnyFlippedBitIsReadOrRefused) {
  const TempFolder folder;
  write_safetensors(folder.path("whole"), sample_file());
  const std::string whole = read_file(folder.path("whole"));
  for (std::size_t n = 0; n < whole.size(); n += 3) {
    const std::string path = folder.write("cut", whole.substr(0, n));
    EXPECT_THROW(read_safetensors(path), Error) << n;
  }
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    const std::string path = folder.write("flipped", flipped);
    refused += !text_of([&] { read_safetensors(path); }).empty();
  }
  EXPECT_GT(refused, 100);
}

TEST(Safetensors, RefusesToWriteNonsense) {
  const TempFolder folder;
  TensorFile twice;
  twice.add("a", Tensor::zeros({1}, DType::kF32));
  twice.add("a", Tensor::zeros({1}, DType::kF32));
  EXPECT_SAYS(write_safetensors(folder.path("x"), twice), "two tensors are named 'a'");
  TensorFile undefined;
  undefined.add("a", Tensor());
  EXPECT_SAYS(write_safetensors(folder.path("x"), undefined), "'a' is undefined");
  TensorFile reserved;
  reserved.add("__metadata__", Tensor::zeros({1}, DType::kF32));
  EXPECT_SAYS(write_safetensors(folder.path("x"), reserved), "cannot be named");
  EXPECT_FALSE(std::filesystem::exists(folder.path("x")));
}

}  // namespace
}  // namespace innerloop::io
