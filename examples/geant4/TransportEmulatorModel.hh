// Inelastic collisions of light nuclei in Geant4 from an emulator that `cloudchamber export` wrote.
//
// The process has drawn a reaction by its cross section; here is what becomes of it: an impact parameter between 0 and
// 1.05 sqrt(sigma / pi), hot nuclei and nucleons from the emulator, turned about the beam by a random angle; Geant4's
// de-excitation does the rest. Nuclei and energies that the emulator was not trained with go to another model.
#pragma once

#include <ostream>
#include <string>
#include <utility>

#include "G4ExcitationHandler.hh"
#include "G4HadronicInteraction.hh"
#include "emulator.h"

class TransportEmulatorModel : public G4HadronicInteraction {
 public:
  // The directory of the export; the model for all that was not trained, which Geant4's registry owns.
  TransportEmulatorModel(const std::string& directory, G4HadronicInteraction* other);
  ~TransportEmulatorModel() override = default;

  G4HadFinalState* ApplyYourself(const G4HadProjectile& projectile, G4Nucleus& target) override;
  G4bool IsApplicable(const G4HadProjectile& projectile, G4Nucleus& target) override;
  const std::pair<G4double, G4double> GetFatalEnergyCheckLevels() const override;
  std::pair<G4double, G4double> GetEnergyMomentumCheckLevels() const override;
  void ModelDescription(std::ostream& out) const override;

 private:
  bool trained(const G4HadProjectile& projectile, const System& system) const;
  bool reaction(const System& system, double energy, Collision& collision) const;
  void add(const Nucleus& nucleus);
  void add_cluster(const Nucleus& nucleus);

  Emulator emulator_;
  G4HadronicInteraction* other_;
  G4ExcitationHandler handler_;
};
