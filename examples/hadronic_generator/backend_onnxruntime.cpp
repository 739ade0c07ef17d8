// kinds.onnx and momenta.onnx with ONNX Runtime.
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
      : environment_(ORT_LOGGING_LEVEL_ERROR, "generate"),
        kinds_(environment_, (directory + "/kinds.onnx").c_str(), one_thread()),
        momenta_(environment_, (directory + "/momenta.onnx").c_str(), one_thread()) {}

  std::vector<std::int64_t> kinds(std::int64_t events, std::vector<double>& condition,
                                  std::vector<double>& uniform) override {
    const char* inputs[] = {"condition", "uniform"};
    const char* outputs[] = {"kind"};
    const auto numbers = static_cast<std::int64_t>(uniform.size()) / events;
    Ort::Value given[] = {tensor(condition, {events, 4}), tensor(uniform, {events, numbers})};
    const auto found = kinds_.Run(Ort::RunOptions{nullptr}, inputs, given, 2, outputs, 1);
    return copied<std::int64_t>(found[0]);
  }

  Particles momenta(std::int64_t events, std::vector<double>& condition, std::vector<std::int64_t>& kind,
                    std::vector<double>& coin, std::vector<float>& normal) override {
    const char* inputs[] = {"condition", "kind", "coin", "normal"};
    const char* outputs[] = {"code", "momentum", "solved"};
    const auto most = static_cast<std::int64_t>(kind.size()) / events;
    Ort::Value given[] = {tensor(condition, {events, 4}), tensor(kind, {events, most}), tensor(coin, {events, most}),
                          tensor(normal, {events, most, 3})};
    const auto found = momenta_.Run(Ort::RunOptions{nullptr}, inputs, given, 4, outputs, 3);
    return {copied<std::int64_t>(found[0]), copied<double>(found[1]), copied<bool, char>(found[2])};
  }

 private:
  Ort::Env environment_;
  Ort::Session kinds_, momenta_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& directory) { return std::make_unique<OnnxRuntime>(directory); }
