// nuclei.onnx and momenta.onnx with ONNX Runtime.
#include <onnxruntime_cxx_api.h>

#include "backend.h"

namespace {

Ort::SessionOptions one_thread() {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  return options;
}

template <class T>
Ort::Value tensor(std::vector<T>& values, const std::vector<std::int64_t>& shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<T>(memory, values.data(), values.size(), shape.data(), shape.size());
}

template <class T, class To = T>
std::vector<To> copied(const Ort::Value& value) {
  const T* first = value.GetTensorData<T>();
  return std::vector<To>(first, first + value.GetTensorTypeAndShapeInfo().GetElementCount());
}

class OnnxRuntime : public Backend {
 public:
  explicit OnnxRuntime(const std::string& directory)
      : environment_(ORT_LOGGING_LEVEL_ERROR, "collide"),
        nuclei_(environment_, (directory + "/nuclei.onnx").c_str(), one_thread()),
        momenta_(environment_, (directory + "/momenta.onnx").c_str(), one_thread()) {}

  Lists nuclei(std::int64_t events, std::vector<double>& condition, std::vector<double>& uniform) override {
    const char* inputs[] = {"condition", "uniform"};
    const char* outputs[] = {"A", "Z"};
    const auto numbers = static_cast<std::int64_t>(uniform.size()) / events;
    Ort::Value given[] = {tensor(condition, {events, 6}), tensor(uniform, {events, numbers})};
    const auto found = nuclei_.Run(Ort::RunOptions{nullptr}, inputs, given, 2, outputs, 2);
    return {copied<std::int64_t>(found[0]), copied<std::int64_t>(found[1])};
  }

  Motion momenta(std::int64_t events, std::vector<double>& condition, Lists& lists,
                 std::vector<float>& normal) override {
    const char* inputs[] = {"condition", "A", "Z", "normal"};
    const char* outputs[] = {"momentum", "excitation", "solved"};
    const auto slots = static_cast<std::int64_t>(lists.A.size()) / events;
    Ort::Value given[] = {tensor(condition, {events, 6}), tensor(lists.A, {events, slots}),
                          tensor(lists.Z, {events, slots}), tensor(normal, {events, slots, 4})};
    const auto found = momenta_.Run(Ort::RunOptions{nullptr}, inputs, given, 4, outputs, 3);
    return {copied<double>(found[0]), copied<double>(found[1]), copied<bool, char>(found[2])};
  }

 private:
  Ort::Env environment_;
  Ort::Session nuclei_, momenta_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& directory) { return std::make_unique<OnnxRuntime>(directory); }
