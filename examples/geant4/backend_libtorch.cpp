// nuclei.pt and momenta.pt with LibTorch.
#include <ATen/Parallel.h>
#include <torch/script.h>

#include "backend.h"

namespace {

template <class T>
at::Tensor tensor(std::vector<T>& values, at::IntArrayRef shape) {
  return torch::from_blob(values.data(), shape, c10::CppTypeToScalarType<T>::value);
}

template <class T, class To = T>
std::vector<To> copied(const c10::IValue& value) {
  const at::Tensor whole = value.toTensor().contiguous();
  const T* first = whole.const_data_ptr<T>();
  return std::vector<To>(first, first + whole.numel());
}

class LibTorch : public Backend {
 public:
  explicit LibTorch(const std::string& directory)
      : nuclei_(torch::jit::load(directory + "/nuclei.pt")), momenta_(torch::jit::load(directory + "/momenta.pt")) {
    at::set_num_threads(1);
    torch::jit::setGraphExecutorOptimize(false);  // sizes change from batch to batch
  }

  Lists nuclei(std::int64_t events, std::vector<double>& condition, std::vector<double>& uniform) override {
    c10::InferenceMode guard;
    const auto numbers = static_cast<std::int64_t>(uniform.size()) / events;
    const auto found =
        nuclei_.forward({tensor(condition, {events, 6}), tensor(uniform, {events, numbers})}).toTuple()->elements();
    return {copied<std::int64_t>(found[0]), copied<std::int64_t>(found[1])};
  }

  Motion momenta(std::int64_t events, std::vector<double>& condition, Lists& lists,
                 std::vector<float>& normal) override {
    c10::InferenceMode guard;
    const auto slots = static_cast<std::int64_t>(lists.A.size()) / events;
    const auto found = momenta_
                           .forward({tensor(condition, {events, 6}), tensor(lists.A, {events, slots}),
                                     tensor(lists.Z, {events, slots}), tensor(normal, {events, slots, 4})})
                           .toTuple()
                           ->elements();
    return {copied<double>(found[0]), copied<double>(found[1]), copied<bool, char>(found[3])};
  }

 private:
  torch::jit::Module nuclei_, momenta_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& directory) { return std::make_unique<LibTorch>(directory); }
