// Ions in Geant4 with TransportEmulatorModel where it was trained, the binary cascade for all else, FTFP above.
#pragma once

#include <string>
#include <vector>

#include "G4VPhysicsConstructor.hh"

class G4HadronicInteraction;
class G4ParticleDefinition;
class G4VCrossSectionDataSet;

class TransportEmulatorPhysics : public G4VPhysicsConstructor {
 public:
  explicit TransportEmulatorPhysics(const std::string& directory);
  ~TransportEmulatorPhysics() override = default;

  void ConstructParticle() override;
  void ConstructProcess() override;

 private:
  void add_process(const std::string& name, G4ParticleDefinition* particle,
                   const std::vector<G4HadronicInteraction*>& models, G4VCrossSectionDataSet* cross_section) const;

  std::string directory_;
};
