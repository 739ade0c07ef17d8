// A back end whose nuclei always pass each other, and what TransportEmulatorModel then says: passing DIRECTORY.
#include <cmath>
#include <cstdio>

#include "TransportEmulatorModel.hh"
#include "geant4.hh"

namespace {

class Passing : public Backend {
  Lists nuclei(std::int64_t, std::vector<double>&, std::vector<double>&) override { return {{12, 12, 0}, {6, 6, 0}}; }
  Motion momenta(std::int64_t, std::vector<double>&, Lists&, std::vector<float>&) override {
    return {{10, 0, 2000, -10, 0, -2000, 0, 0, 0}, {0.4, 0.1, 0}, {1}};
  }
};

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string&) { return std::make_unique<Passing>(); }

int main(int, char** arguments) {
  G4NucleiProperties::mass = [](int A, int) { return 931.5 * A; };
  G4HadronicInteraction other;
  TransportEmulatorModel model(arguments[1], &other);
  const Emulator emulator(arguments[1]);
  const G4ParticleDefinition carbon(12, 6, emulator.mass(12, 6));
  G4Nucleus target(12, 6);
  const G4HadFinalState* state = model.ApplyYourself(G4HadProjectile(&carbon, 12 * 62.0), target);
  const bool right = state->GetStatusChange() == isAlive && state->GetNumberOfSecondaries() == 0 &&
                     state->GetEnergyChange() == 12 * 62.0 && state->GetMomentumChange().z() == 1 &&
                     state->GetLocalEnergyDeposit() == 0;
  std::printf(right ? "right\n" : "wrong\n");
  return right ? 0 : 1;
}
