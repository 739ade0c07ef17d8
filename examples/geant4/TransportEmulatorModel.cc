#include "TransportEmulatorModel.hh"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "G4DynamicParticle.hh"
#include "G4Fragment.hh"
#include "G4LorentzVector.hh"
#include "G4Neutron.hh"
#include "G4NucleiProperties.hh"
#include "G4ParticleDefinition.hh"
#include "G4Proton.hh"
#include "G4ReactionProduct.hh"
#include "G4ReactionProductVector.hh"
#include "G4SystemOfUnits.hh"
#include "G4ThreeVector.hh"
#include "Randomize.hh"

namespace {

constexpr int tries = 100;  // impact parameters until something happens

System system_of(const G4HadProjectile& projectile, const G4Nucleus& target) {
  const auto* kind = projectile.GetDefinition();
  return {kind->GetBaryonNumber(), kind->GetAtomicNumber(), target.GetA_asInt(), target.GetZ_asInt()};
}

}  // namespace

TransportEmulatorModel::TransportEmulatorModel(const std::string& directory, G4HadronicInteraction* other)
    : G4HadronicInteraction("TransportEmulator"), emulator_(directory), other_(other) {
  SetMinEnergy(emulator_.lowest() * MeV);  // Geant4 compares with the kinetic energy per nucleon
  SetMaxEnergy(emulator_.highest() * MeV);
}

// Whatever comes within these energies: what was not trained is passed on in ApplyYourself. Geant4 cannot choose
// between models by nuclei where their ranges of energy are the same.
G4bool TransportEmulatorModel::IsApplicable(const G4HadProjectile& projectile, G4Nucleus&) {
  return projectile.GetDefinition()->GetBaryonNumber() > 1;
}

bool TransportEmulatorModel::trained(const G4HadProjectile& projectile, const System& system) const {
  if (system.A_projectile < 1 || !emulator_.knows(system)) return false;
  const double energy = projectile.GetKineticEnergy() / MeV / system.A_projectile;
  // an isomer is heavier than the ground state
  const double mass = emulator_.mass(system.A_projectile, system.Z_projectile) * MeV;
  return energy >= emulator_.lowest() && energy <= emulator_.highest() &&
         std::abs(projectile.GetDefinition()->GetPDGMass() - mass) < 0.1 * MeV;
}

// The process' cross section is that of reactions: two nuclei that pass each other are drawn again.
bool TransportEmulatorModel::reaction(const System& system, double energy, Collision& collision) const {
  const auto seed = static_cast<std::uint64_t>(G4UniformRand() * 0x1p53);
  for (int event = 0; event < tries; ++event) {
    collision = emulator_.collide(system, energy, seed, event, 1).front();
    if (!emulator_.untouched(system, collision)) return true;
  }
  return false;
}

G4HadFinalState* TransportEmulatorModel::ApplyYourself(const G4HadProjectile& projectile, G4Nucleus& target) {
  const System system = system_of(projectile, target);
  if (!trained(projectile, system)) return other_->ApplyYourself(projectile, target);
  Collision collision;
  bool happened = false;
  try {
    happened = reaction(system, projectile.GetKineticEnergy() / MeV / system.A_projectile, collision);
  } catch (const std::runtime_error&) {  // no event fits the energy
    return other_->ApplyYourself(projectile, target);
  }
  theParticleChange.Clear();
  if (!happened) {  // the projectile goes on as it came
    theParticleChange.SetStatusChange(isAlive);
    theParticleChange.SetEnergyChange(projectile.GetKineticEnergy());
    theParticleChange.SetMomentumChange(projectile.Get4Momentum().vect().unit());
    return &theParticleChange;
  }
  theParticleChange.SetStatusChange(stopAndKill);
  // here the projectile flies along z; the process turns all secondaries into its direction
  for (const auto& nucleus : collision.nuclei) add(nucleus);
  return &theParticleChange;
}

void TransportEmulatorModel::add(const Nucleus& nucleus) {
  if (nucleus.Z == 0 || nucleus.Z == nucleus.A) {
    add_cluster(nucleus);
    return;
  }
  G4LorentzVector momentum(nucleus.x * MeV, nucleus.y * MeV, nucleus.z * MeV, nucleus.energy * MeV);
  // Geant4's masses are other tables of the same: a cold nucleus must not fall below its ground state
  const double ground = G4NucleiProperties::GetNuclearMass(nucleus.A, nucleus.Z);
  if (momentum.m() < ground) momentum.setE(std::sqrt(ground * ground + momentum.vect().mag2()));
  const G4Fragment fragment(nucleus.A, nucleus.Z, momentum);
  G4ReactionProductVector* products = handler_.BreakItUp(fragment);
  for (G4ReactionProduct* one : *products) {
    theParticleChange.AddSecondary(
        new G4DynamicParticle(one->GetDefinition(), one->GetTotalEnergy(), one->GetMomentum()));
    delete one;
  }
  delete products;
}

// A nucleon; or neutrons or protons alone, which nothing binds: they go on side by side, and the little excitation that
// such a rare cluster has is left where it was.
void TransportEmulatorModel::add_cluster(const Nucleus& nucleus) {
  const G4ParticleDefinition* kind = nucleus.Z == 0 ? static_cast<G4ParticleDefinition*>(G4Neutron::Definition())
                                                    : static_cast<G4ParticleDefinition*>(G4Proton::Definition());
  const G4ThreeVector each(nucleus.x * MeV / nucleus.A, nucleus.y * MeV / nucleus.A, nucleus.z * MeV / nucleus.A);
  double left = nucleus.energy * MeV;
  for (int number = 0; number < nucleus.A; ++number) {
    auto* particle = new G4DynamicParticle(kind, each);
    left -= particle->GetTotalEnergy();
    theParticleChange.AddSecondary(particle);
  }
  if (nucleus.A > 1)
    theParticleChange.SetLocalEnergyDeposit(theParticleChange.GetLocalEnergyDeposit() + std::max(left, 0.0));
}

const std::pair<G4double, G4double> TransportEmulatorModel::GetFatalEnergyCheckLevels() const {
  return {5 * perCent, 10 * MeV};  // the emulator conserves energy; nuclei without a measured mass have another here
}

std::pair<G4double, G4double> TransportEmulatorModel::GetEnergyMomentumCheckLevels() const {
  return {1 * perCent, 10 * MeV};
}

void TransportEmulatorModel::ModelDescription(std::ostream& out) const {
  out << "TransportEmulator draws the final states of collisions of light nuclei from a network that learned them\n"
      << "from Boltzmann-Langevin transport (cloudchamber), from " << emulator_.lowest() << " to " << emulator_.highest()
      << " MeV per nucleon:";
  for (const auto& one : emulator_.systems())
    out << " A=" << one.A_projectile << " Z=" << one.Z_projectile << " on A=" << one.A_target
        << " Z=" << one.Z_target << ";";
  out << "\nhot fragments decay by G4ExcitationHandler. Other nuclei go to " << other_->GetModelName() << ".\n";
}
