// Runs TransportEmulatorModel without Geant4: main DIRECTORY. Prints a line for each thing that is wrong.
#include <cmath>
#include <cstdio>
#include <random>
#include <sstream>

#include "TransportEmulatorModel.hh"
#include "geant4.hh"

namespace {

int wrong = 0;

void check(bool right, const char* what) {
  if (right) return;
  std::printf("wrong: %s\n", what);
  ++wrong;
}

double drawn() {
  static std::mt19937_64 engine(1);
  return std::uniform_real_distribution<double>()(engine);
}

struct Other : G4HadronicInteraction {
  Other() : G4HadronicInteraction("other") {}
  int calls = 0;
  G4HadFinalState* ApplyYourself(const G4HadProjectile&, G4Nucleus&) override {
    ++calls;
    return &theParticleChange;
  }
};

}  // namespace

int main(int, char** arguments) {
  mock_uniform = drawn;
  const Emulator emulator(arguments[1]);
  G4NucleiProperties::mass = [&](int A, int Z) { return emulator.mass(A, Z); };
  Other other;
  TransportEmulatorModel model(arguments[1], &other);
  check(model.GetMinEnergy() == emulator.lowest() && model.GetMaxEnergy() == emulator.highest(), "range of energy");
  std::ostringstream words;
  model.ModelDescription(words);
  check(words.str().find("A=12 Z=6 on A=16 Z=8") != std::string::npos, "description");

  const G4ParticleDefinition carbon(12, 6, emulator.mass(12, 6)), isomer(12, 6, emulator.mass(12, 6) + 4.44),
      neon(20, 10, 18617);
  G4Nucleus oxygen(16, 8), lead(208, 82);
  const G4HadProjectile beam(&carbon, 12 * 62.0);
  check(model.IsApplicable(beam, lead), "applicable");

  double largest = 0, x = 0;
  int changed = 0;
  for (int event = 0; event < 300; ++event) {
    G4HadFinalState* state = model.ApplyYourself(beam, oxygen);
    double energy = -beam.Get4Momentum().e() - emulator.mass(16, 8) + state->GetLocalEnergyDeposit();
    double px = 0, py = 0, pz = -beam.Get4Momentum().vect().z(), first = 0;
    int A = 0, Z = 0;
    for (std::size_t i = 0; i < state->GetNumberOfSecondaries(); ++i) {
      const auto* one = state->GetSecondary(i)->GetParticle();
      energy += one->GetTotalEnergy();
      px += one->GetMomentum().x();
      py += one->GetMomentum().y();
      pz += one->GetMomentum().z();
      A += one->GetDefinition()->GetBaryonNumber();
      Z += one->GetDefinition()->GetAtomicNumber();
      if (i == 0) first = one->GetMomentum().x();
    }
    changed += state->GetStatusChange() == stopAndKill;
    x += first > 0;
    check(A == 28 && Z == 14, "nucleons");
    largest = std::fmax(largest, std::fabs(energy) + std::fabs(px) + std::fabs(py) + std::fabs(pz));
  }
  check(changed == 300, "the projectile is gone");
  check(largest < 1e-3, "conservation");  // of Geant4's nucleon masses, given with eight digits
  check(x > 100 && x < 200, "turned about the beam");
  check(other.calls == 0, "the other model is not asked");

  check(model.ApplyYourself(beam, lead) != nullptr && other.calls == 1, "another target");
  model.ApplyYourself(G4HadProjectile(&neon, 20 * 62.0), oxygen);
  check(other.calls == 2, "another projectile");
  model.ApplyYourself(G4HadProjectile(&carbon, 12 * (emulator.lowest() - 1)), oxygen);
  model.ApplyYourself(G4HadProjectile(&carbon, 12 * (emulator.highest() + 1)), oxygen);
  check(other.calls == 4, "another energy");
  model.ApplyYourself(G4HadProjectile(&isomer, 12 * 62.0), oxygen);
  check(other.calls == 5, "an isomer");
  if (wrong == 0) std::printf("right\n");
  return wrong;
}
